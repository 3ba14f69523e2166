"""A region dies with a run in it, and the run is brought home: it ends well without it, or says what is gone."""

import pytest
from chaos import SHAPES
from refusals import Refusal
from simulated import AWAY, FAR, HOME, Plan_, World, graph_of, placement_of

from caribou.model.run.item import RunState
from caribou.runtime.homecoming import LATE_S

DIAMOND = SHAPES["diamond"]
SUCCEEDED, EXPIRED, RUNNING = RunState.SUCCEEDED, RunState.EXPIRED, RunState.RUNNING


def _world(graph, regions, **fields):
    world = World(graph, Plan_(), placement_of(graph, regions), **fields)
    world.start()
    return world


def _dies(world, region=AWAY):
    """A region goes dark: nobody reaches it, and what lies in its own queues is not run."""
    world.down[region] = Refusal.SILENT
    held = [event for event in world.pending if event.region == region]
    world.pending = [event for event in world.pending if event.region != region]
    return held


def _minute(world):
    """All that can run runs, and the sweeper comes."""
    world.drain()
    world.cloud.failures.show()
    world.advance(world.sweep())
    world.now_s += 60


def _brought(world, minutes=8):
    """Order it once a minute, as the message says, until something is sent or it is refused; the last answer."""
    for _ in range(minutes):
        world.cloud.failures.show()
        order = world.redrive(home=True)
        world.advance(order)
        answer = order.answer
        if answer.sent or answer.refusal or answer.has_ended:
            break
        _minute(world)
    return answer


def _ends(world):
    for _ in range(12):
        _minute(world)
    world.invariants.at_the_end()
    return world.state()


@pytest.mark.parametrize("deadline_s", [86400, 60], ids=["open", "expired"])
def test_run_when_its_sync_node_s_region_is_dead_then_it_is_brought_home_and_joins_there(deadline_s):
    """Its predecessors are tried in vain: their messages come in, and report at home."""
    world = _world(DIAMOND, {"s": AWAY}, deadline_s=deadline_s)
    _dies(world)
    _minute(world)
    _minute(world)
    assert world.state() is (RUNNING if deadline_s > 999 else EXPIRED)
    assert {sent.node for sent in _brought(world).sent} == {"b", "c"}
    assert _ends(world) is SUCCEEDED
    assert world.item().run.regions == {}
    assert world.ran["run", "s"] == 1


def test_run_when_a_message_lies_in_the_dead_region_then_its_sender_runs_again_if_it_can():
    """The entry's input is with the run; what it had sent elsewhere is not run twice."""
    world = _world(graph_of({"a": "b c", "b": "d"}), {"b": AWAY, "c": FAR})
    world.advance(world.invoke(world.pending[0]))
    _dies(world)
    _minute(world)
    assert [sent.node for sent in _brought(world).sent] == ["a"]
    assert _ends(world) is SUCCEEDED
    assert (world.ran["run", "a"], world.ran["run", "b"], world.ran["run", "c"]) == (2, 1, 1)
    assert world.item().run.regions == {"c": FAR}


def test_run_when_only_the_dead_region_has_what_it_needs_then_it_is_refused_and_goes_on_when_that_is_back():
    """It is halted by then: what the region has still counts, and is redriven as ever."""
    world = _world(graph_of({"a": "b", "b": "c"}), {"c": AWAY})
    for _ in range(2):
        world.advance(world.invoke(world.pending[0]))
    held = _dies(world)
    answer = _brought(world)
    assert (answer.refusal.found, world.state()) == (AWAY, EXPIRED)
    assert "what b had made, or was to work on" in answer.refusal.what
    assert world.now_s - world.item().ended_at >= LATE_S
    world.down.clear()
    world.pending += held
    world.drain()
    order = world.redrive()
    world.advance(order)
    assert (order.answer.has_ended, world.state()) == (True, SUCCEEDED)


def test_run_when_a_report_lies_in_the_dead_region_then_it_does_not_run_on_half_of_its_inputs():
    """One predecessor had ended; the other one is parked. Nothing is sent."""
    world = _world(DIAMOND, {"s": AWAY})
    world.advance(world.invoke(world.pending[0]))
    world.advance(world.invoke(world.pending[0]))
    _dies(world)
    answer = _brought(world)
    assert "what b had made" in answer.refusal.what
    assert (world.ran["run", "s"], len(world.parked())) == (0, 1)


def test_run_when_every_region_answers_then_there_is_nothing_to_bring_home():
    """It is open, and stays so."""
    world = _world(DIAMOND, {"s": AWAY})
    world.drain()
    order = world.redrive(home=True)
    world.advance(order)
    assert order.answer.refusal.found == SUCCEEDED
    world = _world(graph_of({"a": "b"}), {"b": AWAY})
    world.advance(world.invoke(world.pending[0]))
    order = world.redrive(home=True)
    world.advance(order)
    assert (order.answer.refusal.found, world.state()) == (AWAY, RUNNING)


def test_run_when_the_order_is_interrupted_after_any_step_then_the_same_order_or_a_sweep_goes_on():
    """Nothing is lost between halting, sending and opening."""
    for reached in range(1, 80):
        world = _world(DIAMOND, {"s": AWAY, "c": FAR})
        _dies(world)
        _minute(world)
        order = world.redrive(home=True)
        has_ended = world.advance(order, reached)
        if not has_ended:
            world.kill(order)
        for _ in range(8):
            if AWAY in world.item().run.regions.values():
                _brought(world)
            _minute(world)
        assert _ends(world) is SUCCEEDED, reached
        if has_ended:
            return
    raise AssertionError("the order never came to its end")


def test_region_when_it_was_only_slow_then_what_it_had_runs_besides_and_the_run_ends_once():
    """Its queue comes to life after the run was brought home."""
    world = _world(graph_of({"a": "b", "b": "c"}), {"b": AWAY})
    world.advance(world.invoke(world.pending[0]))
    held = _dies(world)
    assert [sent.node for sent in _brought(world).sent] == ["a"]
    world.down.clear()
    world.invariants.user_code = lambda *_: None  # it runs where the run's map has it no more, as the words above say
    world.pending += held
    assert _ends(world) is SUCCEEDED
    assert HOME not in world.item().run.regions.values()
