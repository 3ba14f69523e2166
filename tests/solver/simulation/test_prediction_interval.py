"""The interval in which a figure of new runs is, by those that were observed."""

import numpy as np
import pytest

from caribou.solver.simulation.bootstrap import interval, means, prediction_interval
from caribou.solver.simulation.weights import percentile

RUNS = 60
TRIALS = 200


def run_times(trial):
    """Run times of a world in which they are skewed, seconds: observed ones, and as many that come."""
    return np.random.default_rng(trial).lognormal(0.0, 0.4, size=(2, RUNS))


def tail_of(values):
    """Their 95th percentile, as the model has it."""
    return float(percentile(values[np.newaxis], 95, np.full(len(values), 1 / len(values)))[0])


def interval_of_mean(values):
    """Between which values the mean is."""
    return interval(means(values[np.newaxis]), len(values))


def covered(figure, **options):
    """In which share of trials the new runs' figure is within the interval of the observed ones."""
    hits = 0
    for trial in range(TRIALS):
        seen, new = run_times(trial)
        low, high = prediction_interval(seen, RUNS, **options)
        hits += low <= figure(new) <= high
    return hits / TRIALS


def test_interval_when_new_runs_come_then_their_mean_is_in_it_as_often_as_it_says():
    """95 % of times, give or take what so many trials and so few runs leave open."""
    assert 0.90 <= covered(np.mean) <= 0.99


def test_interval_when_new_runs_come_then_their_tail_is_in_it_nearly_as_often_as_it_says():
    """A percentile that three runs are above is known less well."""
    assert covered(tail_of, tail_percentile=95) >= 0.87


def test_interval_when_as_many_runs_come_then_it_is_wider_than_that_of_the_mean_by_the_root_of_two():
    """New runs bring as much noise as the observed ones have."""
    seen = run_times(0)[0]
    low, high = prediction_interval(seen, RUNS)
    known_low, known_high = interval_of_mean(seen)
    assert (high - low) / (known_high - known_low) == pytest.approx(2**0.5, rel=0.05)


def test_interval_when_very_many_runs_come_then_it_is_that_of_the_mean():
    """Then only what was observed is uncertain."""
    seen = run_times(0)[0]
    assert prediction_interval(seen, 100 * RUNS) == pytest.approx(interval_of_mean(seen), rel=0.02)
