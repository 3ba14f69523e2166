"""The failure modes that must be survived, by the numbers of `docs/failures.md`, which says where each is shown.

Those of the real world (7 over a wire, 10's retirement, 13's sizes, 15's throttles, 19, 20's clock) are shown on the
local cloud by the chaos suite too.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from refusals import Refusal, is_users
from simulated import (
    AWAY,
    FAR,
    HOME,
    NOW_S,
    SKEW_S,
    Fault,
    Plan_,
    World,
    graph_of,
    placement_of,
)

from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.run.envelope import Start, parse_message
from caribou.model.run.item import RunState

DIAMOND = graph_of({"a": "b c", "b": "s", "c": "s", "s": "d"}, "s")
SUCCEEDED, FAILED, EXPIRED = RunState.SUCCEEDED, RunState.FAILED, RunState.EXPIRED


def _world(graph=DIAMOND, regions=None, skip=(), bad=(), **fields):
    plan = Plan_(skip=frozenset(skip), bad=frozenset(bad), payload=fields.pop("payload", None))
    return World(graph, plan, placement_of(graph, regions), **fields)


def _ends(world, state=SUCCEEDED):
    """Settle, check every invariant, and say how the run ended."""
    world.settle()
    world.invariants.at_the_end()
    assert world.state() is state
    return world


def _sync_payloads(world, node="s", region=HOME):
    inputs = world.cloud.syncs._inputs[region, "run", node]
    return {edge: payload.text for edge, payload in inputs.payloads.items() if edge in inputs.state.taken}


@pytest.mark.parametrize("same_request", [False, True])
def test_01_any_message_when_delivered_again_before_during_and_after_then_nothing_counts_twice(same_request):
    """Every message of a run comes three more times: while it waits, in the middle of its process, and at the end."""
    world = _world()
    world.start()
    copied = set()
    while world.pending:
        event = world.pending[0]
        is_first = event.message_id not in copied
        copied.add(event.message_id)
        if is_first:
            world.duplicate(event, same_request=same_request)
        process = world.invoke(event)
        world.advance(process, 2)
        if is_first:
            world.advance(world.invoke(world.duplicate(event, same_request=same_request)))
        if process in world.processes:
            world.advance(process)
    for event in list(world.seen):
        world.duplicate(event, same_request=same_request)
    _ends(world)
    assert _sync_payloads(world) == {"b#0": '"by b#0"', "c#0": '"by c#0"'}


@pytest.mark.parametrize("sent", range(5))
def test_02_sender_when_it_crashes_after_its_kth_send_then_the_retry_sends_the_rest(sent):
    """After the last one too, before Lambda hears of it. Receivers drop what they have: their user code runs once."""
    world = _world(graph_of({"a": "b c d e"}))
    world.start()
    process = world.invoke(world.pending[0])
    while len(world.seen) < 1 + sent:
        world.advance(process, 1)
    world.kill(process)
    _ends(world)
    assert world.counts["started"] == (2 if process.log[2:] else 1) + 4


@pytest.mark.parametrize("payload", ["same", "", None])
def test_03_sync_node_when_its_edges_report_then_it_has_one_tagged_payload_an_edge(payload):
    """Equal and empty ones are kept, two calls of one function are two edges; all orders: test_exhaustive.py."""
    world = _world(graph_of({"a": "s b s", "b": "s"}, "s"), payload=payload)
    world.start()
    _ends(world)
    assert set(_sync_payloads(world)) == {"a#0", "a#2", "b#0"}


@pytest.mark.parametrize("operation", ["syncs.report", "bus.publish"])
@pytest.mark.parametrize("fault", [Fault.KILLED, Fault.KILLED_AFTER, Fault.IN_DOUBT])
def test_04_winner_when_it_dies_between_deciding_and_sending_then_the_sync_node_still_fires(operation, fault):
    """Its message is still Lambda's: the retry finds the state complete, and fires."""
    world = _world()
    faults = []

    def dies(process, done):
        if process.label.startswith("c@") and done.name == operation and not faults:
            faults.append(done)
            return fault
        return Fault.NONE

    world.fault = dies
    world.start()
    world.drain()
    assert len(faults) == 1
    _ends(world)


def test_04_winner_when_it_dies_three_times_then_the_run_fails_and_a_redrive_fires_the_sync_node():
    """What keeps dying is given up, is reported, and is not lost."""
    world = _world()
    world.fault = lambda process, operation: (
        Fault.KILLED if (process.label, operation.name) == (f"c@{HOME}", "bus.publish") else Fault.NONE
    )
    world.start()
    world.drain()
    assert _ends(world, FAILED).item().failed_node == "c"
    world.advance(world.redrive())
    _ends(world)


@pytest.mark.parametrize(
    ("skip", "ran"),
    [
        ({"a#0"}, "a c s t d"),
        ({"a#0", "c#0"}, "a c t d"),
        ({"a#0", "a#1"}, "a"),
        ({"b#0", "c#0"}, "a b c t d"),
        ({"b#0", "c#0", "c#1"}, "a b c"),
        ({"s#0", "c#1"}, "a b c s"),
    ],
)
def test_05_branches_when_skipped_then_every_sync_node_hears_of_it(skip, ran):
    """Some skipped: it runs, and one behind it waits; all skipped: it is skipped, and says so further on."""
    world = _world(graph_of({"a": "b c", "b": "s", "c": "s t", "s": "t", "t": "d"}, "s t"), skip=skip)
    world.start()
    _ends(world)
    assert world.started == set(ran.split())


def test_06_predecessor_when_it_fails_for_good_then_siblings_are_kept_and_a_redrive_continues():
    """The run is FAILED with the node; what the sibling sent is not sent again."""
    world = _world(bad={"b"})
    world.start()
    item = _ends(world, FAILED).item()
    assert (item.failed_node, item.error) == ("b", "UserError: b")
    assert [parked.node for parked in world.parked()] == ["b"]
    assert set(_sync_payloads(world)) == {"c#0"}
    world.plan.bad = frozenset()
    before = world.counts["started"]
    world.advance(world.redrive())
    _ends(world)
    assert world.counts["started"] - before == 3  # b, s, d
    assert world.parked() == ()


@pytest.mark.parametrize("refusal", Refusal)
def test_06_predecessor_when_it_fails_and_the_run_item_can_not_be_written_then_its_own_error_is_the_one_to_see(refusal):
    """The sweeper fails the run, by what user code raised and not by what came after it."""
    world = _world(bad={"b"})
    world.fault = lambda process, operation: (
        refusal if process.label != "sweep" and operation.name == "runs.fail" else Fault.NONE
    )
    world.start()
    world.drain()
    assert _ends(world, FAILED).item().error == "UserError: b"


def test_06_predecessor_when_it_fails_after_its_last_call_then_the_run_does_not_succeed():
    """The last edge is sent only once user code has returned."""
    world = _world(graph_of({"a": "b"}), bad={"a"})
    world.start()
    _ends(world, FAILED)
    assert world.started == {"a"}


@pytest.mark.parametrize("refusal", Refusal)
@pytest.mark.parametrize("node", ["a", "b", "d"])
def test_07_region_when_it_does_not_take_a_call_then_its_plain_nodes_run_at_home(node, refusal):
    """However it fails; the run item's map stays, the message says where it went."""
    world = _world(regions={node: AWAY})
    world.down = {AWAY: refusal}
    world.start()
    world.drain()
    assert world.state() is SUCCEEDED
    assert {event.region for event in world.seen if event.function == node} == {HOME}


@pytest.mark.parametrize("region", [AWAY, HOME])
@pytest.mark.parametrize("refusal", Refusal)
def test_07_region_when_it_goes_at_any_step_and_comes_back_then_the_run_ends_as_its_answers_mean(refusal, region):
    """Away, home takes it or it waits; at home, what no later try would mend has failed the run, and is redriven."""
    ends, step = set(), 0
    while True:
        world = _world(regions={"b": AWAY, "s": AWAY}, payload="x" * 900, message_limit_bytes=1000)
        world.start()
        calls = _goes(world, region, refusal, step)
        for _ in range(2):
            world.drain()
            world.cloud.failures.show()
            world.advance(world.sweep())
            world.now_s += 60
        ended = world.settle().state()
        ends.add(ended)
        world.invariants.at_the_end()
        if ended is FAILED:
            world.advance(world.redrive())
            _ends(world)
        if step >= len(calls):
            break
        step += 1
    assert step > 10
    assert ends == ({SUCCEEDED, FAILED} if is_users(refusal, region, HOME) else {SUCCEEDED})


def _goes(world, region, refusal, step):
    """Let a region fail from a step on; the list that its calls will be in."""
    calls = []

    def fails(_, operation):
        if operation.region != region:
            return Fault.NONE
        calls.append(operation.name)
        return refusal if len(calls) > step else Fault.NONE

    world.fault = fails
    return calls


def test_07_sync_state_when_its_region_is_down_for_an_hour_then_it_is_waited_for_and_not_split():
    """Its predecessors are sent again until the region is back."""
    world = _world(regions={"s": AWAY})
    world.start()
    for minute in range(60):
        world.down = {AWAY: list(Refusal)[minute % len(Refusal)]}
        world.drain()
        world.cloud.failures.show()
        world.advance(world.sweep())
        world.now_s = max(world.now_s, NOW_S + 60 * minute)
    assert world.state() is RunState.RUNNING
    _ends(world)
    assert set(_sync_payloads(world, region=AWAY)) == {"b#0", "c#0"}


def test_07_region_when_it_is_down_until_the_deadline_then_the_run_expires_and_can_be_redriven():
    """What AWS failed to take is parked at the run's deadline."""
    world = _world(regions={"s": AWAY}, deadline_s=600)
    world.start()
    for _ in range(20):
        world.down = {AWAY: Refusal.SILENT}
        world.drain()
        world.cloud.failures.show()
        world.advance(world.sweep())
        world.now_s += 60
    _ends(world, EXPIRED)
    world.advance(world.redrive())
    _ends(world)


def test_24_sync_node_when_it_is_started_before_its_edges_have_reported_then_it_waits_for_them():
    """By whomever: its own state counts, the claim stays free, and the last edge starts it."""
    world = _world()
    world.start()
    world.advance(world.invoke(world.pending[0]))
    genuine = parse_message(json.loads(world.pending[0].text))
    early = replace(genuine, node="s", edge=None, inputs=world.graph.inputs_digest("s"), payload=None)
    process = world.invoke(world.enqueue(HOME, "s", early.to_text()))
    world.advance(process)
    assert process.answer["state"] == "early"
    _ends(world)
    assert [event.function for event in world.seen].count("d") == 1


def test_24_redrive_when_the_state_of_a_sync_node_is_gone_then_the_run_fails_and_does_not_run_on_nothing():
    """Its region was retired, and deployed again: after the order was carried out, and, the second time, before it."""
    world = _world(regions={"s": AWAY}, bad={"s"})
    world.start()
    _ends(world, FAILED)
    world.plan.bad = frozenset()
    world.advance(world.redrive())
    world.cloud.syncs._inputs.clear()
    world.settle()
    assert (world.state(), world.item().failed_node) == (FAILED, "s")
    assert "0 of 2 reports" in world.item().error
    redrive = world.redrive()
    world.advance(redrive)
    assert redrive.answer.refusal.found == "0 of 2 reports"
    assert (world.state(), world.pending) == (FAILED, [])
    assert ("run", "s") not in world.returned


def test_23_sweep_when_any_one_of_its_calls_is_denied_then_nothing_is_lost():
    """Whichever it is: a queue, an item, a topic; two branches failed, in two regions."""
    number = 0
    while True:
        world, calls = _world(graph_of({"a": "b c"}), regions={"b": AWAY, "c": FAR}, bad={"b", "c"}), []
        world.start()
        world.drain()

        def denied(process, operation, calls=calls, number=number):
            if process.label != "sweep":
                return Fault.NONE
            calls.append(operation.name)
            return Refusal.DENIED if len(calls) == number + 1 else Fault.NONE

        world.fault = denied
        world.advance(world.sweep())
        _ends(world, FAILED)
        world.plan.bad = frozenset()
        world.advance(world.redrive())  # looks into the queues that no open run has sent the sweeper to
        _ends(world)
        if len(calls) <= number:
            break
        number += 1
    assert number > 10


def test_07_send_when_in_doubt_then_both_sides_may_run_and_the_sync_node_takes_one():
    """The region took it and did not say so: home runs it too; the sync item decides which report counts."""
    world = _world(regions={"b": AWAY})
    world.fault = lambda _, operation: (
        Fault.IN_DOUBT if (operation.name, operation.region) == ("bus.publish", AWAY) else Fault.NONE
    )
    world.start()
    world.drain()
    assert {event.region for event in world.seen if event.function == "b"} == {HOME, AWAY}
    _ends(world)
    assert set(_sync_payloads(world)) == {"b#0", "c#0"}


def test_07_sync_node_when_its_firing_is_in_doubt_then_it_runs_once_all_the_same():
    """It is fired where its state is, and at home: the claim lies beside the state, and one of them has it."""
    world = _world(regions={"s": AWAY})
    world.fault = lambda _, operation: (
        Fault.IN_DOUBT if (operation.name, operation.region) == ("bus.publish", AWAY) else Fault.NONE
    )
    world.start()
    world.drain()
    fired = [event.region for event in world.seen if event.function == "s"]
    assert sorted(fired) == sorted([HOME, AWAY])
    _ends(world)
    assert [event.function for event in world.seen].count("d") == 1


def test_08_placement_when_it_changes_between_two_attempts_of_the_entry_then_the_run_item_is_followed():
    """The run began with its first attempt."""
    world = _world(regions={"b": AWAY, "c": AWAY})
    world.start()
    process = world.invoke(world.pending[0])
    world.advance(process, 3)
    world.kill(process)
    world.placement = placement_of(world.graph, {"a": FAR, "b": FAR, "s": FAR})
    _ends(world)
    assert {event.region for event in world.seen} == {HOME, AWAY}


def test_08_version_when_another_graph_is_deployed_in_mid_run_then_fitting_messages_run_and_others_are_parked():
    """A node with the same predecessors runs; one with others fails the run, with a way to go on."""
    world = _world()
    world.start()
    world.advance(world.invoke(world.pending[0]))
    world.graph = replace(graph_of({"a": "b c x", "b": "s", "c": "s", "x": "s", "s": "d"}, "s"), version="0.0.2")
    old = parse_message(json.loads(world.pending[0].text))
    assert world.graph.inputs_digest("b") == old.inputs
    assert world.graph.inputs_digest("s") != DIAMOND.inputs_digest("s")
    late = replace(old, node="s", edge=None, inputs=DIAMOND.inputs_digest("s"))
    world.enqueue(HOME, "s", late.to_text())
    world.functions = world._user_functions()
    world.drain()
    assert world.given_up[0][1] == "InvalidEnvelopeError"
    world.settle()
    assert (world.state(), world.item().failed_node) == (FAILED, "s")
    assert {("run", "b"), ("run", "c")} <= world.returned


@pytest.mark.parametrize("regions", [{}, {"b": AWAY}])
def test_09_placement_when_stale_then_the_run_stays_home(regions):
    """Missing, corrupt and foreign ones: tests/runtime/test_start.py."""
    world = _world(regions=regions)
    world.placement = replace(world.placement, expires_at=datetime.fromtimestamp(NOW_S - 1, UTC))
    world.start()
    _ends(world)
    assert {event.region for event in world.seen} == {HOME}


def test_10_region_when_retired_with_messages_in_flight_then_they_are_dead_letters_that_go_on_at_home():
    """SNS could not deliver: run, node and attempt are in the message, and the sweeper sends it home."""
    world = _world(regions={"b": AWAY})
    world.start()
    world.advance(world.invoke(world.pending[0]))
    (event,) = (event for event in world.pending if event.region == AWAY)
    world.pending.remove(event)
    world.give_up(event, None, "not delivered")
    dead = parse_message(json.loads(event.text))
    assert (dead.run.run_id, dead.node, dead.attempt) == ("run", "b", 0)
    world.fault = lambda _, operation: (
        Refusal.GONE if (operation.name, operation.region) == ("bus.publish", AWAY) else Fault.NONE
    )
    world.cloud.failures.show()
    world.advance(world.sweep())
    world.drain()
    assert world.state() is SUCCEEDED
    again = parse_message(json.loads(next(e for e in reversed(world.seen) if e.function == "b").text))
    assert (again.attempt, again.run.region_of("b", HOME)) == (1, HOME)


@pytest.mark.parametrize("text", ['{"schema":"caribou.envelope/1"}', '{"schema":"caribou.start/1","run_id":5}'])
def test_11_poison_when_delivered_then_its_attempts_are_bounded_and_it_stays_in_the_failure_queue(text):
    """Nobody's user code runs; the sweeper leaves it for a person, sweep by sweep."""
    world = _world()
    world.enqueue(HOME, "a", text)
    world.start()
    _ends(world)
    assert [error for _, error in world.given_up] == ["InvalidEnvelopeError"]
    assert len(world.cloud.failures.events) == 1


def test_11_poison_payload_when_user_code_can_not_take_it_then_three_tries_and_the_run_has_failed():
    """A user's poison is a user's failure."""
    world = _world(graph_of({"a": "b"}), bad={"b"})
    world.start()
    _ends(world, FAILED)
    assert world.counts["started"] == 1 + 3


@pytest.mark.parametrize("size", [10, 1200, 1400, 5000])
def test_12_payload_when_a_message_can_not_hold_it_then_it_travels_through_the_store(size):
    """At the limit and beyond; bytes, letters, exact limits: tests/runtime/test_outbox.py."""
    world = _world(payload="é" * size, message_limit_bytes=2000, regions={"b": AWAY, "s": FAR})
    world.start()
    _ends(world)
    assert bool(world.cloud.payloads.objects) == (size > 1000)


def test_13_fan_in_when_of_a_hundred_large_payloads_then_the_sync_node_gets_all():
    """A hundred of 300 KB each; in disorder: test_seeded.py."""
    names = [f"p{i}" for i in range(100)]
    world = _world(graph_of({"a": " ".join(names), **dict.fromkeys(names, "s")}, "s"))
    large = "é" * 150_000
    world.plan.payload_of = lambda edge, _: large if edge.target == "s" else "x"
    world.start()
    world.drain()
    assert world.state() is SUCCEEDED
    assert len(_sync_payloads(world)) == 100


@pytest.mark.parametrize("skew_s", [-SKEW_S, SKEW_S])
def test_14_clocks_when_ten_minutes_off_then_a_run_ends_as_it_would(skew_s):
    """Every other process is that much early or late; a deadline is as exact as the clocks are."""
    world = _world(deadline_s=1200)
    skews = iter([skew_s, 0] * 100)
    world.skew = lambda: next(skews)
    world.start()
    _ends(world)


@pytest.mark.parametrize("port", ["bus", "claims", "syncs", "runs"])
def test_15_service_when_it_throttles_every_second_call_then_the_run_still_ends_well(port):
    """A throttled call is one of a region that is too busy: at home, or later."""
    world = _world(regions={"b": AWAY, "s": FAR})
    calls = []

    def throttle(_, operation):
        if operation.name.startswith(port) and len(calls) < 40:
            calls.append(operation)
            return Refusal.THROTTLED if len(calls) % 2 else Fault.NONE
        return Fault.NONE

    world.start()
    for _ in range(12):
        world.fault = throttle
        world.drain()
        world.cloud.failures.show()
        world.advance(world.sweep())
        world.now_s += 60
    assert calls
    _ends(world)


def test_16_run_when_started_twice_with_one_name_then_it_is_one_run():
    """Even with two payloads, at once."""
    world = _world(regions={"a": AWAY})
    world.start(payload="x")
    world.start(payload="y")
    first, second = (world.invoke(event) for event in list(world.pending))
    world.advance(first, 1)
    world.advance(second, 1)
    _ends(world)
    assert len(world.cloud.runs.items) == 1
    assert world.counts["started"] == 5


@pytest.mark.parametrize("version", [0, 2, 99])
def test_17_message_when_of_another_schema_version_then_it_is_a_dead_letter(version):
    """It is refused by name, three times, and kept."""
    world = _world()
    world.start()
    world.advance(world.invoke(world.pending[0]))
    text = world.pending[0].text.replace("caribou.envelope/1", f"caribou.envelope/{version}")
    world.enqueue(HOME, "b", text)
    _ends(world)
    assert [event.message for event in world.cloud.failures.events] == [text]


def test_18_message_when_it_goes_round_then_it_is_refused_after_as_many_hops_as_there_are_nodes():
    """A runaway is a failure of its run, and is not sent again."""
    world = _world()
    world.start()
    world.advance(world.invoke(world.pending[0]))
    message = parse_message(json.loads(world.pending[0].text))
    world.pending.clear()
    world.enqueue(HOME, message.node, replace(message, hop=8).to_text())
    world.settle()
    assert (world.state(), world.item().failed_node) == (FAILED, message.node)
    assert "hops" in world.item().error


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_20_process_when_killed_in_user_code_then_it_is_tried_three_times(tries):
    """A timeout is user code's: the third fails the run, with a way to redrive it."""
    world = _world(graph_of({"a": "b"}))
    world.fault = lambda process, operation: (
        Fault.KILLED
        if (process.label, operation.name) == (f"b@{HOME}", "user.code") and process.event.tries < tries
        else Fault.NONE
    )
    world.start()
    world.drain()
    _ends(world, FAILED if tries == 3 else SUCCEEDED)
    if tries == 3:
        world.advance(world.redrive())
        _ends(world)


def test_21_process_when_a_request_in_it_failed_then_the_next_is_not_touched():
    """Two runs interleaved, one of which fails; in one warm process: tests/runtime/test_failures.py."""
    world = _world()
    for run_id in ("good", "bad"):
        world.start(run_id)
    for process in [world.invoke(event) for event in list(world.pending)]:
        process.raises = process.event.message_id == "bad"
        world.advance(process)
    world.settle()
    assert {run_id: world.state(run_id) for run_id in ("good", "bad")} == {"good": SUCCEEDED, "bad": SUCCEEDED}


def test_22_plan_when_it_differs_every_hour_for_fifty_nodes_then_messages_do_not_grow_with_it():
    """A message carries what its run still needs: less and less of one hour's map."""
    names = [f"node-{i:02}" for i in range(50)]
    graph = graph_of(dict(pairwise(names)))
    homes = dict.fromkeys(names, HOME)
    plans = tuple(
        Plan((hour,), homes | {name: (HOME, AWAY, FAR)[(hour + i) % 3] for i, name in enumerate(names)})
        for hour in ALL_HOURS
    )
    world = World(graph, placement=Placement("flow", "0.0.1", HOME, plans))
    world.start()
    world.drain()
    sizes = [len(event.text) for event in world.seen[1:]]
    assert world.state() is SUCCEEDED
    assert sizes[0] < 1500
    assert sizes[-1] < sizes[0] - 300


def test_start_when_code_dies_before_its_run_begins_then_the_run_has_failed_and_can_be_redriven():
    """A module that can't be imported never comes to begin the run: the sweeper does."""
    world = _world()
    world.fault = lambda process, operation: (
        Fault.KILLED if operation.name == "runs.begin" and process.event else Fault.NONE
    )
    world.start()
    world.drain()
    assert world.item() is None
    _ends(world, FAILED)
    world.advance(world.redrive())
    _ends(world)


@pytest.mark.parametrize("text", ['{"order": 7}', "hello", "[]"])
def test_start_when_it_is_any_event_and_aws_fails_then_it_is_still_one_run(text):
    """What a client published is read in the failure queue as the function read it."""
    world = _world()
    world.accept(text, "m-1")
    world.down = {HOME: Refusal.SILENT}
    world.drain()
    assert len(world.given_up) == 1
    world.settle()
    assert world.state("m-1") is SUCCEEDED


def test_redrive_when_an_older_copy_is_parked_after_the_newer_then_the_run_still_goes_on():
    """A sweeper dies before it deletes what it sent again: the copy that is found later must not hide the newer one."""
    world = _world(graph_of({"a": "b"}), bad={"b"})
    world.start()
    world.advance(world.invoke(world.pending[0]))
    world.give_up(world.pending.pop(), None, "EventAgeExceeded")
    sweep = world.sweep()
    while not any(event.function == "b" and event.message.attempt for event in world.seen):
        world.advance(sweep, 1)
    world.kill(sweep)
    world.drain()
    world.advance(world.sweep())  # the older one is still hidden: it is found by the sweeps after this
    _ends(world, FAILED)
    assert [parked.attempt for parked in world.parked()] == [1]
    world.plan.bad = frozenset()
    world.advance(world.redrive())
    _ends(world)


@pytest.mark.parametrize("deduplicate", [True, False])
def test_deduplication_when_switched_off_then_plain_nodes_run_again_and_sync_nodes_do_not(deduplicate):
    """For functions that are idempotent themselves; the run's state changes once all the same."""
    world = _world(deduplicate=deduplicate)
    world.start()
    world.advance(world.invoke(world.pending[0]))
    for event in list(world.pending):
        world.duplicate(event)
    _ends(world)
    assert world.counts["started"] == (5 if deduplicate else 5 + 2)


def test_start_text_when_built_then_it_is_a_start():
    """The simulator starts runs as clients do."""
    assert parse_message(json.loads(Start("run", "1").to_text())) == Start("run", "1")
