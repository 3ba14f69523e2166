"""How often a node starts cold where a placement has it, and where it no longer is."""

import numpy as np
import pytest

from caribou.solver.simulation.cold_starts import IDLE_S, ColdStarts, Executions, Stay

HOME, AWAY = 0, 1


def _starts(every_s, *, runs=100, init_s=0.0, region=HOME, stay=0.1):
    """Runs that come every so many seconds, the first of which starts cold if starting takes time."""
    took = np.zeros(runs)
    took[0] = init_s
    executions = Executions(
        every_s * np.arange(runs), np.ones(runs, dtype=bool), np.full(runs, region, dtype=np.intp), took, regions=2
    )
    return ColdStarts.of(executions, Stay(HOME, stay))


def test_chance_when_a_node_is_where_it_was_observed_then_there_is_no_more_of_it():
    """Its cold starts are in the runs."""
    assert (_starts(600).chance[HOME] == 0).all()


def test_chance_when_runs_are_split_then_by_hand_from_the_rates():
    """A run each ten minutes: nine in ten come to the new region, so exp(-0.9) instead of exp(-1) of them are cold."""
    starts = _starts(IDLE_S, init_s=2.0)
    assert starts.chance[AWAY, 1:] == pytest.approx(np.exp(-0.9) - np.exp(-1))
    assert starts.chance[AWAY, 0] == 0  # it was cold as it was
    assert starts.at_home == pytest.approx([0, np.exp(-0.1) - np.exp(-1)])
    assert starts.expected_s[AWAY, 1] == pytest.approx(2.0 * (np.exp(-0.9) - np.exp(-1)))


@pytest.mark.parametrize("every_s", [1, 1_000_000])
def test_chance_when_runs_come_often_or_hardly_ever_then_there_is_no_more_of_it(every_s):
    """Always warm, or always cold, whatever share stays home."""
    assert _starts(every_s, init_s=2.0).chance == pytest.approx(0, abs=1e-3)


def test_chance_when_fewer_starts_would_be_cold_than_observed_then_that_is_not_promised():
    """A region that had one of a hundred runs gets all: its observed cold starts remain as they were."""
    region = np.full(100, HOME, dtype=np.intp)
    region[[10, 50]] = AWAY
    runs = Executions(600.0 * np.arange(100), np.ones(100, dtype=bool), region, np.zeros(100), regions=2)
    assert (ColdStarts.of(runs, Stay(HOME, 0.1)).chance >= 0).all()


def test_starts_when_none_was_cold_then_nothing_is_added():
    """What one takes is not known."""
    starts = _starts(IDLE_S)
    assert starts.mean_s == 0
    assert (starts.expected_s == 0).all()
    assert (starts.delays_s(np.zeros(100)) == 0).all()


def test_delays_when_drawn_then_as_often_as_the_chance_says_and_as_long_as_observed():
    """Of warm runs that are moved; those at home begin as they did."""
    starts = _starts(IDLE_S, runs=20_000, init_s=2.0)
    delays = starts.delays_s(np.random.default_rng(1).random(20_000))
    assert set(np.unique(delays[AWAY])) == {0.0, 2.0}
    assert (delays[AWAY] > 0).mean() == pytest.approx(np.exp(-0.9) - np.exp(-1), abs=0.005)
    assert (delays[HOME] == 0).all()
