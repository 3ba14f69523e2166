"""How sure figures of observed runs are: replicates, intervals, bounds that assume nothing of tails."""

import math
from fractions import Fraction

import numpy as np
import pytest

from caribou.solver.simulation import bootstrap


def test_means_when_there_are_worlds_then_replicates_take_turns_in_them():
    """Replicate b counts the runs of world b mod W."""
    found = bootstrap.means(np.array([[1.0, 1.0], [5.0, 5.0]]))
    assert found[::2] == pytest.approx(1.0)
    assert found[1::2] == pytest.approx(5.0)


def test_percentiles_when_all_runs_are_moved_then_each_is_that_of_the_replicate_in_plain_python():
    """The least value that so many of the drawn runs are not above."""
    values = np.random.default_rng(1).random(40)
    found = bootstrap.percentiles(values[np.newaxis, np.newaxis], np.array([1.0]), 95)
    for replicate in (0, 7, 1999):
        counts = np.round(bootstrap.replicates(40)[replicate] * 40).astype(int)
        drawn = sorted(value for value, count in zip(values, counts, strict=True) for _ in range(count))
        assert found[replicate] == drawn[math.ceil(0.95 * 40) - 1]


def test_percentiles_when_a_tenth_stays_home_then_its_runs_weigh_a_tenth():
    """Moved runs take 1, those at home 2: the 95th percentile is home's, the 85th is not."""
    values = np.array([[[1.0] * 30, [2.0] * 30]])
    shares = np.array([0.9, 0.1])
    assert set(bootstrap.percentiles(values, shares, 95)) == {2.0}
    assert set(bootstrap.percentiles(values, shares, 85)) == {1.0}


@pytest.mark.parametrize(("percent", "runs"), [(95, 59), (99, 299), (50, 5)])
def test_sure_share_when_runs_grow_then_it_exists_from_the_known_number_on(percent, runs):
    """As Wilks has it: 59 for p95, 299 for p99."""
    assert bootstrap.runs_needed(percent) == runs
    assert bootstrap.sure_share(runs - 1, percent) is None
    assert bootstrap.sure_share(runs, percent) == 1.0


@pytest.mark.parametrize("runs", [60, 93, 200, 1000])
def test_sure_share_when_a_percentile_is_above_a_limit_then_so_many_runs_are_within_it_in_one_of_twenty(runs):
    """By the binomial distribution, counted out; and one run fewer would not do."""
    needed = round(bootstrap.sure_share(runs, 95) * runs)
    assert _at_least(runs, needed) <= 0.05 < _at_least(runs, needed - 1)


def _at_least(runs, count):
    """The chance that so many of n runs, each within the limit with 95 %, are."""
    share = Fraction(95, 100)
    return float(sum(math.comb(runs, k) * share**k * (1 - share) ** (runs - k) for k in range(count, runs + 1)))


def test_interval_when_runs_are_few_then_it_is_wider_than_the_replicates_percentiles():
    """Student's quantile for the normal one: with ten runs by about a fifth, with a thousand hardly."""
    replicated = np.linspace(-1, 1, 2001)
    few, many = bootstrap.interval(replicated, 10), bootstrap.interval(replicated, 1000)
    assert few[0] < many[0] < 0 < many[1] < few[1]
    assert many == pytest.approx((-0.95, 0.95), abs=2e-3)
    assert bootstrap.lower(replicated, 1000) == pytest.approx(-0.9, abs=2e-3)
    assert bootstrap.upper(replicated, 1000) == pytest.approx(0.9, abs=2e-3)
    assert bootstrap.interval(replicated, 1) == (-1.0, 1.0)
