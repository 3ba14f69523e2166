"""Whole runs: what runs, how often, and with what, whatever the bus does."""

import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import BACKSTOP_S

from caribou.model.run import payload as payloads
from caribou.runtime import CaribouWorkflow
from caribou.runtime.execution import MAX_RESULT_BYTES, MAX_RESULTS_BYTES
from caribou.runtime.testing import Disorder, LocalRunner

HOME, AWAY, FAR = "us-east-1", "us-west-2", "ca-central-1"


@st.composite
def shapes(draw):
    """Calls of up to eight nodes, and which are sync nodes: each but the entry is called by some that come before."""
    count = draw(st.integers(2, 8))
    calls, sync = {str(node): [] for node in range(count)}, []
    for node in range(1, count):
        callers = draw(st.lists(st.integers(0, node - 1), min_size=1, max_size=3))
        if len(callers) > 1 or draw(st.booleans()):
            sync.append(str(node))
        for caller in callers:
            calls[str(caller)].append(str(node))
    return {node: " ".join(targets) for node, targets in calls.items()}, " ".join(sync)


def _expected(graph, skip):
    """The edges that are taken, by what the words mean: a node runs if an edge into it is taken."""
    runs, taken = {graph.entry.name}, []
    for node in graph.nodes:
        if node.name in runs:
            edges = [edge for edge in graph.out_edges(node.name) if edge.id not in skip]
            taken += [edge.id for edge in edges]
            runs |= {edge.target for edge in edges}
    return runs, taken


def _inputs(graph, taken, node):
    """What the node is given, edges sending their own ids."""
    edges = [edge.id for edge in graph.in_edges(node) if edge.id in taken]
    return edges if graph.node(node).sync else (edges or ["x"])[0]


@settings(max_examples=150)
@given(shape=shapes(), data=st.data())
def test_run_when_messages_come_twice_in_any_order_and_functions_fail_then_each_node_counts_once(
    graph_of, script_of, placement_of, shape, data
):
    """Whatever graph, conditions, regions, order, duplicates and failures: the same nodes count, once each."""
    calls, sync = shape
    graph = graph_of(calls, sync)
    names, edges = [node.name for node in graph.nodes], [edge.id for edge in graph.edges]
    skip = data.draw(st.sets(st.sampled_from(edges)))
    flaky = data.draw(st.dictionaries(st.sampled_from(names), st.integers(1, 2), max_size=3))
    regions = data.draw(st.dictionaries(st.sampled_from(names), st.sampled_from([HOME, AWAY, FAR])))
    disorder = Disorder(data.draw(st.integers(0, 999)), duplicates=0.5, shuffled=True)
    script = script_of(graph, skip=skip, flaky=flaky)
    runner = LocalRunner(graph, script.functions, placement=placement_of(graph, regions), disorder=disorder)
    result = runner.run("x")

    runs, taken = _expected(graph, skip)
    assert result.state == "SUCCEEDED"
    assert Counter(result.nodes) == Counter(runs)
    for node in runs:
        assert script.received[node] == [_inputs(graph, taken, node)] * (flaky.get(node, 0) + 1)
        assert result.record(node).region == regions.get(node, HOME)


@pytest.mark.parametrize("seed", range(40))
def test_sync_node_when_messages_come_twice_in_any_order_then_it_fires_with_one_payload_an_edge(
    graph_of, script_of, seed
):
    """Equal payloads are kept, and so are two edges from one function; they come in the order of the edges."""
    graph = graph_of({"a": "s b c s", "b": "s", "c": "s t", "s": "t"}, sync="s t")
    script = script_of(graph, payloads=dict.fromkeys(("a#0", "a#3", "b#0", "c#0"), "same"))
    runner = LocalRunner(graph, script.functions, disorder=Disorder(seed, duplicates=0.7, shuffled=True))
    result = runner.run("x")
    assert script.received["s"] == [["same"] * 4]
    assert script.received["t"] == [["c#1", "s#0"]]
    assert result.state == "SUCCEEDED"


def test_sync_node_when_all_its_edges_are_skipped_then_it_does_not_run_and_the_run_ends(graph_of, script_of):
    """A sync node whose last edge is skipped passes the skip on, to nested ones and to the end."""
    graph = graph_of({"a": "b s", "b": "s", "s": "t c", "t": "d"}, sync="s t")
    script = script_of(graph, skip={"a#0", "a#1"})
    result = LocalRunner(graph, script.functions).run("x")
    assert (result.nodes, result.state) == (("a",), "SUCCEEDED")


def test_sync_node_when_one_edge_is_skipped_far_above_then_it_fires_without_it(graph_of, script_of):
    """The skip of a whole chain reaches the sync node at its end."""
    graph = graph_of({"a": "b s", "b": "c", "c": "s"}, sync="s")
    script = script_of(graph, skip={"a#0"})
    result = LocalRunner(graph, script.functions).run("x")
    assert script.received["s"] == [["a#1"]]
    assert result.state == "SUCCEEDED"


def test_function_when_it_has_two_nodes_then_each_runs_with_its_own_payload(graph_of):
    """A function called from two places runs for both, in one process or two."""
    graph = graph_of({"a": "b1 b2"}, functions={"b1": "b", "b2": "b"})
    workflow, seen = CaribouWorkflow("flow", "0.0.1"), []

    @workflow.serverless_function()
    def b(payload):
        seen.append(payload)

    @workflow.serverless_function()
    def a(payload):
        workflow.invoke_serverless_function(b, payload + 1)
        workflow.invoke_serverless_function(b, payload + 2)

    assert LocalRunner(graph, {"a": a, "b": b}).run(1).state == "SUCCEEDED"
    assert sorted(seen) == [2, 3]


def test_function_when_it_returns_early_then_later_calls_count_as_skipped(graph_of, script_of):
    """Calls that weren't reached are conditions that didn't hold."""
    graph = graph_of({"a": "b s c", "b": "s"}, sync="s")
    script = script_of(graph)

    @script.workflow.serverless_function(name="a")
    def early(payload):
        script.workflow.invoke_serverless_function(script.functions["b"], payload)

    result = LocalRunner(graph, script.functions | {"a": early}).run("x")
    assert sorted(result.nodes) == ["a", "b", "s"]
    assert [successor.outcome for successor in result.record("a").successors] == ["sent", "skipped", "skipped"]
    assert result.state == "SUCCEEDED"


def test_payload_when_it_is_changed_after_the_call_then_the_successor_sees_it_as_it_was(graph_of, script_of):
    """The payload is taken at the moment of the call."""
    graph = graph_of({"a": "b c"})
    script = script_of(graph)

    @script.workflow.serverless_function(name="a")
    def changing(_):
        payload = {"items": [1]}
        script.workflow.invoke_serverless_function(script.functions["b"], payload)
        payload["items"].append(2)
        script.workflow.invoke_serverless_function(script.functions["c"], payload)

    LocalRunner(graph, script.functions | {"a": changing}).run(None)
    assert script.received == {"b": [{"items": [1]}], "c": [{"items": [1, 2]}]}


def test_payload_when_all_threads_are_busy_then_it_is_still_taken_at_the_call(graph_of, script_of):
    """A send that has to wait for its turn sends what was given, not what has become of it."""
    graph = graph_of({"a": " ".join(f"n{i}" for i in range(20))})
    script, go = script_of(graph), threading.Event()
    runner = LocalRunner(graph, dict(script.functions))
    publish = runner.cloud.bus.publish

    def waiting(*message):
        assert go.wait(BACKSTOP_S)
        publish(*message)

    @script.workflow.serverless_function(name="a")
    def changing(_):
        runner.cloud.bus.publish = waiting
        payload = []
        for i in range(20):
            payload.append(i)
            script.workflow.invoke_serverless_function(script.functions[f"n{i}"], payload)
        go.set()

    runner.functions = script.functions | {"a": changing}
    assert runner.run("x").state == "SUCCEEDED"
    assert [script.received[f"n{i}"] for i in range(20)] == [[list(range(i + 1))] for i in range(20)]


def test_run_when_a_leaf_has_not_ended_then_it_stays_open(graph_of, script_of):
    """A run is open as long as a leaf may still run; the last one ends it."""
    graph = graph_of({"a": "b c", "c": "d"})
    script, states = script_of(graph), []

    def watching(function):
        return lambda payload: (states.append(runner.result("run").state), function(payload))

    runner = LocalRunner(graph, {name: watching(function) for name, function in script.functions.items()})
    assert runner.run("x").state == "SUCCEEDED"
    assert states == ["RUNNING"] * 4


def test_run_id_when_asked_for_in_user_code_then_it_is_the_run_s(graph_of, script_of):
    """All nodes of a run see the same id."""
    graph = graph_of({"a": "b"})
    script, seen = script_of(graph), []

    @script.workflow.serverless_function(name="b")
    def asking(_):
        seen.append(script.workflow.get_run_id())

    LocalRunner(graph, script.functions | {"b": asking}).run("x", "my-run")
    assert seen == ["my-run"]


class Explosive(dict):
    """What no code of ours would write, but somebody's does."""

    def items(self):
        """Raise what nobody expects."""
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("returned", "kept"),
    [
        ({"sum": 3, "raw": b"x"}, {"sum": 3, "raw": b"x"}),
        (0, 0),
        (None, "nothing"),
        ("x" * (MAX_RESULT_BYTES - 2), "x" * (MAX_RESULT_BYTES - 2)),
        ("x" * (MAX_RESULT_BYTES - 1), "nothing"),
        (object(), "nothing"),
        (10**5000, "nothing"),
        (Explosive(a=1), "nothing"),
    ],
    ids=["object", "zero", "none", "just small enough", "too large", "no payload", "endless number", "explosive"],
)
def test_result_when_a_leaf_returns_then_it_is_kept_with_the_run_if_it_is_a_small_payload(
    graph_of, script_of, returned, kept
):
    """For people to look at: what can't be kept does no harm."""
    graph = graph_of({"a": "b"})
    functions = script_of(graph).functions
    runner = LocalRunner(graph, {**functions, "b": lambda _: returned})
    assert runner.run("x").state == "SUCCEEDED"
    (leaf,) = graph.leaves
    found = {node: payloads.decode(text) for node, text in runner.cloud.runs.items["run"].results.items()}
    assert found == ({} if kept == "nothing" else {leaf: kept})


def test_result_when_a_node_is_no_leaf_then_it_is_not_kept(graph_of, script_of):
    """What travels further goes in payloads."""
    graph = graph_of({"a": "b"})
    script = script_of(graph)
    calling = script.functions["a"]
    runner = LocalRunner(graph, {**script.functions, "a": lambda payload: (calling(payload), "returned")[1]})
    runner.run("x")
    assert not [node for node in runner.cloud.runs.items["run"].results if node.startswith("a:")]


def test_result_when_a_run_has_many_leaves_then_they_share_the_room(graph_of, script_of):
    """A run item has 400 KB, whatever many leaves return."""
    graph = graph_of({"a": " ".join(f"n{i}" for i in range(100))})
    functions = script_of(graph).functions
    large = "x" * (MAX_RESULTS_BYTES // 100)
    runner = LocalRunner(
        graph, {**functions, **{f"n{i}": lambda _: large for i in range(100)}, "n7": lambda _: "small"}
    )
    assert runner.run("x").state == "SUCCEEDED"
    assert list(runner.cloud.runs.items["run"].results.values()) == ['"small"']
