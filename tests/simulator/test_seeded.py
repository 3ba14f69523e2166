"""Ten thousand schedules by their seeds, over all shapes; every invariant holds at every step of each.

Seventeen of twenty are slow tests.
"""

from collections import Counter

import pytest
from chaos import SHAPES, Chaos, play
from simulated import TO_THE_END, Fault, Plan_, World, graph_of, placement_of, seed_of_environment

from caribou.model.run.item import RunState

SCHEDULES, QUICK, BLOCK = 10_000, 1_500, 250


@pytest.mark.parametrize(
    "first",
    [pytest.param(first, marks=[] if first < QUICK else [pytest.mark.slow]) for first in range(0, SCHEDULES, BLOCK)],
)
def test_run_when_anything_may_go_wrong_then_it_ends_and_its_state_changes_once(first):
    """Duplicates, crashes, outages, throttles, doubt, skew, deploys, failing code, sweeps and redrives at once."""
    counts = Counter()
    for seed in range(first, first + BLOCK):
        counts.update(play(seed).world.counts)
    assert min(counts[kind] for kind in ("started", "killed", "refused", "duplicates", "sweeps")) > BLOCK


@pytest.mark.skipif(seed_of_environment() is None, reason="no SEED=… is given")
def test_replay_when_a_seed_is_given_then_it_is_the_schedule_that_failed():
    """A failing seed shows all its operations."""
    play(seed_of_environment(), is_traced=True)


def test_seed_when_played_again_then_it_is_the_same_schedule():
    """A failing seed can be replayed."""
    for seed in range(20):
        first, second = play(seed, is_traced=True), play(seed, is_traced=True)
        assert first.world.trace == second.world.trace


def test_seeds_when_many_are_played_then_all_shapes_and_all_ends_are_among_them():
    """The schedules are not all alike: every shape, and runs that succeeded, failed and expired."""
    played = [play(seed) for seed in range(20_000, 20_150)]
    assert {chaos.shape for chaos in played} == {*SHAPES, "random"}
    assert {chaos.state for chaos in played} >= {RunState.SUCCEEDED, RunState.FAILED, RunState.EXPIRED}


@pytest.mark.parametrize("seed", range(10))
def test_fan_in_when_a_hundred_predecessors_report_in_disorder_then_the_sync_node_fires_once(seed):
    """A hundred edges, each of a process that may die or be doubted at any operation, and come twice."""
    names = [f"p{i}" for i in range(100)]
    graph = graph_of({"a": " ".join(names), **dict.fromkeys(names, "s")}, "s")
    chaos = Chaos(seed)
    chaos.shape = "fan-in"
    chaos.rates = Counter(killed=0.02, in_doubt=0.005, refused=0.005, duplicate=0.1, killed_after=0.005)
    chaos.budgets = (2, 5, TO_THE_END)
    chaos.world = world = World(graph, Plan_(payload="same"), placement_of(graph, {"s": "us-west-2"}), seed=seed)
    world.fault = chaos._fault
    chaos.run()
    assert len(world.cloud.syncs._inputs["us-west-2", "run", "s"].state.taken) == 100
    assert world.state() is RunState.SUCCEEDED
    assert world.fault(None, None) is Fault.NONE
