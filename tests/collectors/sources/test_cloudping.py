"""CloudPing's matrix: medians in ms, some of which are missing, and what can't be a round trip."""

import json
from datetime import UTC, datetime

import pytest
from contract import make_impatient
from loopback import Answer, serving

from caribou.collectors.chain import gather
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.registry import sources_of
from caribou.collectors.sources.settings import SourceSettings
from caribou.collectors.sources.snapshot import PerformanceSnapshot
from caribou.model.regions import KNOWN_REGIONS

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
PACKAGED = PerformanceSnapshot().collect(NOW, KNOWN_REGIONS).bodies
VIRGINIA, OREGON, SYDNEY, AUCKLAND, TAIPEI = "us-east-1", "us-west-2", "ap-southeast-2", "ap-southeast-6", "ap-east-2"


def answer(query, **changes):
    """What CloudPing answers, in ms: half a ms above the packaged medians; region>region to another figure, or None."""
    data = {
        a: {b: round(pings[0] * 1000 + 0.5, 2) for b, pings in body.ping_s.items() if b not in body.estimated_to}
        for a, body in PACKAGED.items()
        if len(body.estimated_to) < len(KNOWN_REGIONS)
    }
    for pair, figure in changes.items():
        a, b = pair.split(">")
        data.setdefault(a, {})[b] = figure
    return Answer.json({"metadata": {**query, "unit": "milliseconds"}, "data": {**data, "eusc-de-east-1": {}}})


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nobody waits."""
    make_impatient(monkeypatch)


def collected(service, regions=KNOWN_REGIONS):
    """What the source that `cloudping` names gives, when its service answers so, and what it was asked."""
    with serving(service) as there:
        (source,) = sources_of("performance", ["cloudping"], {"cloudping": SourceSettings(there.url)}, KeyRing(""))
        return source.collect(NOW, regions), there.requests


def changed(**changes):
    """What is given when the service's matrix has these figures."""
    return collected(lambda request: answer(request.query, **changes))[0]


def test_matrix_when_it_is_read_then_it_is_the_weeks_medians_in_seconds():
    """One request, without a key; one sample a pair; and the fact says what it rests on."""
    given, requests = collected(lambda request: answer(request.query))
    (request,) = requests
    assert (request.path, request.query) == ("/latencies", {"percentile": "p_50", "timeframe": "1W"})
    body = given.bodies[VIRGINIA]
    assert body.ping_s[OREGON] == pytest.approx((PACKAGED[VIRGINIA].ping_s[OREGON][0] + 0.0005,), abs=1e-5)
    assert list(body.ping_s) == list(KNOWN_REGIONS)
    assert "of the week to 2026-07-01, each of some 28 means" in body.provenance["ping"]
    assert "licence" in body.provenance


@pytest.mark.parametrize("gap", [None, "no pair"])
def test_pair_when_it_was_not_measured_then_the_other_direction_stands_in(gap):
    """A null, or nothing at all; the fact names the region."""
    pair = f"{VIRGINIA}>{SYDNEY}"
    given, _ = collected(lambda request: _without(request, pair)) if gap else (changed(**{pair: None}), None)
    body, back = given.bodies[VIRGINIA], given.bodies[SYDNEY]
    assert body.ping_s[SYDNEY] == back.ping_s[VIRGINIA]
    assert body.provenance["from_the_other_direction"] == SYDNEY
    assert "from_the_other_direction" not in given.bodies[OREGON].provenance


def _without(request, pair):
    a, b = pair.split(">")
    value = json.loads(answer(request.query).body)
    del value["data"][a][b]
    return Answer.json(value)


def test_pair_when_it_was_measured_in_no_direction_then_the_snapshot_stands_in():
    """Its median is of another year, and measured all the same."""
    body = changed(**{f"{VIRGINIA}>{SYDNEY}": None, f"{SYDNEY}>{VIRGINIA}": None}).bodies[VIRGINIA]
    assert body.ping_s[SYDNEY] == PACKAGED[VIRGINIA].ping_s[SYDNEY]
    assert SYDNEY in body.provenance["from_the_snapshot"].split(", ")
    assert body.estimated_to == (AUCKLAND, TAIPEI)


def test_region_when_cloudping_begins_to_measure_it_then_what_is_left_is_marked_as_estimated():
    """One pair of Auckland's is there: it goes both ways, the others are the snapshot's estimates."""
    given = changed(**{f"{AUCKLAND}>{SYDNEY}": 26.4})
    assert given.bodies[SYDNEY].ping_s[AUCKLAND] == given.bodies[AUCKLAND].ping_s[SYDNEY] == (0.0264,)
    assert given.bodies[SYDNEY].estimated_to == (TAIPEI,)
    auckland = given.bodies[AUCKLAND]
    assert set(auckland.estimated_to) == set(KNOWN_REGIONS) - {SYDNEY}
    assert auckland.provenance["estimated_share"] == round(31 / 32, 4)


def test_region_when_nothing_was_measured_from_or_to_it_then_the_next_source_gives_it():
    """And the fact says why, and that it is an estimate."""
    with serving(lambda request: answer(request.query)) as there:
        settings = {"cloudping": SourceSettings(there.url)}
        facts = gather(sources_of("performance", ["cloudping", "snapshot"], settings, KeyRing("")), NOW)
    auckland = next(fact for fact in facts.facts if fact.region == AUCKLAND)
    assert facts.sources == {"CloudPing": 30, PerformanceSnapshot.origin: 2}
    assert auckland.body.provenance["fallback"] == "CloudPing: has measured nothing from or to it"
    assert (auckland.method, auckland.body.provenance["estimated_share"]) == ("offline: estimated by distance", 1.0)


def test_service_when_it_does_not_give_the_matrix_then_its_name_is_said_once():
    """In the fallback of each fact."""
    with serving(lambda _: Answer(b"", 404)) as there:
        settings = {"cloudping": SourceSettings(there.url)}
        facts = gather(sources_of("performance", ["cloudping", "snapshot"], settings, KeyRing("")), NOW)
    said = {fact.body.provenance["fallback"] for fact in facts.facts}
    assert said == {"CloudPing: has nothing at this address: latencies: HTTP 404"}


@pytest.mark.parametrize(
    ("pair", "ms"),
    [
        (f"{OREGON}>{SYDNEY}", 0.141),  # seconds
        (f"{OREGON}>{SYDNEY}", 141_000.0),  # microseconds
        (f"{VIRGINIA}>{VIRGINIA}", 0.005),
        (f"{VIRGINIA}>{VIRGINIA}", 5_000.0),
        (f"{VIRGINIA}>{OREGON}", -1.0),
        (f"{VIRGINIA}>{OREGON}", float("nan")),
    ],
)
def test_figure_when_it_can_t_be_then_nothing_of_the_matrix_is_taken(pair, ms):
    """Sooner than light, or longer than CloudPing waits: in another unit, all of them are wrong."""
    with pytest.raises(SourceError, match=f"from {pair.replace('>', ' to ')}, where .* can be") as caught:
        changed(**{pair: ms})
    assert caught.value.reason is Reason.UNITS


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"unit": "seconds"}, Reason.UNITS),
        ({"percentile": "p_99"}, Reason.SCHEMA),
        ({"timeframe": "1D"}, Reason.SCHEMA),
    ],
)
def test_matrix_when_it_is_another_than_was_asked_for_then_it_is_refused(about, reason):
    """The answer says what it is of."""

    def service(request):
        metadata = {**request.query, "unit": "milliseconds", **about}
        return Answer.json({"metadata": metadata, "data": {VIRGINIA: {VIRGINIA: 5.0}}})

    with pytest.raises(SourceError) as caught:
        collected(service)
    assert caught.value.reason is reason
