"""A run is cancelled at any step of anything: nothing of it begins after that, and its end is never lost."""

from collections import Counter

import pytest
from chaos import SHAPES, Chaos
from refusals import Refusal
from simulated import AWAY, Fault, Plan_, Violation, World, _node_of, graph_of, placement_of

from caribou.model.run.item import RunState

DIAMOND = SHAPES["diamond"]
CANCELLED, SUCCEEDED, FAILED = RunState.CANCELLED, RunState.SUCCEEDED, RunState.FAILED


def _world(graph=DIAMOND, regions=None, **fields):
    return World(graph, Plan_(bad=frozenset(fields.pop("bad", ()))), placement_of(graph, regions or {}), **fields)


def _step(world):
    """One operation of the process that is first, or the next message; whether there was anything to do."""
    if not world.processes and not world.pending:
        return False
    if not world.processes:
        world.now_s = max(world.now_s, world.pending[0].due_s)
        world.invoke(world.pending[0])
    world.advance(world.processes[0], 1)
    return True


def _cancel(world):
    process = world.cancel()
    world.advance(process)
    return process


class _After:
    """What had begun when a run was cancelled: only who owned a node and was under way may still begin its code."""

    def __init__(self, world):
        self._world, self._ran = world, Counter(world.ran)
        owned = {node for _, _, node in world.cloud.claims._owners}
        under_way = [_node_of(process.event, world.graph) for process in world.processes if process.event]
        self._may = Counter(("run", node) for node in under_way if node in owned)

    def check(self):
        """Settle; nobody else has begun."""
        self._world.settle()
        began = self._world.ran - self._ran
        if began - self._may:
            raise Violation(f"{began - self._may} began after the run was cancelled")


@pytest.mark.parametrize("shape", ["diamond", "sync behind sync", "fan-out"])
def test_run_when_it_is_cancelled_after_any_step_then_nothing_of_it_begins_after_that(shape):
    """What was running ends by itself; a run whose end came first has that end, and says so."""
    ends, step, goes_on = set(), 0, True
    while goes_on:
        world = _world(SHAPES[shape], {"b": AWAY, "s": AWAY})
        world.start()
        goes_on = all(_step(world) for _ in range(step))
        if world.item() is not None:
            answer, after, state = _cancel(world).answer, _After(world), world.state()
            assert state is (CANCELLED if answer.refusal is None else SUCCEEDED)
            after.check()
            assert world.state() is state
            assert not world.cloud.runs.listed().items
            ends.add(state)
        step += 1
    assert ends == {CANCELLED, SUCCEEDED}


def test_run_when_the_order_is_interrupted_after_any_step_then_the_next_sweep_stops_it():
    """The item changes first, and stays on the list until every claim is marked."""
    for reached in range(1, 30):
        world = _world(regions={"b": AWAY, "s": AWAY})
        world.start()
        for _ in range(6):
            _step(world)
        order = world.cancel()
        has_ended = world.advance(order, reached)
        if not has_ended:
            world.kill(order)
        if world.state() is CANCELLED:
            world.cloud.failures.show()
            world.advance(world.sweep())
            _After(world).check()
        else:
            world.settle()
        world.invariants.at_the_end()
        assert not world.cloud.runs.listed().items
        if has_ended:
            return
    raise AssertionError("the order never came to its end")


def test_run_when_it_is_cancelled_while_a_node_fails_then_its_retries_do_not_begin_and_nothing_is_parked():
    """What Lambda gives up of it afterwards is dropped."""
    world = _world(graph_of({"a": "b"}), bad="b")
    world.start()
    while world.ran["run", "b"] == 0:
        _step(world)
    assert _cancel(world).answer.problems == ()
    world.settle()
    assert (world.state(), world.ran["run", "b"], world.parked()) == (CANCELLED, 1, ())
    assert not world.cloud.failures.events


def test_run_when_a_region_does_not_answer_then_it_is_said_and_the_sweeper_stops_it_there_once_it_does():
    """The run is CANCELLED at once; nodes at home do not begin."""
    world = _world(graph_of({"a": "b c"}), {"b": AWAY})
    world.start()
    _step(world)
    world.down[AWAY] = Refusal.SILENT
    (problem,) = _cancel(world).answer.problems
    assert problem.startswith(f"{AWAY}: ")
    assert world.state() is CANCELLED
    assert [item.run.run_id for item in world.cloud.runs.listed().items] == ["run"]
    world.settle()
    assert not world.cloud.runs.listed().items


def test_run_when_it_is_cancelled_twice_then_the_second_time_changes_nothing():
    """An operator who is not sure gives the order again."""
    world = _world()
    world.start()
    _step(world)
    assert [_cancel(world).answer.refusal for _ in range(2)] == [None, None]
    assert world.state() is CANCELLED


def test_run_when_it_has_failed_and_is_cancelled_then_it_is_refused_and_when_reopened_it_is_not():
    """A redrive opens it again; then nothing that was parked begins."""
    world = _world(graph_of({"a": "b"}), bad="b")
    world.start()
    world.settle()
    assert "it has ended: FAILED" in _cancel(world).answer.refusal.what
    world.advance(world.redrive())
    began = world.ran["run", "b"]
    assert _cancel(world).answer.refusal is None
    world.settle()
    assert (world.state(), world.ran["run", "b"], world.parked()) == (CANCELLED, began, ())
    redrive = world.redrive()
    world.advance(redrive)
    assert redrive.answer.refusal.found == CANCELLED


def test_run_when_plain_nodes_claim_nothing_then_it_stops_at_the_next_sync_node_and_starts_no_more():
    """The first start that comes again is not run either."""
    world = _world(deduplicate=False)
    world.start()
    start = world.pending[0]
    world.advance(world.invoke(start))
    assert _cancel(world).answer.refusal is None
    world.advance(world.invoke(world.duplicate(start)))
    world.settle()
    assert (world.state(), world.ran["run", "a"], world.ran["run", "s"]) == (CANCELLED, 1, 0)


def test_run_when_it_is_cancelled_in_any_weather_then_it_ends_so_or_as_it_had_ended_and_begins_no_more():
    """Crashes, outages, duplicates, sweeps and redrives around the order, by a seed each."""
    ends = set()
    for seed in range(300):
        chaos = Chaos(seed)
        world = chaos.world
        world.deduplicate = True
        world.start("run")
        for _ in range(chaos.chance.randrange(60)):
            if world.processes or world.pending or world.cloud.failures.events:
                chaos._step()
        if world.item() is None:
            continue
        world.fault, world.down = (lambda _process, _operation: Fault.NONE), {}
        answer, after, state = _cancel(world).answer, _After(world), world.state()
        if answer.refusal is None:
            assert state is CANCELLED
            after.check()
            assert world.state() is CANCELLED, seed
        ends.add(state)
    assert ends >= {CANCELLED, SUCCEEDED, FAILED}
