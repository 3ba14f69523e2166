"""How successors get what is sent: the size of messages, unreachable regions, and the hop limit."""

import json
import threading
from dataclasses import replace

import pytest
from waiting import BACKSTOP_S

from caribou.model.errors import InvalidEnvelopeError, UnreachableError
from caribou.model.health.metrics import HealthMetric
from caribou.model.placement import Placement
from caribou.model.run.envelope import parse_message
from caribou.model.run.item import RunState
from caribou.runtime.event import Delivery
from caribou.runtime.outbox import Outbox
from caribou.runtime.placement import new_run
from caribou.runtime.sweeping import Sweeper
from caribou.runtime.sync_node import ITEM_PAYLOAD_LIMIT_BYTES, SyncReports
from caribou.runtime.testing import InMemoryCloud, LocalRunner

HOME, AWAY = "us-east-1", "us-west-2"
NOW_S = 1.7e9


def _event_bytes(text):
    """What a message takes in the receiver's event, where it is text inside JSON."""
    return len(json.dumps(text, ensure_ascii=False).encode())


def _outbox(graph, settings_of, **changes):
    """An outbox of a run at home that has just begun."""
    settings, cloud = settings_of(graph, **changes), InMemoryCloud(NOW_S)
    run = new_run("run", NOW_S, Placement.at_home(graph, HOME), settings)
    return Outbox(run, 0, settings, cloud.ports(HOME)), cloud


@pytest.mark.parametrize(("room", "by_pointer"), [(1, False), (0, False), (-1, True)])
@pytest.mark.parametrize("text", ["x", "é", "語", "🦌", '"', "\\", "\n"])
def test_message_when_it_is_over_the_limit_then_its_payload_travels_through_the_store(
    graph_of, settings_of, text, room, by_pointer
):
    """The limit is in bytes of the event, so letters of many bytes and escaped ones count as what they take there."""
    graph = graph_of({"a": "b"})
    payload = json.dumps(text * 100, ensure_ascii=False)
    outbox, cloud = _outbox(graph, settings_of)
    outbox.send(graph.edges[0], payload)
    size = _event_bytes(cloud.bus.take()[0].text)

    limited = replace(outbox, settings=settings_of(graph, message_limit_bytes=size + room))
    limited.send(graph.edges[0], payload)
    envelope = parse_message(json.loads(cloud.bus.take()[0].text))
    assert (envelope.payload is None, envelope.pointer is not None) == (by_pointer, by_pointer)
    if by_pointer:
        assert cloud.payloads.get(envelope.pointer) == payload
        assert envelope.pointer.size_bytes == len(payload.encode())
    else:
        assert envelope.payload == payload


def test_message_when_its_payload_travels_through_the_store_then_the_receiver_sees_no_difference(graph_of, script_of):
    """User code gets the payload, wherever it rested, and its size is the record's."""
    graph, large = graph_of({"a": "b", "b": "s", "s": "c"}, sync="s"), "é" * 200_000
    script = script_of(graph, payloads={"a#0": large, "b#0": large, "s#0": large})
    result = LocalRunner(graph, script.functions).run(b"x" * 1000)
    assert script.received == {"a": [b"x" * 1000], "b": [large], "s": [[large]], "c": [large]}
    assert [result.record(node).bytes_in for node in "bsc"] == [400_002] * 3
    assert result.record("a").bytes_out == 400_002


@pytest.mark.parametrize(("extra", "objects"), [(0, 0), (1, 1)])
def test_sync_payload_when_it_is_over_an_item_then_it_rests_in_the_store(graph_of, settings_of, extra, objects):
    """A DynamoDB item holds a payload up to its limit, in bytes."""
    graph = graph_of({"a": "s"}, sync="s")
    outbox, cloud = _outbox(graph, settings_of)
    reports = SyncReports(outbox.run, graph, HOME, outbox.ports, fire=outbox.fire, end=outbox.end)
    payload = json.dumps("é" * ((ITEM_PAYLOAD_LIMIT_BYTES - 2) // 2) + "x" * extra, ensure_ascii=False)
    assert reports.join(graph.edges[0], payload) == HOME
    assert len(cloud.payloads.objects) == objects
    (stored,) = cloud.syncs.read(HOME, "run", "s").payloads.values()
    assert stored.size_bytes == ITEM_PAYLOAD_LIMIT_BYTES + extra


@pytest.mark.parametrize("sync", ["", "b"])
def test_large_payload_when_a_retry_sends_another_then_the_first_can_still_be_read(graph_of, script_of, sync):
    """A function that fails and then sends something else must not spoil what is on its way."""
    graph = graph_of({"a": "b c"}, sync)
    script, numbers, begun = script_of(graph, flaky={"b": 1}), iter("12"), threading.Event()
    workflow, runner = script.workflow, LocalRunner(graph, dict(script.functions))
    put = runner.cloud.payloads.put

    def recording(region, key, text):
        begun.set()
        return put(region, key, text)

    @workflow.serverless_function(name="a")
    def changing(_):
        number = next(numbers)
        workflow.invoke_serverless_function(script.functions["b"], number * 400_000)
        if number == "1":
            assert begun.wait(BACKSTOP_S)
            raise RuntimeError("fails after its first send")
        workflow.invoke_serverless_function(script.functions["c"], number)

    runner.cloud.payloads.put = recording
    runner.functions = script.functions | {"a": changing}
    result = runner.run(None)
    assert result.state == "SUCCEEDED"
    first = "1" * 400_000
    assert script.received["b"] == [[first] if sync else first] * 2


def test_send_when_a_region_is_unreachable_then_it_goes_home(graph_of, script_of, placement_of):
    """The node runs at home, the others stay where they are, and the record says so."""
    graph = graph_of({"a": "b", "b": "c"})
    script = script_of(graph)
    runner = LocalRunner(graph, script.functions, placement=placement_of(graph, {"b": AWAY, "c": "ca-central-1"}))
    runner.cloud.unreachable.add(AWAY)
    take, sent = runner.cloud.bus.take, []

    def watched():
        messages = take()
        sent.extend(message.text for message in messages if message.function == "b")
        return messages

    runner.cloud.bus.take = watched
    result = runner.run("x")
    assert {node: result.record(node).region for node in "abc"} == {"a": HOME, "b": HOME, "c": "ca-central-1"}
    assert AWAY not in sent[0]
    (successor,) = result.record("a").successors
    assert (successor.outcome, successor.region) == ("rerouted", HOME)
    assert result.state == "SUCCEEDED"
    assert runner.cloud.metrics.values == [(HealthMetric.REROUTED, 1)]


def test_send_when_the_payload_is_large_and_its_region_unreachable_then_both_go_home(graph_of, script_of, placement_of):
    """A payload is not left in a region that its message does not reach."""
    graph = graph_of({"a": "b"})
    script = script_of(graph, payloads={"a#0": "x" * 300_000})
    runner = LocalRunner(graph, script.functions, placement=placement_of(graph, {"b": AWAY}))
    runner.cloud.unreachable.add(AWAY)
    assert runner.run("x").state == "SUCCEEDED"
    assert {bucket for bucket, _ in runner.cloud.payloads.objects} == {f"payloads-{HOME}"}


def test_forward_when_the_entry_s_region_is_unreachable_then_the_run_stays_home(graph_of, script_of, placement_of):
    """The start is not lost with the region."""
    graph = graph_of({"a": "b"})
    runner = LocalRunner(graph, script_of(graph).functions, placement=placement_of(graph, {"a": AWAY}))
    runner.cloud.unreachable.add(AWAY)
    result = runner.run("x")
    assert (result.nodes, result.state) == (("a", "b"), "SUCCEEDED")
    assert result.record("a").region == HOME
    assert runner.cloud.metrics.values == [(HealthMetric.REROUTED, 1)]


def test_send_when_home_itself_is_unreachable_then_the_node_fails(graph_of, script_of):
    """There is nowhere else to go: Lambda tries again."""
    graph = graph_of({"a": "b"})
    runner = LocalRunner(graph, script_of(graph).functions)
    runner.start("x", "run")
    (start,) = runner.cloud.bus.take()
    runner.cloud.unreachable.add(HOME)
    delivery = Delivery(json.loads(start.text), id="m", request_id="r", from_topic=True)
    with pytest.raises(UnreachableError):
        runner.runner("a", HOME).handle(delivery, cold_start=False)
    assert runner.records[0].error == "UnreachableError: us-east-1 is unreachable"
    runner.cloud.unreachable.clear()
    assert runner.runner("a", HOME).handle(delivery, cold_start=False)["state"] == "ran"


def test_envelope_when_a_chain_is_long_then_its_hops_stay_within_the_limit(graph_of, script_of, placement_of):
    """Even a forwarded run through every node is no loop."""
    graph = graph_of({str(i): str(i + 1) for i in range(30)})
    result = LocalRunner(graph, script_of(graph).functions, placement=placement_of(graph, {"0": AWAY})).run("x")
    assert result.state == "SUCCEEDED"
    assert len(result.nodes) == 31


@pytest.mark.parametrize(("hop", "refused"), [(4, False), (5, True)])
def test_envelope_when_it_made_too_many_hops_then_it_is_refused(graph_of, script_of, settings_of, hop, refused):
    """Messages that go round are stopped: a run makes no more hops than it has nodes, and two."""
    graph = graph_of({"a": "b"})
    outbox, cloud = _outbox(graph, settings_of)
    replace(outbox, hop=hop - 1).send(graph.edges[0], "1")
    runner = LocalRunner(graph, script_of(graph).functions, cloud=cloud)
    cloud.runs.begin(outbox.run, frozenset(graph.leaves))
    if refused:
        runner.deliver_all()
        assert {type(error) for error in runner._errors["run"]} == {InvalidEnvelopeError}
    else:
        runner.deliver_all()
        assert [record.node for record in runner.records] == ["b"]


def test_envelope_when_the_function_has_no_such_node_then_it_is_refused(graph_of, script_of, settings_of):
    """A message that reached the wrong function, or an old graph's, runs nothing."""
    graph = graph_of({"a": "b"})
    outbox, cloud = _outbox(graph, settings_of)
    outbox.send(graph.edges[0], "1")
    delivery = Delivery(json.loads(cloud.bus.take()[0].text), id="m", request_id="r", from_topic=True)
    runner = LocalRunner(graph, script_of(graph).functions, cloud=cloud)
    with pytest.raises(InvalidEnvelopeError, match="has no node b"):
        runner.runner("a", HOME).handle(delivery, cold_start=False)


def test_leaf_when_the_run_began_with_another_graph_then_the_sweeper_ends_it(graph_of, settings_of):
    """Its leaves may be others: they are in its item, which a function may not read."""
    graph, other = graph_of({"a": ""}), graph_of({"a": "b"})
    outbox, cloud = _outbox(graph, settings_of)
    cloud.runs.begin(replace(outbox.run, graph=other.digest), frozenset({"a"}))
    stranger = replace(outbox, run=replace(outbox.run, graph=other.digest))

    stranger.end(("a",))
    assert cloud.runs.get("run").state is RunState.RUNNING
    Sweeper(outbox.settings, outbox.ports).sweep()
    assert cloud.runs.get("run").state is RunState.SUCCEEDED
