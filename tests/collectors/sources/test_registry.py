"""The registry of sources: what users may choose, and what a source must keep to."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from caribou.collectors import handlers
from caribou.collectors.bodies import KINDS, CarbonBody
from caribou.collectors.chain import collect, gather
from caribou.collectors.facts import Given, InMemoryFactTable
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.registry import DEFAULT_SOURCE, SOURCES, Row, names_of, source_key, sources_of
from caribou.collectors.sources.settings import SourceSettings
from caribou.collectors.sources.snapshot import CarbonSnapshot
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.project.settings import SOURCE_KEYS
from caribou.model.regions import KNOWN_REGIONS

DOCS = Path(__file__).parents[3] / "docs" / "data.md"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


KEYS = KeyRing("us-west-2", {})


class OneRegion:
    """A carbon source of one region: all that a new file has to have."""

    origin = "a source of this test"
    method = "the hour"
    valid_for = timedelta(days=1)

    def collect(self, now, regions):  # noqa: ARG002 - it has but one
        """The hour as the intensity."""
        return Given({"us-east-1": CarbonBody(float(now.hour), (1.0,) * 24)})


class Broken(OneRegion):
    """A source whose service is away."""

    origin = "a broken source"

    def collect(self, now, regions):  # noqa: ARG002 - it never gets so far
        """Nothing."""
        raise OperationFailedError("it is away")


class Refusing(OneRegion):
    """A source that covers a region and has nothing of it."""

    origin = "a refusing source"

    def collect(self, now, regions):  # noqa: ARG002
        """Why not."""
        return Given({}, {"us-west-2": "not in your plan"})


class NotInPlan(OneRegion):
    """A source whose key may ask for nothing of what it covers."""

    origin = "a refusing source"

    def collect(self, now, regions):  # noqa: ARG002
        """Why not."""
        return Given({}, dict.fromkeys(regions, "not in your plan"))


@pytest.mark.parametrize("kind", KINDS)
def test_source_when_none_is_chosen_then_it_is_the_packaged_snapshot(kind):
    """No network, no key; and its bodies are of its kind."""
    (source,) = sources_of(kind, [DEFAULT_SOURCE], {}, KEYS)
    assert source.origin.startswith("snapshot of ")
    assert {body.kind for body in source.collect(NOW, KNOWN_REGIONS).bodies.values()} == {kind}


@pytest.mark.parametrize(
    ("text", "said"),
    [("x", "is no source of carbon .*found: x.*snapshot"), ("snapshot,snapshot", "twice"), ("snapshot,", "no source")],
)
def test_choice_when_it_is_wrong_then_the_error_says_where_it_stands(text, said):
    """A name that is none lists the known ones."""
    with pytest.raises(InvalidInputError, match=rf"cdk.json: .*{said}"):
        names_of("carbon", text, "cdk.json")


def test_choice_when_it_names_several_then_they_are_in_that_order():
    """Commas, with or without spaces."""
    assert names_of("carbon", "snapshot_other_zones, snapshot", "") == ("snapshot_other_zones", "snapshot")


def test_source_when_added_to_the_registry_then_it_is_chosen_by_its_name(monkeypatch):
    """One class and one row, which gets the settings, with its own address where a project names none."""
    made = []

    def make(settings, _):
        made.append(settings)
        return OneRegion()

    monkeypatch.setitem(SOURCES.carbon, "one_region", Row(make, url="https://example.org"))
    (source,) = sources_of("carbon", ["one_region"], {}, KEYS)
    assert source.collect(NOW.replace(hour=5), ["us-east-1"]).bodies["us-east-1"].average == 5
    sources_of("carbon", ["one_region"], {"one_region": SourceSettings(url="http://here")}, KEYS)
    assert [settings.url for settings in made] == ["https://example.org", "http://here"]


@pytest.mark.parametrize("name", [name for name, row in SOURCES.carbon.items() if row.url is not None])
def test_source_when_it_is_live_then_it_is_made_without_asking_anybody(name):
    """Neither its service nor a place of keys; its client has its name, and a basis that problems can read."""
    (source,) = sources_of("carbon", [name], {}, KEYS)
    assert source.origin
    feed = getattr(source, "feed", None)
    assert getattr(feed, "name", name) == name
    for one, other in (("lifecycle", "direct"), ("consumption", "generation")):
        assert not (one in getattr(feed, "basis", "") and other in feed.basis)


@pytest.mark.parametrize("name", [name for name, row in SOURCES.carbon.items() if row.takes_key])
def test_source_when_there_is_no_key_then_the_next_one_counts_and_the_fact_says_which_key(name):
    """No request is made without it."""
    sources = sources_of("carbon", [name, "snapshot"], {name: SourceSettings(url="http://127.0.0.1:9")}, KEYS)
    gathered = gather(sources, NOW)
    assert gathered.missing == ()
    assert any(f"no key: set CARIBOU_{name.upper()}_KEY" in text for text in gathered.fallbacks)


def test_keys_when_made_then_each_kind_has_its_own():
    """As docs/data.md lists them."""
    assert [source_key(kind) for kind in KINDS] == [
        "caribou:carbon_source",
        "caribou:provider_source",
        "caribou:performance_source",
    ]


class Table:
    """A fact table that keeps what it is given."""

    def __init__(self):
        self.facts = []

    def put(self, facts):
        """Keep facts."""
        self.facts += facts

    def of_kind(self, body):
        """The facts with bodies of this type."""
        return [fact for fact in self.facts if isinstance(fact.body, body)]


def test_collect_when_a_source_has_one_region_then_one_fact_is_written():
    """With the source's origin, its method, the time, and until when it is to be used."""
    table = Table()
    gathered = collect([OneRegion()], table, NOW)
    (fact,) = table.facts
    assert gathered.facts == (fact,)
    assert (fact.source, fact.method, fact.retrieved_at) == ("a source of this test", "the hour", NOW)
    assert fact.valid_until == NOW + timedelta(days=1)
    assert len(gathered.missing) == len(KNOWN_REGIONS) - 1


def test_collect_when_the_first_source_fails_then_the_next_is_taken_and_the_fact_says_why():
    """Region by region: what none of those before it could give."""
    table = Table()
    gathered = collect([Broken(), Refusing(), OneRegion(), CarbonSnapshot()], table, NOW)
    facts = {fact.region: fact for fact in table.facts}
    assert facts["us-east-1"].source == "a source of this test"
    assert facts["us-east-1"].body.provenance["fallback"] == (
        "a broken source: it is away; a refusing source: does not cover it"
    )
    assert facts["us-west-2"].source == CarbonSnapshot().origin
    assert "a refusing source: not in your plan" in facts["us-west-2"].body.provenance["fallback"]
    assert gathered.missing == ()
    assert "a refusing source: not in your plan (us-west-2)" in gathered.fallbacks
    assert any(text.startswith("a broken source: it is away (us-east-1, ") for text in gathered.fallbacks)


class Away(OneRegion):
    """The source of one region, while its service is away."""

    def collect(self, now, regions):  # noqa: ARG002 - it never gets so far
        """Nothing."""
        raise OperationFailedError("it is away")


def test_collect_when_a_source_is_away_then_what_it_gave_stays_as_long_as_it_is_to_be_used():
    """The next source takes over then, or at once if the project does not choose the first any more."""
    table, chain = InMemoryFactTable(), [Away(), CarbonSnapshot()]
    collect([OneRegion(), CarbonSnapshot()], table, NOW)
    gathered = collect(chain, table, NOW + timedelta(hours=23))
    facts = {fact.region: fact for fact in table.of_kind(CarbonBody)}
    assert (facts["us-east-1"].source, facts["us-east-1"].retrieved_at) == (OneRegion.origin, NOW)
    assert facts["us-west-2"].retrieved_at == NOW + timedelta(hours=23)
    assert [fact.region for fact in gathered.kept] == ["us-east-1"]
    assert len(gathered.facts) == len(KNOWN_REGIONS) - 1
    assert "it is away" in gathered.fallbacks[0]
    gathered = collect(chain, table, NOW + timedelta(hours=25))
    (late,) = (fact for fact in table.of_kind(CarbonBody) if fact.region == "us-east-1")
    assert (late.source, gathered.kept) == (CarbonSnapshot().origin, ())
    assert "it is away" in late.body.provenance["fallback"]


@pytest.mark.parametrize("damaged", [True, False])
def test_collect_when_what_is_there_is_damaged_or_of_no_chosen_source_then_it_is_written_over(damaged):
    """Nothing is kept that nobody can read, or wants."""
    table = InMemoryFactTable()
    collect([OneRegion(), CarbonSnapshot()], table, NOW)
    if damaged:
        table.items["carbon", "us-west-2"]["body"] = "{"
    collect([Away() if damaged else Broken(), CarbonSnapshot()], table, NOW + timedelta(hours=1))
    assert {fact.source for fact in table.of_kind(CarbonBody)} == {CarbonSnapshot().origin}


def test_collect_when_no_source_gives_anything_then_what_is_there_stays():
    """The error says why."""
    table = Table()
    with pytest.raises(OperationFailedError, match=r"it is away.*facts that are there stay"):
        collect([Broken()], table, NOW)
    assert table.facts == []


def test_handler_when_its_variable_names_a_source_then_it_collects_from_that_one(monkeypatch):
    """The control plane's stack writes the variable."""
    table = Table()
    monkeypatch.setattr(handlers, "DynamoFactTable", lambda *_: table)
    monkeypatch.setitem(SOURCES.carbon, "one_region", Row(lambda *_: OneRegion()))
    for key, value in {"CARIBOU_FACT_TABLE": "t", "AWS_REGION": "us-west-2", "CARIBOU_SOURCE": "one_region"}.items():
        monkeypatch.setenv(key, value)
    answer = handlers.carbon_handler({}, None)
    assert (answer["facts"], answer["sources"]) == (1, {"a source of this test": 1})
    assert answer["fallbacks"][0].startswith("a source of this test: does not cover it (")
    monkeypatch.setenv("CARIBOU_SOURCE", "gone")
    with pytest.raises(InvalidInputError, match="CARIBOU_SOURCE"):
        handlers.carbon_handler({}, None)


@pytest.mark.parametrize(
    ("sources", "silent"),
    [
        ([OneRegion(), CarbonSnapshot()], ()),
        ([Broken(), CarbonSnapshot()], ("a broken source",)),
        ([NotInPlan(), Broken(), CarbonSnapshot()], ("a refusing source", "a broken source")),
        ([CarbonSnapshot(), Broken()], ()),
    ],
    ids=["well", "broken", "two", "not asked"],
)
def test_chain_when_a_source_gives_nothing_then_it_is_silent(sources, silent):
    """One that was not asked is not; nor one that gives a few regions."""
    assert gather(sources, NOW).silent == silent


@pytest.mark.parametrize(("given", "silent"), [(0, ("marginal intensity",)), (1, ())])
def test_chain_when_no_source_of_marginal_intensity_gives_any_then_that_is_silent(given, silent):
    """A region that it does not give is no reason, if it gives others."""

    class Marginal(CarbonSnapshot):
        def collect(self, now, regions):
            """Why not, of all regions but so many."""
            bodies = super().collect(now, regions).bodies
            said = [{"marginal_source": "live"}] * given + [{"marginal_fallback": "it is away"}] * len(bodies)
            return Given({r: body.with_provenance(own) for (r, body), own in zip(bodies.items(), said, strict=False)})

    assert gather([Marginal()], NOW).silent == silent


def test_handler_when_a_chosen_source_gives_nothing_then_it_says_so_in_a_metric(monkeypatch, capsys):
    """For the hours until it is asked again; of a good collection nothing, since each line costs money."""
    monkeypatch.setattr(handlers, "DynamoFactTable", lambda *_: Table())
    made = iter([Broken(), OneRegion()])
    monkeypatch.setitem(SOURCES.carbon, "live", Row(lambda *_: next(made), url="https://example.org"))
    variables = {
        "CARIBOU_FACT_TABLE": "t",
        "AWS_REGION": "us-west-2",
        "CARIBOU_STAGE": "dev",
        "CARIBOU_SOURCE": "live,snapshot",
        "CARIBOU_EVERY_H": '{"carbon": 1.0}',
    }
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    assert handlers.carbon_handler({}, None)["facts"] == len(KNOWN_REGIONS)
    line = json.loads(capsys.readouterr().out)
    assert (line["SourceFellBackHours"], line["_aws"]["CloudWatchMetrics"][0]["Namespace"]) == ([1.0], "Caribou/dev")
    handlers.carbon_handler({}, None)
    assert capsys.readouterr().out == ""


def test_docs_when_they_list_the_context_keys_then_each_kind_has_a_row():
    """docs/data.md has one for each kind; which sources there are, the registry says, so that a new one is one row."""
    rows = re.findall(r"^\| `(caribou:\w+)` \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(SOURCE_KEYS)
