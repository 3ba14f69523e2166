"""What a trace says of runs that were played with the product's own code, in memory."""

from dataclasses import replace

import pytest
from builders import graph_of, placement_of

from caribou.control.runs.trace import Evidence, NodeState, Notes, trace_of
from caribou.model.run.item import START_NODE, Parked, SyncState
from caribou.runtime import CaribouWorkflow
from caribou.runtime.testing import LocalRunner, RunState

HOME, WEST = "us-east-1", "us-west-2"
DIAMOND = {"a": "b c", "b": "s", "c": "s", "s": "z"}


class Play:
    """One run of a graph whose functions call what it says; `takes` has how long each takes, in s.

    `broken` functions fail, `skip` has the ids of edges that are not taken, `placed` where nodes are placed.
    """

    def __init__(self, calls, *, sync="", skip=(), broken=(), takes=None, placed=None, down=()):
        self.graph = graph_of(calls, sync)
        self.skip, self.broken, self.takes = set(skip), set(broken), takes or {}
        self.workflow = CaribouWorkflow("flow", "0.0.1")
        self.functions = {}
        for node in self.graph.nodes:
            self.functions[node.name] = self.workflow.serverless_function(name=node.name)(self._function(node))
        placement = placement_of(self.graph, placed or {}, HOME)
        self.runner = LocalRunner(self.graph, self.functions, placement)
        self.runner.cloud.unreachable.update(down)

    def _function(self, node):
        def function(_):
            if node.sync:
                self.workflow.get_predecessor_data()
            self.runner.cloud.clock.advance(self.takes.get(node.name, 1.0))
            if node.name in self.broken:
                raise ValueError(f"{node.name} is broken")
            for edge in self.graph.out_edges(node.name):
                self.workflow.invoke_serverless_function(self.functions[edge.target], edge.id, edge.id not in self.skip)

        return function

    def evidence(self, **changes):
        """What is known at the end of the run."""
        result = self.runner.run("x")
        item = self.runner.cloud.runs.items["run"]
        return replace(Evidence(self.graph, HOME, item, result.records), **changes)

    def trace(self, **changes):
        """The trace at the end of the run."""
        return trace_of(self.evidence(**changes))


def states(trace):
    """Node to state."""
    return {node.node: str(node.state) for node in trace.nodes}


def critical(trace):
    """The nodes on the critical path."""
    return [node.node for node in trace.nodes if node.is_critical]


def test_trace_when_a_run_succeeded_then_every_node_has_its_numbers():
    """State, region, attempt, times and sizes come from the records."""
    trace = Play(DIAMOND, sync="s", placed={"c": WEST}).trace()
    assert set(states(trace).values()) == {"ran"}
    node = trace.node("c")
    assert (node.region, node.planned_region, node.attempts, node.is_rerouted) == (WEST, WEST, 1, False)
    assert node.duration_s == pytest.approx(1.0)
    assert (node.bytes_in, node.bytes_out) == (len('"a#1"'), len('"c#0"'))
    assert trace.node("s").bytes_in == len('"b#0"') + len('"c#0"')
    assert trace.is_settled


@pytest.mark.parametrize(("slow", "through"), [("b", "b"), ("c", "c")])
def test_critical_path_when_a_branch_reports_last_then_it_goes_through_that(slow, through):
    """Back from the end, each time to the edge that reported last."""
    play = Play(DIAMOND, sync="s", takes={slow: 9.0})
    evidence = play.evidence()
    other = {"b": "c", "c": "b"}[slow]
    early = [replace(one, started_at=one.started_at - 20) if one.node == other else one for one in evidence.records]
    trace = trace_of(replace(evidence, records=tuple(early)))
    assert critical(trace) == ["a", through, "s", "z"]
    assert trace.parents["s"] == f"{through}#0"


def test_critical_path_when_a_skip_reports_last_then_it_goes_through_who_skipped():
    """Who skipped the node before a sync node has reported it."""
    trace = Play({"a": "b c", "b": "s", "c": "s"}, sync="s", skip={"a#1"}, takes={"a": 1.0}).trace()
    assert states(trace) == {"a": "ran", "b": "ran", "c": "skipped", "s": "ran"}
    assert critical(trace)[0] == "a"
    assert "c" not in critical(trace)


def test_trace_when_all_edges_of_a_sync_node_are_skipped_then_it_and_what_follows_is_skipped():
    """Skips go on behind a sync node that will not run."""
    trace = Play({"a": "b c d", "b": "s", "c": "s", "s": "z"}, sync="s", skip={"a#0", "a#1"}).trace()
    assert states(trace) == {"a": "ran", "b": "skipped", "c": "skipped", "d": "ran", "s": "skipped", "z": "skipped"}
    assert trace.node("b").edges[0].outcome == "skipped"


def test_trace_when_a_node_failed_then_it_shows_the_exception_and_what_waits_behind_it():
    """Siblings' results are kept, the node that failed has its error, the path leads to it."""
    trace = Play(DIAMOND, sync="s", broken={"c"}).trace(notes={"s": Notes(0, SyncState(taken=frozenset({"b#0"})))})
    assert states(trace) == {"a": "ran", "b": "ran", "c": "failed", "s": "waiting", "z": "waiting"}
    assert trace.item.state is RunState.FAILED
    assert trace.node("c").error == "ValueError: c is broken"
    assert trace.node("c").attempts == 3
    assert trace.node("s").reported == 1
    assert critical(trace) == ["a", "c"]


def test_trace_when_a_message_is_parked_then_its_node_says_why():
    """Parked without user code's fault; and the failed one is parked too."""
    play = Play(DIAMOND, sync="s", broken={"c"})
    parked = (Parked("run", "b", 0, "{}", "AWS: throttled"), Parked("run", "c", 0, "{}", "ValueError: c is broken"))
    evidence = play.evidence(parked=parked)
    trace = trace_of(replace(evidence, records=tuple(one for one in evidence.records if one.node != "b")))
    assert (trace.node("b").state, trace.node("b").error) == (NodeState.PARKED, "AWS: throttled")
    assert (trace.node("c").state, trace.node("c").is_parked) == (NodeState.FAILED, True)


@pytest.mark.parametrize(
    ("tries", "last_attempt", "state"),
    [(0, 0, "waiting"), (1, 0, "running"), (1, 1, "retrying"), (2, 1, "running")],
)
def test_trace_when_a_run_is_open_then_claims_and_errors_show_what_a_node_does(tries, last_attempt, state):
    """Claimed and nothing heard of: running. The last try raised, and the next has not claimed: retrying."""
    evidence = Play({"a": "b"}, broken={"b"}).evidence(notes={"b": Notes(tries)})
    records = tuple(one for one in evidence.records if one.node == "a" or one.attempt <= last_attempt)
    item = replace(evidence.item, state=RunState.RUNNING)
    assert states(trace_of(replace(evidence, item=item, records=records)))["b"] == state


def test_trace_when_logs_are_late_then_it_is_not_settled():
    """The run item is ahead of the logs."""
    trace = Play({"a": "b"}).trace(records=())
    assert states(trace) == {"a": "no record", "b": "no record"}
    assert not trace.is_settled
    assert critical(trace) == []


def test_trace_when_a_region_was_unreachable_then_the_deviation_is_shown():
    """The run's map says one region, the record another."""
    node = Play({"a": "b"}, placed={"b": WEST}, down={WEST}).trace().node("b")
    assert (node.region, node.planned_region, node.is_rerouted) == (HOME, WEST, True)


def test_trace_when_the_entry_is_elsewhere_then_the_forwarding_is_no_execution_of_it():
    """Home's hop is shown by itself."""
    trace = Play({"a": "b"}, placed={"a": WEST}).trace()
    assert (trace.node("a").region, trace.node("a").attempts) == (WEST, 1)
    assert trace.forwarded_s is not None


def test_trace_when_the_graph_has_changed_since_then_it_says_so():
    """What is deployed now may have other nodes."""
    evidence = Play({"a": "b"}).evidence()
    run = replace(evidence.item.run, graph="another")
    assert "another graph" in trace_of(replace(evidence, item=replace(evidence.item, run=run))).remark


def test_trace_when_it_is_written_as_json_then_nodes_are_listed_with_all_they_have():
    """For programs: the schema, the run, and every node's fields."""
    data = Play(DIAMOND, sync="s").trace().to_json()
    assert (data["schema"], data["state"], len(data["nodes"])) == ("caribou.trace/1", "SUCCEEDED", 5)
    assert data["nodes"][0]["edges"][0] == {"id": "a#0", "node": "b", "outcome": "sent", "payload_bytes": 5}


def test_trace_when_a_run_was_cancelled_then_what_did_not_begin_or_not_again_is_stopped():
    """What is claimed and has no record may be running still."""
    played = Play({"a": "b c d"}, broken={"b"}).evidence()
    records = tuple(r for r in played.records if r.node in ("a", "b") and r.attempt == 1)
    item = replace(played.item, state=RunState.CANCELLED, failed_node=None)
    trace = trace_of(replace(played, item=item, records=records, notes={"b": Notes(1), "c": Notes(1)}))
    assert states(trace) == {"a": "ran", "b": "stopped", "c": "running", "d": "stopped"}


def test_trace_when_a_start_is_parked_then_the_entry_waits_for_a_redrive():
    """A start is no node's; what it would have begun is the entry."""
    played = Play({"a": "b"}).evidence()
    item = replace(played.item, state=RunState.EXPIRED)
    parked = (Parked("run", START_NODE, 0, "m", "AWS: throttled"),)
    node = trace_of(replace(played, item=item, records=(), parked=parked)).node("a")
    assert (node.state, node.error, node.is_parked) == (NodeState.PARKED, "AWS: throttled", True)
