"""What the sweeper makes of failed events, whatever lies in the queues."""

import json
from dataclasses import replace

import pytest

from caribou.model.run.envelope import Envelope, Run, Start, parse_message
from caribou.model.run.item import START_NODE, FailedEvent, RunItem, RunState
from caribou.model.run.payload import encode
from caribou.runtime.failed_events import Action, decide
from caribou.runtime.sweeping import ENDS_A_SWEEP, Sweeper, Swept
from caribou.runtime.testing.memory import InMemoryCloud, InMemoryRunStore

HOME, AWAY = "us-east-1", "us-west-2"
NOW_S, DEADLINE_S = 1.7e9, 1.7e9 + 3600
RUN = Run("run", "0.0.1", "g", "p", {"b": AWAY}, NOW_S, DEADLINE_S)
ENVELOPE = Envelope(RUN, "b", "a#0", "i", 1, NOW_S, "1")
RUNNING, SUCCEEDED, FAILED, EXPIRED, CANCELLED = RunState


def _event(error_type, message=ENVELOPE, region=None, function=None, handle="h"):
    """A failed event, in the queue of the message's node, or of home's entry."""
    text = message if isinstance(message, str) else message.to_text()
    usual = (AWAY, message.node) if isinstance(message, Envelope) else (HOME, "a")
    region, function = region or usual[0], function or usual[1]
    return FailedEvent(region, function, text, "m-1", error_type, "so", handle)


DECISIONS = [
    (None, RUNNING, NOW_S, Action.RESEND),
    ("UnreachableError", RUNNING, NOW_S, Action.RESEND),
    ("ValueError", RUNNING, NOW_S, Action.PARK),
    ("InvalidEnvelopeError", RUNNING, NOW_S, Action.PARK),
    ("Runtime.ExitError", RUNNING, NOW_S, Action.PARK),
    (None, RUNNING, DEADLINE_S, Action.PARK),
    ("ValueError", RUNNING, DEADLINE_S, Action.PARK),
    (None, FAILED, NOW_S, Action.PARK),
    ("ValueError", FAILED, NOW_S, Action.PARK),
    ("UnreachableError", EXPIRED, NOW_S, Action.PARK),
    (None, SUCCEEDED, NOW_S, Action.DROP),
    ("ValueError", SUCCEEDED, DEADLINE_S, Action.DROP),
]


@pytest.mark.parametrize(("error_type", "state", "now_s", "action"), DECISIONS)
@pytest.mark.parametrize("message", [ENVELOPE, Start("run", "1")], ids=["envelope", "start"])
def test_event_when_its_run_is_known_then_its_state_and_the_error_decide(message, error_type, state, now_s, action):
    """An open run goes on where AWS failed, and fails where user code did; of an ended one nothing gets lost."""
    item = RunItem(RUN, frozenset("b"), state=state)
    assert decide(_event(error_type, message), message, item, now_s) is action


@pytest.mark.parametrize(
    ("message", "error_type", "action"),
    [
        (ENVELOPE, None, Action.LEAVE),
        (ENVELOPE, "ValueError", Action.LEAVE),
        (Start("run", "1"), "UnreachableError", Action.RESEND),
        (Start("run", "1"), "ImportError", Action.PARK),
        (None, None, Action.LEAVE),
    ],
)
def test_event_when_its_run_is_unknown_then_only_a_start_can_go_on(message, error_type, action):
    """A start may fail before its run begins; any other message of an unknown run is left for a person."""
    assert decide(_event(error_type, message or "?"), message, None, NOW_S) is action


@pytest.fixture
def swept(graph_of, settings_of):
    """Put events into the queues, sweep; the cloud and what the sweep did. The run has begun, or not `begun`."""

    def sweep(*events, state=RUNNING, begun=True, calls=None):
        graph, cloud = graph_of(calls or {"a": "b"}), InMemoryCloud(NOW_S)
        if begun:
            cloud.runs.items["run"] = RunItem(RUN, frozenset(graph.leaves), state=state)
            cloud.runs._listed.add("run")
        for i, event in enumerate(events):
            cloud.failures.put(replace(event, handle=f"h-{i}"))
        return cloud, Sweeper(settings_of(graph, function=""), cloud.ports(HOME)).sweep()

    return sweep


def test_sweep_when_a_region_failed_then_the_message_is_sent_there_again_as_the_next_attempt(swept):
    """The envelope says which attempt it is, so that it takes the node over."""
    cloud, did = swept(_event(None, replace(ENVELOPE, attempt=4), AWAY, "b"))
    (message,) = cloud.bus.take()
    assert (message.region, message.function) == (AWAY, "b")
    assert message.text == replace(ENVELOPE, attempt=5).to_text()
    assert (did, cloud.failures.events) == (Swept(resent=1), ())


def test_sweep_when_user_code_failed_then_the_run_fails_and_the_message_is_parked(swept):
    """Run and node say what was raised."""
    cloud, did = swept(_event("ValueError", ENVELOPE, AWAY, "b"))
    item, (parked,) = cloud.runs.items["run"], cloud.parking.parked("run")
    assert (item.state, item.failed_node, item.error) == (FAILED, "b", "ValueError: so")
    assert (parked.node, parked.attempt, parked.message) == ("b", 0, ENVELOPE.to_text())
    assert (did, cloud.failures.events, cloud.runs.listed().items) == (Swept(parked=1), (), (item,))


def test_sweep_when_a_start_fails_before_its_run_begins_then_the_run_is_there_and_has_failed(swept):
    """A module that can't be imported fails before any of our code: the run must not vanish with it."""
    cloud, _ = swept(_event("Runtime.ImportModuleError", Start("mine", "1")), begun=False)
    item = cloud.runs.items["mine"]
    assert (item.state, item.failed_node, item.leaves, item.run.regions) == (FAILED, "a", {"b"}, {})
    assert [parked.node for parked in cloud.parking.parked("mine")] == [START_NODE]


@pytest.mark.parametrize("error_type", [None, "ImportError"], ids=["sent again", "parked"])
def test_sweep_when_a_client_s_text_outgrows_a_message_then_its_payload_rests_in_the_store(swept, error_type):
    """Quotation marks count twice in a message of ours: what a topic took once, it might not take again."""
    text = json.dumps('"' * 100_000)
    cloud, did = swept(_event(error_type, text), begun=False)
    sent = [message.text for message in cloud.bus.take()] + [p.message for p in cloud.parking.parked("m-1")]
    (start,) = (parse_message(json.loads(message)) for message in sent)
    assert (start.run_id, start.payload, did.failed) == ("m-1", None, 0)
    assert cloud.payloads.get(start.pointer) == encode(json.loads(text))


@pytest.mark.parametrize("error_type", [None, "UnreachableError", "Runtime.ImportModuleError"])
@pytest.mark.parametrize("state", [RUNNING, FAILED, EXPIRED, SUCCEEDED])
def test_sweep_when_a_failed_start_has_the_name_of_another_s_run_then_that_run_is_not_touched(swept, error_type, state):
    """A publisher who names a run that is there must not take it over by an attempt, nor fail it."""
    start = Start("run", '"another\'s"', message_id="m-2")
    cloud, did = swept(_event(error_type, start), state=state)
    assert cloud.runs.items["run"] == RunItem(RUN, frozenset("b"), state=state)
    assert (cloud.bus.take(), cloud.parking.parked("run"), cloud.failures.events) == ((), (), ())
    assert did.dropped == 1


def test_sweep_when_an_earlier_version_began_the_run_of_a_client_s_content_then_it_is_sent_again(swept):
    """It noted no message that began the run, whose name is the message's own."""
    event = replace(_event("UnreachableError", '"hello"'), message_id="run")
    cloud, did = swept(event)
    (message,) = cloud.bus.take()
    assert message.text == Start("run", '"hello"', attempt=1, message_id="run").to_text()
    assert (did.resent, did.dropped) == (1, 0)


def test_sweep_when_another_start_begins_the_run_meanwhile_then_the_failed_one_is_dropped(swept, monkeypatch):
    """Between reading the item and beginning one there is time for somebody else's."""
    start, taken = Start("run", "1", message_id="m-2"), RunItem(RUN, frozenset("b"), begun_by="m-1")
    monkeypatch.setattr(InMemoryRunStore, "begin", lambda *_: taken)
    cloud, did = swept(_event("ImportError", start), begun=False)
    assert (did.dropped, did.parked, cloud.parking.parked("run")) == (1, 0, ())


@pytest.mark.parametrize(("text", "payload"), [('{"x": 1}', '{"x":1}'), ("hello", '"hello"')])
def test_sweep_when_an_event_that_is_no_message_of_ours_failed_then_it_starts_its_run_again(swept, text, payload):
    """Whatever a client published is a start, named by its message, as it is to the function."""
    cloud, _ = swept(_event("UnreachableError", text), begun=False)
    (message,) = cloud.bus.take()
    assert message.text == Start("m-1", payload, attempt=1, message_id="m-1").to_text()


@pytest.mark.parametrize(
    "event",
    [
        _event(None, '{"schema": "caribou.envelope/9"}'),
        _event(None, Start("mine", "1"), AWAY, "a"),
        _event(None, "hello", HOME, "b"),
        replace(_event(None, "not readable"), message_id=""),
        _event(None, replace(ENVELOPE, run=replace(RUN, run_id="forgotten"))),
        _event("ValueError", '"\\ud800"'),
    ],
    ids=["schema", "start elsewhere", "text elsewhere", "unreadable", "forgotten run", "no Unicode"],
)
def test_sweep_when_nobody_can_read_an_event_then_it_stays_and_the_others_are_handled(swept, event):
    """One event that is left stops no other, and is there for a person."""
    cloud, did = swept(event, _event(None))
    assert (did.left, did.resent, len(cloud.failures.events)) == (1, 1, 1)


def test_sweep_when_the_node_is_gone_in_this_version_then_the_run_fails_and_the_others_go_on(swept):
    """A message of an older version whose node is no more is parked as such; it doesn't stop the sweep."""
    gone = _event(None, region=HOME, function="a")
    cloud, did = swept(gone, _event(None, replace(ENVELOPE, node="c")), calls={"a": "c"})
    assert cloud.runs.items["run"].error == "b is in this version no more"
    assert [parked.node for parked in cloud.parking.parked("run")] == ["b", "c"]
    assert (did.parked, did.resent) == (2, 0)


@pytest.mark.parametrize("state", [FAILED, EXPIRED])
def test_sweep_when_the_run_has_ended_badly_then_what_aws_failed_to_take_is_parked(swept, state):
    """Its other branches can be redriven too, and the failure that was first stands."""
    cloud, _ = swept(_event(None), state=state)
    assert cloud.runs.items["run"].state is state
    assert [parked.node for parked in cloud.parking.parked("run")] == ["b"]


def test_sweep_when_a_message_has_other_predecessors_than_its_graph_then_its_run_does_not_fail(graph_of, settings_of):
    """Nobody of ours sends it, since the run began with this very graph; of a run of another version it is a change."""
    graph = graph_of({"a": "b"})
    for digest, state, left in ((graph.digest, RUNNING, 1), ("another", FAILED, 0)):
        cloud, run = InMemoryCloud(NOW_S), replace(RUN, graph=digest)
        cloud.runs.items["run"] = RunItem(run, frozenset(graph.leaves))
        cloud.runs._listed.add("run")
        cloud.failures.put(_event("InvalidEnvelopeError", replace(ENVELOPE, run=run, inputs="forged")))
        assert Sweeper(settings_of(graph, function=""), cloud.ports(HOME)).sweep().left == left
        assert cloud.runs.items["run"].state is state


def test_sweep_when_the_deadline_has_passed_then_the_run_expires_and_leaves_the_list(swept, graph_of, settings_of):
    """What is in the queues by then is parked; a run that failed is no more looked for."""
    cloud, did = swept()
    assert did == Swept()
    cloud.clock.advance(3600)
    sweeper = Sweeper(settings_of(graph_of({"a": "b"}), function=""), cloud.ports(HOME))
    assert sweeper.sweep() == Swept(expired=1)
    assert sweeper.sweep() == Swept(notified=1)
    assert (cloud.runs.items["run"].state, cloud.runs.listed().items) == (EXPIRED, ())
    cloud.runs.items["run"] = replace(cloud.runs.items["run"], state=FAILED)
    cloud.runs._listed.add("run")
    assert sweeper.sweep() == Swept()
    assert (cloud.runs.items["run"].state, cloud.runs.listed().items) == (FAILED, ())


def test_sweep_when_more_runs_are_due_than_one_sweep_ends_then_those_longest_overdue_come_first(graph_of, settings_of):
    """The list is in no order: whoever comes last in it would never have a turn."""
    cloud = InMemoryCloud()
    for number in range(ENDS_A_SWEEP + 1):
        cloud.runs.begin(replace(RUN, run_id=f"run{number}", deadline=DEADLINE_S - number), frozenset("b"))
    cloud.clock.advance(DEADLINE_S - cloud.clock.now())
    sweeper = Sweeper(settings_of(graph_of({"a": "b"}), function=""), cloud.ports(HOME))
    assert sweeper.sweep().expired == ENDS_A_SWEEP
    assert [item.run.run_id for item in cloud.runs.listed().items if item.state is RUNNING] == ["run0"]


def test_sweep_when_all_leaves_have_ended_and_nobody_said_so_then_the_run_has_succeeded(swept, graph_of, settings_of):
    """Whoever ended the last leaf died before it could end the run."""
    cloud, _ = swept()
    cloud.runs.end_leaves("run", ("b",))
    Sweeper(settings_of(graph_of({"a": "b"}), function=""), cloud.ports(HOME)).sweep()
    assert cloud.runs.items["run"].state is SUCCEEDED


def test_sweep_when_a_region_can_not_be_reached_then_the_others_are_swept(swept, graph_of, settings_of):
    """Its events wait there."""
    cloud, _ = swept()
    cloud.unreachable.add(AWAY)
    cloud.failures.put(_event(None, ENVELOPE, AWAY, "b", handle="h-1"))
    cloud.failures.put(_event("ValueError", Start("mine", "1"), HOME, "a", handle="h-2"))
    did = Sweeper(settings_of(graph_of({"a": "b"}), function=""), cloud.ports(HOME)).sweep()
    assert (replace(did, problems=()), len(cloud.failures.events)) == (Swept(parked=1, failed=1), 1)
    assert "us-west-2 is unreachable" in did.problems[0]


def test_redrive_when_it_was_interrupted_then_the_sweeper_ends_it(swept, graph_of, settings_of):
    """A run that was opened again has nothing parked for long."""
    cloud, _ = swept(_event("ValueError", ENVELOPE, AWAY, "b"))
    cloud.runs.reopen("run", DEADLINE_S)
    did = Sweeper(settings_of(graph_of({"a": "b"}), function=""), cloud.ports(HOME)).sweep()
    assert (did, cloud.parking.parked("run")) == (Swept(resent=1), ())
    assert [message.region for message in cloud.bus.take()] == [AWAY]


DEEP = "[" * 100_000
DAMAGED = [
    DEEP,
    ENVELOPE.to_text().replace('"attempt":0', '"attempt":1e400'),
    ENVELOPE.to_text().replace('"run"', '["run"]'),
    ENVELOPE.to_text().replace('"run"', "5"),
    ENVELOPE.to_text().replace('"run"', '""'),
    ENVELOPE.to_text().replace('"run"', f'"{"x" * 2049}"'),
    ENVELOPE.to_text().replace('"run"', '"\\ud800"'),
    ENVELOPE.to_text().replace('"b"', DEEP, 1),
]


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_sweep_when_a_message_is_damaged_then_it_is_left_and_the_others_are_handled(swept, text):
    """One message must not stop the sweeper, minute after minute, for as long as its queue keeps it."""
    cloud, did = swept(_event("ValueError", text), _event(None, text, AWAY, "b"), _event(None))
    assert (did.left, did.resent, did.failed, len(cloud.failures.events)) == (2, 1, 0, 2)


class _Broken:
    """A port of which some calls raise: by method, the first argument for which they do."""

    def __init__(self, port, **raising):
        self._port, self._raising = port, raising

    def __getattr__(self, name):
        call = getattr(self._port, name)

        def called(*args, **kwargs):
            if name in self._raising and self._raising[name](*args):
                raise RuntimeError(f"{name} is broken")
            return call(*args, **kwargs)

        return called


@pytest.fixture
def sweeper(graph_of, settings_of):
    """A sweeper of a cloud in which two runs are open, with some of its ports broken."""

    def make(cloud, calls=None, has_time=lambda: True, **ports):
        graph = graph_of(calls or {"a": "b"})
        for run_id in ("one", "two"):
            run = replace(RUN, run_id=run_id)
            cloud.runs.items[run_id] = RunItem(run, frozenset(graph.leaves))
            cloud.runs._listed.add(run_id)
        return Sweeper(settings_of(graph, function=""), replace(cloud.ports(HOME), **ports), has_time)

    return make


def _of(run_id, error_type="ValueError", **where):
    return _event(error_type, replace(ENVELOPE, run=replace(RUN, run_id=run_id)), handle=run_id, **where)


def test_sweep_when_one_event_raises_then_the_others_are_handled_and_the_error_is_said(sweeper):
    """Whatever it is: an item that is too large, a run item that can't be read."""
    cloud = InMemoryCloud(NOW_S)
    cloud.failures.put(_of("one"))
    cloud.failures.put(_of("two"))
    did = sweeper(cloud, runs=_Broken(cloud.runs, get=lambda run_id: run_id == "one")).sweep()
    assert (did.parked, did.failed, did.problems) == (
        1,
        1,
        ("an event of b in us-west-2: RuntimeError: get is broken",),
    )
    assert [event.handle for event in cloud.failures.events] == ["one"]


def test_sweep_when_one_queue_raises_then_the_others_are_swept(sweeper):
    """A policy that denies one queue, say."""
    cloud = InMemoryCloud(NOW_S)
    cloud.failures.put(_of("one"))
    did = sweeper(cloud, failures=_Broken(cloud.failures, receive=lambda region, _: region == HOME)).sweep()
    assert (did.parked, did.failed) == (1, 2)


def test_sweep_when_a_region_is_silent_then_it_is_asked_once(sweeper):
    """Each question costs the time limit of a call."""
    cloud, asked = InMemoryCloud(NOW_S), []
    cloud.unreachable.add(AWAY)
    noting = _Broken(cloud.failures, receive=lambda region, _: asked.append(region))
    sweeper(cloud, {"a": "b c d e"}, failures=noting).sweep()
    assert asked.count(AWAY) == 1


def test_sweep_when_queues_and_another_run_are_broken_then_overdue_runs_expire(sweeper):
    """Runs come first, each for itself: they need no queue to end."""
    cloud = InMemoryCloud(DEADLINE_S)
    broken = _Broken(cloud.failures, receive=lambda *_: True)
    runs = _Broken(cloud.runs, expire=lambda run_id, _: run_id == "one")
    did = sweeper(cloud, failures=broken, runs=runs).sweep()
    assert (did.expired, cloud.runs.items["two"].state) == (1, EXPIRED)


def test_sweep_when_its_time_is_up_then_it_stops_and_the_next_one_goes_on(sweeper):
    """Lambda would end it in the middle of a step."""
    cloud, ticks = InMemoryCloud(NOW_S), iter(range(100))
    for i in range(20):
        cloud.failures.put(replace(_of("one", None), handle=str(i)))
    did = sweeper(cloud, has_time=lambda: next(ticks) < 10).sweep()
    assert 0 < did.resent < 10
    cloud.failures.show()
    assert sweeper(cloud).sweep().resent == 20 - did.resent


def test_sweep_when_one_queue_is_full_of_what_is_left_then_other_queues_have_their_turn(sweeper, monkeypatch):
    """However many there are, a sweep does so many of them, a few from each queue in turn."""
    monkeypatch.setattr("caribou.runtime.sweeping.EVENTS_A_REGION", 30)
    cloud = InMemoryCloud(NOW_S)
    for i in range(100):
        cloud.failures.put(replace(_of("unknown", function="a", region=HOME), handle=str(i)))
    cloud.failures.put(_of("one", region=HOME))
    did = sweeper(cloud).sweep()
    assert (did.left, did.parked) == (30, 1)


def test_sweep_when_an_error_is_long_or_no_unicode_then_its_run_fails_all_the_same(swept):
    """Cut, and made storable."""
    event = replace(_event("ValueError"), error="caf\udce9" + "x" * 450_000)
    cloud, did = swept(event)
    (parked,) = cloud.parking.parked("run")
    assert (did.parked, cloud.runs.items["run"].error) == (1, parked.reason)
    assert parked.reason.startswith("ValueError: caf\\udce9xxx")
    assert len(parked.reason) == 2000


FORGED = [
    _event(None, replace(ENVELOPE, node="a", edge=None), AWAY, "b"),
    _event(None, replace(ENVELOPE, node="a", edge=None), HOME, "b"),
    _event("ValueError", ENVELOPE, HOME, "a"),
]


@pytest.mark.parametrize("event", FORGED)
def test_sweep_when_a_message_is_of_another_function_than_its_queue_then_it_is_left(swept, event):
    """A function may write its own queue, and must not have another one run by it."""
    cloud, did = swept(event)
    assert (did.left, did.resent, did.parked, cloud.bus.take()) == (1, 0, 0, ())


def test_sweep_when_a_message_says_other_of_its_run_than_the_item_then_the_item_counts(swept):
    """A map, a deadline, a version that somebody made up go no further."""
    made_up = replace(RUN, regions={"b": "ca-central-1"}, deadline=RUN.deadline + 9, workflow_version="9")
    cloud, _ = swept(_event(None, replace(ENVELOPE, run=made_up)))
    (message,) = cloud.bus.take()
    assert message.text == replace(ENVELOPE, attempt=1).to_text()
    assert message.region == AWAY


@pytest.mark.parametrize("changes", [{"edge": "x#7"}, {"edge": None}, {"node": "nobody"}])
def test_sweep_when_a_message_fits_not_into_its_run_s_graph_then_it_is_left(graph_of, settings_of, changes):
    """The run began with this graph, which has no such node or edge: nobody of ours has sent it."""
    graph, cloud = graph_of({"a": "b"}), InMemoryCloud(NOW_S)
    run = replace(RUN, graph=graph.digest)
    cloud.runs.begin(run, frozenset("b"))
    cloud.failures.put(_event("ValueError", replace(ENVELOPE, run=run, **changes), AWAY, "b"))
    did = Sweeper(settings_of(graph, function=""), cloud.ports(HOME)).sweep()
    assert (did.left, cloud.runs.items["run"].state) == (1, RUNNING)
