"""What a run record says."""

import subprocess
import sys

import pytest

from caribou.model.run.record import RunRecord
from caribou.runtime import CaribouWorkflow
from caribou.runtime.testing import InMemoryCloud, LocalRunner

HOME, AWAY = "us-east-1", "us-west-2"
START_S = 1_760_000_000.0


@pytest.fixture
def result(graph_of, script_of, placement_of):
    """A run of a -> b, s, c; b -> s, in which user code takes time and c is skipped."""
    graph = graph_of({"a": "b s c", "b": "s"}, sync="s")
    script, cloud = script_of(graph), InMemoryCloud(START_S)
    invoke, named = script.workflow.invoke_serverless_function, script.functions

    @script.workflow.serverless_function(name="a")
    def slow(_):
        cloud.clock.advance(1.5)
        invoke(named["b"], "é")
        cloud.clock.advance(0.5)
        invoke(named["s"], b"xyz")
        invoke(named["c"], "not sent", conditional=False)
        cloud.clock.advance(1.0)

    runner = LocalRunner(graph, named | {"a": slow}, placement=placement_of(graph, {"b": AWAY}), cloud=cloud)
    return runner.run({"k": 1})


def test_record_when_a_run_starts_then_it_has_who_where_and_how_much(result):
    """Names, version, digest, region, sizes and times of the first node."""
    record = result.record("a")
    assert (record.workflow, record.workflow_version, record.function) == ("flow", "0.0.1", "a")
    assert (record.run_id, record.region, record.placement) == ("run", HOME, result.run.placement)
    assert (record.attempt, record.cold_start, record.redirect, record.stays_home) == (1, True, False, False)
    assert (record.edge, record.sent_at, record.started_at) == (None, None, START_S)
    assert record.duration_s == pytest.approx(3.0)
    assert record.memory_mb == 1769
    assert record.bytes_in == len('{"k":1}')


def test_record_when_successors_are_handed_over_to_then_it_has_outcome_region_offset_and_size_of_each(result):
    """A message, a report to a sync node, and a skip that concerns nobody."""
    by_edge = {successor.edge: successor for successor in result.record("a").successors}
    assert {edge: (s.node, s.region, s.outcome) for edge, s in by_edge.items()} == {
        "a#0": ("b", AWAY, "sent"),
        "a#1": ("s", HOME, "joined"),
        "a#2": ("c", None, "skipped"),
    }
    assert [by_edge[edge].offset_s for edge in sorted(by_edge)] == pytest.approx(
        [1.5, 2.0, 3.0]
    )  # the last is held back
    sizes = [by_edge[edge].payload_bytes for edge in sorted(by_edge)]
    assert sizes == [len('"é"'.encode()), len('{"$bytes":"eHl6"}'), 0]
    assert result.record("a").bytes_out == sum(sizes)
    assert all(successor.seconds >= 0 for successor in by_edge.values())


def test_record_when_a_message_arrived_then_it_has_the_edge_and_when_it_was_sent(result):
    """Both ends of an edge can be matched."""
    record = result.record("b")
    assert (record.edge, record.region, record.bytes_in) == ("a#0", AWAY, len('"é"'.encode()))
    assert START_S + 1.5 <= record.sent_at <= START_S + 3.0


def test_record_when_a_sync_node_ran_then_its_bytes_in_are_those_of_its_predecessors(result):
    """The message that fires a sync node carries nothing; its payloads are in its state."""
    record = result.record("s")
    assert (record.edge, record.bytes_in) == (None, len('{"$bytes":"eHl6"}') + len('"b#0"'))
    assert record.successors == ()


def test_record_when_written_as_json_then_it_can_be_read_back(result):
    """Every record that the runtime writes is one that the collectors read."""
    for record in result.records:
        assert RunRecord.from_json(record.to_json()) == record


def test_record_when_a_process_is_warm_then_it_says_so(graph_of, script_of):
    """A cold start is noted once a process."""
    graph = graph_of({"a": ""})
    runner = LocalRunner(graph, script_of(graph).functions)
    assert [runner.run("x", f"run-{i}").records[0].cold_start for i in range(3)] == [True, False, False]


def test_record_when_a_run_is_of_the_share_that_stays_home_then_it_says_so(graph_of, script_of, placement_of):
    """Runs at home by choice differ in their records from those that the placement left there."""
    graph = graph_of({"a": "b"})
    placement = placement_of(graph, {"b": AWAY})
    runner = LocalRunner(graph, script_of(graph).functions, placement=placement, home_share=1.0)
    assert {(record.region, record.stays_home) for record in runner.run("x").records} == {(HOME, True)}


@pytest.mark.parametrize("burn", ["thread", "child"])
def test_record_when_threads_or_child_processes_compute_then_their_time_counts(graph_of, burn):
    """Utilisation is the whole sandbox's: a function that runs ffmpeg isn't idle."""
    import threading
    import time

    workflow, code = CaribouWorkflow("flow", "0.0.1"), "import time\nwhile time.process_time() < 0.2: pass"

    def spin():
        end = time.thread_time() + 0.2
        while time.thread_time() < end:
            pass

    @workflow.serverless_function()
    def a(_):
        if burn == "child":
            subprocess.run([sys.executable, "-S", "-c", code], check=True)
        else:
            thread = threading.Thread(target=spin)
            thread.start()
            thread.join()

    result = LocalRunner(graph_of({"a": ""}), {"a": a}).run("x")
    assert 0.18 <= result.records[0].cpu_s < 5
