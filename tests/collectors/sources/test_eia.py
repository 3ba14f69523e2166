"""EIA-930: what its figures hide."""

from datetime import UTC, datetime, timedelta

import pytest
from contract import KEY
from grid_cases import key
from grid_services import EIA_MWH, Eia
from loopback import Answer, serving

from caribou.collectors.sources.eia import EiaFeed
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.live_carbon import LiveCarbon

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START, END = datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
MIX = (2000 * 820 + 4000 * 490 + 3000 * 12 + 500 * 24 + 1500 * 11) / 11000


def history(service, region="us-east-1", start=START, end=END, zones=None):
    """Hours, what the feed says of them, and the requests."""
    with serving(service) as there:
        feed = EiaFeed(there.url, key, zones or {})
        return feed.history(region, start, end).hours, feed.notes(region), there.requests


def test_hours_when_asked_for_then_they_are_those_that_begin_at_their_time():
    """EIA names an hour by its end: read as its begin, the sun rises an hour late, and the last hour is missing."""
    noon = START + 12 * HOUR
    hours, notes, _ = history(Eia(mwh=lambda at, fuel: 99000 if (at, fuel) == (noon, "COL") else EIA_MWH[fuel]))
    assert [value.at for value in hours] == [START + i * HOUR for i in range(24)]
    assert [value.at for value in hours if value.g_per_kwh > 700] == [noon]
    assert hours[0].g_per_kwh == pytest.approx(MIX)
    assert notes["partial_hours_left_out"] == 0
    assert notes["share_without_factor"] == pytest.approx(100 / 11100, abs=1e-3)


def test_rows_when_they_are_more_than_a_call_gives_then_all_pages_are_asked_for():
    """28 days of nine fuels are 6,066 rows: without the second page the last week is not there."""
    hours, _, requests = history(Eia(), start=END - 28 * DAY)
    assert [request.query["offset"] for request in requests] == ["0", "5000"]
    assert len(hours) == 28 * 24
    assert {round(value.g_per_kwh, 6) for value in hours} == {round(MIX, 6)}


def test_hours_when_some_fuels_are_late_then_those_are_left_out():
    """The newest hours have no gas yet, and one of yesterday has a null for coal: both look clean."""

    def has(at, fuel):
        return not (fuel == "NG" and at >= END - 5 * HOUR)

    def mwh(at, fuel):
        return None if (at, fuel) == (START + 3 * HOUR, "COL") else EIA_MWH[fuel]

    hours, notes, _ = history(Eia(mwh, has))
    left_out = [START + 3 * HOUR, *(END - i * HOUR for i in (5, 4, 3, 2, 1))]
    assert [value.at for value in hours] == [START + i * HOUR for i in range(24) if START + i * HOUR not in left_out]
    assert {round(value.g_per_kwh, 6) for value in hours} == {round(MIX, 6)}
    assert notes["partial_hours_left_out"] == 6


def test_hours_when_they_are_the_newest_two_then_they_are_left_out_though_they_look_whole():
    """Of the past nothing is left out; then later hours are there."""
    hours, _, _ = history(Eia(newest=END - HOUR))
    assert hours[-1].at == END - 3 * HOUR
    hours, _, _ = history(Eia(newest=END + DAY))
    assert hours[-1].at == END - HOUR


@pytest.mark.parametrize(("region", "zone"), [("us-west-1", "CISO"), ("us-east-2", "PJM"), ("us-west-2", "BPAT")])
def test_authority_when_the_project_names_another_then_that_one_is_asked(region, zone):
    """By `caribou:source_zones`; the others stay."""
    _, _, requests = history(Eia(), region, zones={"us-west-2": "BPAT"})
    assert {request.query["facets[respondent][]"] for request in requests} == {zone}
    feed = EiaFeed("http://127.0.0.1:9", key)
    assert feed.zone_of("us-west-2") == "PACW"
    assert feed.notes("us-west-2")["contested"] == "is taken as PACW, others name BPAT"
    assert EiaFeed("", key, {"us-west-2": "BPAT"}).notes("us-west-2")["contested"] == ""
    assert feed.zone_of("eu-west-1") is None
    assert feed.forecast("us-west-2", END) is None


@pytest.mark.parametrize(
    ("service", "reason", "said"),
    [
        (Eia(unit="megawatts"), Reason.UNITS, "'megawatts' and not megawatthours"),
        (Eia(mwh=lambda *_: "ten"), Reason.SCHEMA, "valid number"),
    ],
)
def test_rows_when_they_are_of_another_kind_then_the_error_says_what_they_are(service, reason, said):
    """No figure is guessed."""
    with pytest.raises(SourceError, match=said) as caught:
        history(service)
    assert caught.value.reason is reason


def test_rows_when_a_fuel_is_new_then_the_error_names_it(monkeypatch):
    """In 2024 EIA split solar power into two codes: a code that is passed over makes a grid dirtier than it is."""
    monkeypatch.setitem(EIA_MWH, "FUS", 9000)
    with pytest.raises(SourceError, match="fueltype 'FUS' is not known") as caught:
        history(Eia())
    assert caught.value.reason is Reason.SCHEMA


@pytest.mark.parametrize("period", ["0001-01-01T00", "2026-03-03", "2026-03-03T00-05"])
def test_rows_when_a_period_is_no_hour_of_utc_then_the_error_shows_it(period):
    """With an offset it is local time's (`local-hourly`)."""

    def other(request):
        answer = Eia()(request)
        return Answer(answer.body.replace(b"2026-03-03T07", period.encode()), headers=answer.headers)

    with pytest.raises(SourceError, match=f"period '{period}' is no hour"):
        history(other)


def test_pages_when_there_is_no_end_of_them_then_it_stops():
    """A total beyond hours times fuels can't be."""

    def endless(request):
        answer = Eia()(request)
        return Answer(answer.body.replace(b'"total": "', b'"total": "99'), headers=answer.headers)

    with pytest.raises(SourceError, match="more than there can be"):
        history(endless)


def test_key_when_it_is_refused_then_no_other_authority_is_asked():
    """EIA says 403 for it, by which others mean a zone outside of a key's plan."""
    refusal = Answer.json({"error": {"code": "API_KEY_INVALID", "message": "An invalid api_key was supplied."}}, 403)
    with serving(lambda _: refusal) as there:
        given = LiveCarbon(EiaFeed(there.url, key)).collect(END, ["us-east-1", "us-west-1"])
        assert len(there.requests) == 1
    assert set(given.refused) == {"us-east-1", "us-west-1"}
    assert all("does not accept the key" in why and KEY not in why for why in given.refused.values())


def test_facts_when_collected_then_they_say_basis_and_what_was_left_out():
    """As a problem will repeat it."""
    now = END + timedelta(minutes=20)
    with serving(Eia(newest=END - HOUR)) as there:
        given = LiveCarbon(EiaFeed(there.url, key)).collect(now, ["us-east-1", "us-east-2", "eu-west-1"])
        assert {request.query["facets[respondent][]"] for request in there.requests} == {"PJM"}
    assert set(given.bodies) == {"us-east-1", "us-east-2"}
    body = given.bodies["us-east-2"]
    assert body.average == pytest.approx(MIX, abs=0.01)
    assert "without imports and exports" in body.provenance["basis"]
    assert body.provenance["partial_hours_left_out"] == 0
