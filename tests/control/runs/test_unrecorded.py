"""Executions that left no record, counted from run items and the records that there are."""

import dataclasses

import pytest
from builders import HOME, graph_of
from run_records import simulate

from caribou.collectors.log_collection import LATE_S
from caribou.control.runs.unrecorded import Unrecorded, read_unrecorded, unrecorded
from caribou.model.run.envelope import Run
from caribou.model.run.item import RunItem, RunState
from caribou.runtime.clients import Clients
from caribou.runtime.run_items import DynamoRunStore

GRAPH = graph_of({"A": "B C", "B": "D", "C": "D"}, sync="D", conditional="A#0", name="example")


def succeeded(run_id, graph=GRAPH):
    """The item of a run that succeeded."""
    run = Run(run_id, "0.0.1", graph.digest, "p", {}, 0.0, 100.0)
    return RunItem(run, frozenset({"D"}), RunState.SUCCEEDED, frozenset({"D"}), 10.0)


def records_of(run_id, without=(), **changes):
    """The records of a run, some nodes' left out."""
    return [record for record in simulate(GRAPH, run_id, **changes) if record.node not in without]


@pytest.mark.parametrize(
    ("without", "skipped", "missing"),
    [
        ("", (), 0),
        ("B", (), 1),
        ("D", (), 1),
        ("BD", (), 2),
        ("", ("A#0",), 0),
        ("D", ("A#0",), 1),
        ("ABCD", (), 1),
    ],
)
def test_unrecorded_when_records_of_a_run_are_missing_then_what_must_have_run_is_counted(without, skipped, missing):
    """What was sent to and what was reported to has run, what was skipped has not; of no record at all, the entry."""
    found = unrecorded(
        GRAPH,
        [succeeded("r"), succeeded("whole")],
        [
            *records_of("whole"),
            *records_of("r", without, skipped=skipped),
        ],
    )
    assert (found.runs, found.incomplete, found.executions) == (2, int(missing > 0), missing)
    assert found.example == ("r" if missing else None)


def test_unrecorded_when_the_entry_only_forwarded_then_its_execution_is_missing():
    """The hop at home is no execution of the node."""
    hop = dataclasses.replace(records_of("r")[0], redirect=True, successors=())
    assert unrecorded(GRAPH, [succeeded("r")], [hop]).executions == 1
    assert unrecorded(GRAPH, [succeeded("r")], [hop, *records_of("r")]).executions == 0


def test_unrecorded_when_a_run_began_with_another_graph_then_it_is_not_looked_at():
    """Its nodes are others."""
    other = graph_of({"A": "B"}, name="example")
    assert unrecorded(GRAPH, [succeeded("r", other)], []).runs == 0


def test_warning_when_something_is_missing_then_it_says_how_much_and_where_to_look():
    """And nothing if nothing is."""
    found = unrecorded(GRAPH, [succeeded("r"), succeeded("s")], records_of("s"))
    assert found.warning.startswith("1 of the 2 newest runs that succeeded lack records, of 1 executions at least")
    assert "such as run r" in found.warning
    assert unrecorded(GRAPH, [succeeded("s")], records_of("s")).warning is None


@pytest.mark.local_cloud
def test_unrecorded_when_read_then_the_newest_runs_count_that_had_ended_when_logs_were_read(world, placed):
    """A run that is open, failed, ended a moment ago, or began before the oldest record, may lack records yet."""
    table, start_s = world.names.run_table, records_of("r")[0].started_at
    client = world.aws.dynamodb(HOME)
    assert read_unrecorded(client, table, GRAPH, records_of("r"), start_s + 9_999).runs == 0  # no table yet
    world.home(placed())
    store = DynamoRunStore(Clients(), table, HOME)
    for number, run_id in enumerate(("old", "recorded", "lost", "fails", "late", "open")):
        began_s = start_s - 100 if run_id == "old" else start_s + number
        store.begin(Run(run_id, "0.0.1", GRAPH.digest, "p", {}, began_s, start_s + 9_999), frozenset({"D"}))
    for run_id in ("old", "recorded", "lost"):
        store.succeed(run_id, start_s + 20)
    store.succeed("late", start_s + 1_000)
    store.fail("fails", start_s + 20, "B", "ValueError")
    read_to_s = start_s + LATE_S + 60
    assert read_unrecorded(client, table, GRAPH, records_of("recorded"), read_to_s) == Unrecorded(2, 1, 1, "lost")
    assert read_unrecorded(client, table, GRAPH, [], read_to_s) == Unrecorded(0)
