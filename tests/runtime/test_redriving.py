"""What the sweeper makes of an order to redrive a run."""

import json
from dataclasses import replace

import pytest
from builders import placement_of

from caribou.model.run.code import code_note
from caribou.model.run.envelope import Envelope, Pointer, Start, StoredPayload, parse_message
from caribou.model.run.item import START_NODE, FailedEvent, Parked, RunState
from caribou.model.run.order import RedriveAnswer, RedriveOrder
from caribou.runtime.placement import new_run
from caribou.runtime.redriving import LATE_S, Redriver
from caribou.runtime.sweeping import Sweeper
from caribou.runtime.testing.memory import InMemoryBus, InMemoryCloud

HOME, AWAY = "us-east-1", "us-west-2"
NOW_S = 1.7e9
RUNNING, SUCCEEDED, FAILED, EXPIRED, CANCELLED = RunState


class World:
    """A workflow whose run has begun, and failed at a node unless another state is given."""

    def __init__(self, graph, settings, at="", regions=None):
        self.graph, self.cloud = graph, InMemoryCloud(NOW_S)
        self.settings = settings
        self.run = new_run("run", NOW_S, placement_of(graph, regions or {}), settings)
        self.cloud.runs.begin(self.run, frozenset(graph.leaves))
        if at:
            self.cloud.runs.fail("run", NOW_S, at, "ValueError: so")

    def state(self, **fields):
        """Change how the run stands; or say it."""
        if fields:
            self.cloud.runs.items["run"] = replace(self.cloud.runs.items["run"], **fields)
        return self.cloud.runs.items["run"].state

    def envelope(self, node, **fields):
        """A message for a node."""
        edges = self.graph.in_edges(node)
        edge = edges[0].id if edges and not self.graph.node(node).sync else None
        needed = self.run.as_needed_by(node, self.graph)
        values = {"payload": '"x"', **fields}
        return Envelope(needed, node, edge, self.graph.inputs_digest(node), 1, NOW_S, **values)

    def park(self, node, **fields):
        """A message for a node has failed for good."""
        message = self.envelope(node, **fields)
        self.cloud.parking.park(Parked("run", node, message.attempt, message.to_text(), "ValueError: so"))

    def redrive(self, graph=None, run_id="run"):
        """What the deployed sweeper answers, perhaps of another version of the workflow."""
        settings = self.settings if graph is None else replace(self.settings, graph=graph)
        return Redriver(Sweeper(settings, self.cloud.ports(HOME))).carry_out(RedriveOrder(run_id))

    def sent(self):
        """Node and attempt of each message that was sent."""
        messages = [json.loads(message.text) for message in self.cloud.bus.take()]
        return sorted((message["node"], message["attempt"]) for message in messages)


@pytest.fixture
def world_of(graph_of, settings_of):
    """Make a world; see there."""

    def make(calls, sync="", **fields):
        graph = graph_of(calls, sync)
        return World(graph, settings_of(graph, function=""), **fields)

    return make


def test_redrive_when_messages_are_parked_then_all_are_sent_as_later_attempts_and_the_run_is_open(world_of):
    """They take over what earlier attempts claimed; the run has a new deadline."""
    world = world_of({"a": "b c"}, at="b")
    world.park("b")
    world.park("c", attempt=4)
    world.cloud.clock.advance(60)
    assert [sent.node for sent in world.redrive().sent] == ["b", "c"]
    assert (world.sent(), world.state()) == ([("b", 1), ("c", 5)], RUNNING)
    assert world.cloud.runs.items["run"].run.deadline == world.run.deadline + 60
    assert world.cloud.parking.parked("run") == ()


def test_redrive_when_what_failed_lies_in_a_queue_then_it_is_sent_at_once(world_of):
    """Nobody has to wait for the next sweep, nor for one that looks into the queues of a run that is closed."""
    world = world_of({"a": "b"}, at="b", regions={"b": AWAY})
    world.cloud.runs.close("run")
    text = world.envelope("b").to_text()
    world.cloud.failures.put(FailedEvent(AWAY, "b", text, "m-1", "ValueError", "so", "h"))
    answer = world.redrive()
    assert ([(sent.node, sent.reason) for sent in answer.sent], world.sent()) == (
        [("b", "ValueError: so")],
        [("b", 1)],
    )


def test_redrive_when_a_queue_can_not_be_asked_then_the_answer_says_so(world_of):
    """What is parked is sent; what may lie there is not known."""
    world = world_of({"a": "b"}, at="a", regions={"b": AWAY})
    world.cloud.unreachable.add(AWAY)
    world.park("a")
    answer = world.redrive()
    assert [sent.node for sent in answer.sent] == ["a"]
    assert "us-west-2 is unreachable" in answer.problems[0]


@pytest.mark.parametrize("state", [SUCCEEDED, RUNNING])
def test_redrive_when_the_run_has_not_ended_badly_then_it_is_refused(world_of, state):
    """What is still parked of a run that ended well after all is not needed."""
    world = world_of({"a": "b"})
    world.state(state=state)
    if state is SUCCEEDED:
        world.park("b")
    answer = world.redrive()
    assert (answer.refusal.what, answer.refusal.found) == ("only a run that failed or expired can go on", state)
    assert world.sent() == []


def test_redrive_when_the_run_is_not_known_then_it_is_refused(world_of):
    """Nothing is begun by an order."""
    assert world_of({"a": "b"}).redrive(run_id="nobody").refusal.what == "there is no such run"


def test_redrive_when_it_was_interrupted_then_the_same_order_goes_on(world_of):
    """The run is open again, and some of it is parked still."""
    world = world_of({"a": "b"}, at="b")
    world.park("b")
    world.cloud.runs.reopen("run", NOW_S + 9)
    assert [sent.node for sent in world.redrive().sent] == ["b"]


def test_redrive_when_all_of_an_expired_run_has_ended_since_then_it_has_succeeded(world_of):
    """What was under way at the deadline went on: there is nothing to send, and nothing missing."""
    world = world_of({"a": "b"})
    world.state(state=EXPIRED, ended=frozenset("b"))
    answer = world.redrive()
    assert (answer.has_ended, answer.sent, world.state()) == (True, (), SUCCEEDED)


def test_redrive_when_nothing_is_parked_then_nothing_is_changed(world_of):
    """Lambda may still be trying."""
    world = world_of({"a": "b"}, at="b")
    answer = world.redrive()
    assert (answer.sent, answer.refusal, answer.failure, world.state()) == ((), None, None, FAILED)


def test_redrive_when_aws_takes_no_message_then_it_says_so_and_what_is_parked_stays(world_of):
    """Nothing is lost: it can be ordered again."""
    world = world_of({"a": "b"}, at="b")
    world.park("b")
    world.cloud.unreachable.add(HOME)
    assert "us-east-1 is unreachable" in world.redrive().failure
    world.cloud.unreachable.clear()
    assert [sent.node for sent in world.redrive().sent] == ["b"]


def test_redrive_when_what_a_sync_node_needs_is_gone_then_it_is_refused_and_nothing_is_changed(world_of):
    """Its region was retired and deployed again, say: it would run on nothing, and succeed."""
    world = world_of({"a": "b c", "b": "s", "c": "s"}, sync="s", at="s")
    world.cloud.syncs.report(HOME, "run", "s", "b#0", taken=True)
    world.park("s", payload=None)
    refusal = world.redrive().refusal
    assert "gone from us-east-1" in refusal.what
    assert (refusal.found, world.sent(), world.state()) == ("1 of 2 reports", [], FAILED)


def with_calls(graph, **calls):
    """The graph, with digests of what some functions' calls say."""
    functions = (replace(f, calls=tuple(calls.get(f.name, "").split())) for f in graph.functions)
    return replace(graph, functions=tuple(functions))


@pytest.fixture
def failed_sender(world_of):
    """A run that failed at `a`, whose three calls were then x, y and z; the first gave `s` its part."""

    def make(calls="xxxxxx yyyyyy zzzzzz", made=1):
        world = world_of({"a": "s s b"}, sync="s", at="a")
        world.cloud.claims.claim(HOME, "run", "a", "me", 0, code=code_note(with_calls(world.graph, a=calls), "a"))
        for edge in world.graph.out_edges("a")[:made]:
            world.cloud.syncs.report(HOME, "run", "s", edge.id, taken=True)
        world.park("a")
        return world

    return make


def test_redrive_when_two_calls_changed_places_and_one_was_made_then_it_is_refused_and_nothing_is_changed(
    failed_sender,
):
    """The first one's part would travel twice, and the second one's never."""
    world = failed_sender()
    refusal = world.redrive(with_calls(world.graph, a="yyyyyy xxxxxx zzzzzz")).refusal
    assert "call 1 of a, to s, had been made before it failed" in refusal.what
    assert "deploy the calls as they were, or start a new run" in refusal.fix
    assert (world.sent(), world.state(), len(world.cloud.parking.parked("run"))) == ([], FAILED, 1)


@pytest.mark.parametrize(
    ("made", "calls"),
    [
        (1, "xxxxxx yyyyyy zzzzzz"),
        (1, "xxxxxx mended zzzzzz"),
        (1, "xxxxxx zzzzzz yyyyyy"),
        (0, "yyyyyy xxxxxx zzzzzz"),
        (2, "xxxxxx yyyyyy mended"),
        (1, ""),
    ],
    ids=["only its body", "one not made", "two not made", "nothing made", "the one that failed", "not known"],
)
def test_redrive_when_the_function_was_mended_and_what_was_made_stays_then_it_goes_on(failed_sender, made, calls):
    """That is what a redrive is for."""
    world = failed_sender(made=made)
    assert [sent.node for sent in world.redrive(with_calls(world.graph, a=calls)).sent] == ["a"]


def test_redrive_when_an_earlier_version_noted_nothing_of_the_code_then_it_goes_on(failed_sender):
    """What is not known is not refused."""
    world = failed_sender(calls="")
    assert world.redrive(with_calls(world.graph, a="yyyyyy xxxxxx zzzzzz")).refusal is None


def test_redrive_when_a_later_call_was_made_then_the_earlier_ones_were_too(failed_sender):
    """Its receiver may not have begun yet."""
    world = failed_sender(made=0)
    world.cloud.syncs.report(HOME, "run", "s", "a#1", taken=False)
    refusal = world.redrive(with_calls(world.graph, a="mended yyyyyy zzzzzz")).refusal
    assert "call 1 of a" in refusal.what


@pytest.mark.parametrize(("claimed", "ended"), [("b", ""), ("c", ""), ("", "c")])
def test_redrive_when_a_plain_receiver_or_one_behind_it_knows_of_a_call_then_it_was_made(world_of, claimed, ended):
    """Taken, or skipped: its own claim, or what was said of it to those behind it."""
    world = world_of({"a": "b d", "b": "c"}, at="a", regions={"b": AWAY})
    world.cloud.claims.claim(HOME, "run", "a", "me", 0, code=code_note(with_calls(world.graph, a="xxxxxx yyyyyy"), "a"))
    if claimed:
        world.cloud.claims.claim(AWAY if claimed == "b" else HOME, "run", claimed, "me", 0)
    world.state(ended=frozenset(ended))
    world.park("a")
    assert "call 1 of a, to b" in world.redrive(with_calls(world.graph, a="mended yyyyyy")).refusal.what


def test_redrive_when_the_graph_behind_the_node_is_another_then_it_is_refused(world_of, graph_of):
    """What is kept has no place in it; the run's leaves are others, say."""
    world = world_of({"a": "b", "b": "c"}, at="b")
    world.cloud.claims.claim(HOME, "run", "b", "me", 0, code=code_note(world.graph, "b"))
    world.park("b")
    refusal = world.redrive(graph_of({"a": "b", "b": "d"})).refusal
    assert "the graph at b and behind it is not the one that the run began with" in refusal.what
    assert refusal.found.startswith("another graph under the same version, 0.0.1")
    raised = replace(graph_of({"a": "b", "b": "d"}), version="0.0.2")
    assert world.redrive(raised).refusal.found == "version 0.0.2, and the run's is 0.0.1"
    assert world.redrive(graph_of({"a": "d"})).refusal.what == refusal.what
    assert (world.sent(), world.state()) == ([], FAILED)


def test_redrive_when_the_graph_changed_elsewhere_then_it_goes_on(world_of, graph_of):
    """An unrelated change refuses nothing."""
    world = world_of({"a": "b x", "b": "c"}, at="b")
    world.cloud.claims.claim(HOME, "run", "b", "me", 0, code=code_note(world.graph, "b"))
    world.park("b")
    assert [sent.node for sent in world.redrive(graph_of({"a": "b y", "b": "c"})).sent] == ["b"]


@pytest.mark.parametrize(("graph", "is_refused"), [({"a": "b c", "b": "d"}, False), ({"a": "b d"}, True)])
def test_redrive_when_the_entry_never_ran_then_only_the_leaves_must_be_the_run_s(world_of, graph_of, graph, is_refused):
    """A module that could not be imported: nothing has run, so nothing is kept but what the run waits for."""
    world = world_of({"a": "c d"}, at="a")
    world.cloud.parking.park(Parked("run", START_NODE, 0, Start("run", "1").to_text(), "ImportError"))
    assert (world.redrive(graph_of(graph)).refusal is not None) == is_refused


CALLS = {"a": "b c", "b": "s", "c": "s", "s": "d e"}


@pytest.fixture
def expired(world_of):
    """A run that expired with nothing parked: AWS has lost an event. `claimed` nodes had begun."""

    def make(claimed="", calls=CALLS, reported="", payload=None, regions=None, **fields):
        world = world_of(calls, sync="s", regions=regions or {})
        del world.cloud.runs.items["run"]
        world.cloud.runs.begin(world.run, frozenset(world.graph.leaves), payload=payload)
        for node in claimed.split():
            world.cloud.claims.claim((regions or {}).get(node, HOME), "run", node, "me", 2)
        for edge in reported.split():
            world.cloud.syncs.report((regions or {}).get("s", HOME), "run", "s", edge, taken=True)
        world.state(state=EXPIRED, ended_at=NOW_S, **fields)
        return world

    return make


def test_redrive_when_a_sync_node_was_fired_in_vain_then_it_is_sent_again_out_of_its_table(expired):
    """All its edges have reported, and nobody behind it has heard of it: its message is lost."""
    world = expired("a b c", reported="b#0 c#0", regions={"s": AWAY})
    answer = world.redrive()
    assert [(sent.node, sent.reason) for sent in answer.sent] == [("s", "its message was lost")]
    (message,) = world.cloud.bus.take()
    envelope = parse_message(json.loads(message.text))
    assert (message.region, envelope.node, envelope.attempt, envelope.edge) == (AWAY, "s", 1, None)
    assert envelope.inputs == world.graph.inputs_digest("s")
    assert world.state() is RUNNING


def test_redrive_when_a_sync_node_was_lost_between_two_tries_then_its_next_attempt_takes_it_over(expired):
    """Its claim says which attempt was the last."""
    world = expired("a b c s d", reported="b#0 c#0", ended=frozenset("d"))
    assert [sent.node for sent in world.redrive().sent] == ["s"]
    assert world.sent() == [("s", 3)]


def test_redrive_when_what_was_lost_can_not_be_sent_then_the_run_stays_as_it_is(expired):
    """The same order finds again what is missing."""
    world = expired("a b c", reported="b#0 c#0")
    bus = world.cloud.bus
    world.cloud.bus = InMemoryBus({HOME})
    assert "us-east-1 is unreachable" in world.redrive().failure
    assert world.state() is EXPIRED
    world.cloud.bus = bus
    assert [sent.node for sent in world.redrive().sent] == ["s"]


@pytest.mark.parametrize(
    "stored", [StoredPayload('{"x":1}'), StoredPayload(pointer=Pointer(HOME, "bucket", "run/start", "0" * 64, 9))]
)
def test_redrive_when_the_entry_was_lost_and_the_input_is_kept_then_it_begins_again(expired, stored):
    """A small one is in the run's item, a large one in its bucket."""
    world = expired("a", payload=stored, regions={"a": AWAY})
    assert [sent.node for sent in world.redrive().sent] == ["a"]
    (message,) = world.cloud.bus.take()
    envelope = parse_message(json.loads(message.text))
    assert (message.region, envelope.attempt, envelope.stored) == (AWAY, 3, stored)


@pytest.mark.parametrize(
    ("claimed", "payload", "lost"),
    [("a", None, "a"), ("", StoredPayload("x" * 2000), "a"), ("a b c", StoredPayload("1"), "b and c")],
    ids=["no input kept", "a large input", "what a plain node was sent"],
)
def test_redrive_when_what_a_node_was_to_work_on_is_nowhere_then_it_is_refused(expired, claimed, payload, lost):
    """It would wait until its next deadline for nobody."""
    world = expired(claimed, payload=payload)
    refusal = world.redrive().refusal
    assert refusal.what == f"nothing of it is parked, and what {lost} was to work on is kept nowhere"
    assert "start a new run" in refusal.fix
    assert (world.sent(), world.state()) == ([], EXPIRED)


def test_redrive_when_it_failed_a_moment_ago_then_its_message_is_waited_for_and_later_it_is_lost(expired):
    """Lambda is putting it into the failure queue; or it was lost on the way there."""
    world = expired("a b c s", reported="b#0 c#0")
    world.state(state=FAILED)
    assert world.redrive() == RedriveAnswer()
    world.cloud.clock.advance(LATE_S)
    assert [sent.node for sent in world.redrive().sent] == ["s"]


def test_redrive_when_a_queue_can_not_be_asked_then_nothing_counts_as_lost(expired):
    """It may lie there."""
    world = expired("a b c", reported="b#0 c#0", regions={"b": AWAY})
    world.cloud.unreachable.add(AWAY)
    answer = world.redrive()
    assert (answer.sent, answer.refusal, len(answer.problems)) == ((), None, 1)
    assert world.state() is EXPIRED


def test_redrive_when_nothing_is_parked_and_the_graph_is_another_then_it_is_refused(expired, graph_of):
    """What is missing can't be known."""
    world = expired("a b c", reported="b#0 c#0")
    refusal = world.redrive(graph_of({**CALLS, "d": "f"}, "s")).refusal
    assert "the graph is not the one that it began with" in refusal.what


def test_redrive_when_all_edges_into_a_sync_node_were_skipped_then_whoever_did_not_say_so_is_found(expired):
    """The last reporter died before those behind the sync node had heard; its own message is what is lost."""
    world = expired("a b c", payload=StoredPayload("1"))
    for edge in ("b#0", "c#0"):
        world.cloud.syncs.report(HOME, "run", "s", edge, taken=False)
    assert "what b and c was to work on" in world.redrive().refusal.what
    world.state(ended=frozenset("d"))
    assert "what b and c was to work on" in world.redrive().refusal.what
