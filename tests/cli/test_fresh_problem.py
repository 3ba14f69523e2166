"""What `caribou solve WORKFLOW` collects before it solves, and what it says of its data."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from builders import record_of
from deployed_world import ENTRY, written_workflow

from caribou.cli.fresh_problem import collect_old_facts, from_when
from caribou.collectors.bodies import KINDS
from caribou.collectors.chain import facts_of
from caribou.collectors.facts import InMemoryFactTable, read_facts
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.registry import DEFAULT_SOURCE, sources_of

REGIONS = ("us-east-1", "ca-central-1")


@pytest.fixture
def table():
    """A table with facts of all kinds, collected a day ago."""
    return filled(InMemoryFactTable(), timedelta(days=1))


def filled(table, age, kinds=KINDS):
    """The table with facts of some kinds as old as that."""
    for kind in kinds:
        (source,) = sources_of(kind, [DEFAULT_SOURCE], {}, KeyRing(""))
        table.put(facts_of(source, datetime.now(UTC) - age))
    return table


def collected(table, root, capsys, **context):
    """The kinds that were collected."""
    (root / "cdk.json").write_text(json.dumps({"context": context}))
    collect_old_facts(SimpleNamespace(facts=table, region="us-west-2"), root, REGIONS)
    return [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]


def test_facts_when_all_are_there_and_of_yesterday_then_none_are_collected(table, tmp_path, capsys):
    """The control plane does it every day."""
    assert collected(table, tmp_path, capsys) == []


def test_facts_when_a_kind_is_old_or_lacks_a_region_then_that_kind_is_collected(table, tmp_path, capsys):
    """On the local cloud nothing is collected by a schedule; a manifest may allow a region more."""
    filled(table, timedelta(days=3), ["provider"])
    del table.items["carbon", "ca-central-1"]
    assert collected(table, tmp_path, capsys) == ["carbon", "provider"]
    assert collected(table, tmp_path, capsys) == []


def test_facts_when_the_project_has_them_collected_each_hour_then_those_of_the_morning_are_old(table, tmp_path, capsys):
    """By the schedule of each kind."""
    each_hour = {"caribou:collect_at": {"performance": "rate(1 hour)"}}
    assert collected(table, tmp_path, capsys, **each_hour) == ["performance"]


@pytest.mark.parametrize(
    ("new", "said"), [(2, "2 runs, the newest of 2026-11-28 12:30 UTC; carbon"), (0, "none of them new")]
)
def test_data_when_they_are_solved_from_then_it_is_said_from_when_they_are(table, tmp_path, new, said):
    """A solve without new runs says what the last one said."""
    workflow = written_workflow(tmp_path)
    began = datetime(2026, 11, 28, 12, 30, tzinfo=UTC).timestamp()
    record = record_of(ENTRY, workflow=workflow.name, function="first", region="us-east-1", started_at=began)
    records = [replace(record, run_id="a"), replace(record, run_id="b", started_at=began - 3600)]
    facts = read_facts(table)
    text = from_when(facts, records, workflow, new)
    assert said in text
    assert f"performance of {facts.performance['us-east-1'].retrieved_at:%Y-%m-%d}" in text


def test_facts_when_a_kind_is_past_its_time_then_it_is_collected_though_it_is_of_yesterday(table, tmp_path, capsys):
    """A forecast is to be used for hours; what a problem would refuse is collected before."""
    for key, item in table.items.items():
        item["valid_for_h"] = "20" if key[0] == "carbon" else item["valid_for_h"]
    assert collected(table, tmp_path, capsys) == ["carbon"]
