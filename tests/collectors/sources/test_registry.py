"""The registry of sources: what users may choose, and what a source must keep to."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from caribou.collectors import handlers
from caribou.collectors.bodies import KINDS, CarbonBody
from caribou.collectors.facts import collect
from caribou.collectors.sources.registry import DEFAULT_SOURCE, SOURCES, source_key, source_of
from caribou.model.errors import InvalidInputError

DOCS = Path(__file__).parents[3] / "docs" / "data.md"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class OneRegion:
    """A carbon source of one region: all that a new file has to have."""

    origin = "a source of this test"

    def bodies(self, now):
        """The hour as the intensity."""
        return {"us-east-1": CarbonBody(float(now.hour), (1.0,) * 24)}


@pytest.mark.parametrize("kind", KINDS)
def test_source_when_none_is_chosen_then_it_is_the_packaged_snapshot(kind):
    """No network, no key; and its bodies are of its kind."""
    source = source_of(kind, DEFAULT_SOURCE, "cdk.json")
    assert source.origin.startswith("snapshot of ")
    assert {body.kind for body in source.bodies(NOW).values()} == {kind}


def test_source_when_its_name_is_unknown_then_the_error_lists_the_known_ones():
    """And says where the name stands."""
    with pytest.raises(InvalidInputError, match=r"cdk.json: is no source of carbon .*found: x.*snapshot"):
        source_of("carbon", "x", "cdk.json")


def test_source_when_added_to_the_registry_then_it_is_chosen_by_its_name(monkeypatch):
    """One class and one row."""
    monkeypatch.setitem(SOURCES.carbon, "one_region", OneRegion())
    source = source_of("carbon", "one_region", "cdk.json")
    assert source.bodies(NOW.replace(hour=5))["us-east-1"].average == 5


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


def test_collect_when_a_source_has_one_region_then_one_fact_is_written():
    """With the source's origin and the time."""
    table = Table()
    assert collect(OneRegion(), table, NOW) == 1
    assert (table.facts[0].source, table.facts[0].collected_at) == ("a source of this test", NOW)


def test_handler_when_its_variable_names_a_source_then_it_collects_from_that_one(monkeypatch):
    """The control plane's stack writes the variable."""
    table = Table()
    monkeypatch.setattr(handlers, "DynamoFactTable", lambda *_: table)
    monkeypatch.setitem(SOURCES.carbon, "one_region", OneRegion())
    for key, value in {"CARIBOU_FACT_TABLE": "t", "AWS_REGION": "us-west-2", "CARIBOU_SOURCE": "one_region"}.items():
        monkeypatch.setenv(key, value)
    answer = handlers.carbon_handler({}, None)
    assert answer == {"kind": "carbon", "facts": 1, "source": "a source of this test"}
    monkeypatch.setenv("CARIBOU_SOURCE", "gone")
    with pytest.raises(InvalidInputError, match="CARIBOU_SOURCE"):
        handlers.carbon_handler({}, None)


def test_docs_when_they_list_the_context_keys_then_each_kind_has_a_row():
    """docs/data.md has one for each kind; which sources there are, the registry says, so that a new one is one row."""
    rows = re.findall(r"^\| `(caribou:\w+)` \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [source_key(kind) for kind in KINDS]
