"""How fast a node is in another region: assumed where nothing ran, learned where it did."""

import numpy as np
import pytest

from caribou.solver.simulation.region_speed import PRIOR_SD, RegionSpeed, region_chance

HOME, AWAY, FAR = 0, 1, 2


def _learned(at_home, away):
    seconds, region = np.array([*at_home, *away]), np.array([HOME] * len(at_home) + [AWAY] * len(away))
    return RegionSpeed.assumed(np.ones(3), HOME).observing(seconds, region, HOME)


def test_speed_when_nothing_ran_elsewhere_then_it_is_that_of_the_facts_and_unsure():
    """Home is compared with, so it is known."""
    speed = RegionSpeed.assumed(np.array([1.0, 1.1, 1.0]), HOME)
    assert np.exp(speed.mean) == pytest.approx([1.0, 1.1, 1.0])
    assert speed.sd == pytest.approx([0.0, PRIOR_SD, PRIOR_SD])


def test_speed_when_few_runs_went_elsewhere_then_it_is_shrunk_towards_what_was_assumed():
    """By hand: x = log 1.5, v = 0.5² / 2 + 0.5² / 2 (both 1 and 2 times a mean), weight 0.05² / (0.05² + v)."""
    speed = _learned([1.0, 2.0], [1.5, 3.0])
    variance = 2 * (0.5 / 1.5**2 / 2)
    weight = PRIOR_SD**2 / (PRIOR_SD**2 + variance)
    assert speed.mean[AWAY] == pytest.approx(weight * np.log(1.5))
    assert speed.sd[AWAY] == pytest.approx(np.sqrt(PRIOR_SD**2 * variance / (PRIOR_SD**2 + variance)))
    assert (speed.mean[FAR], speed.sd[FAR]) == (0.0, PRIOR_SD)


def test_speed_when_many_runs_went_elsewhere_then_it_is_what_they_took():
    """Thousands of runs, 30 % slower there."""
    chance = np.random.default_rng(1)
    at_home, away = chance.lognormal(0, 0.3, 5000), 1.3 * chance.lognormal(0, 0.3, 5000)
    speed = _learned(at_home, away)
    assert np.exp(speed.mean[AWAY]) == pytest.approx(1.3, rel=0.02)
    assert speed.sd[AWAY] < 0.01


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("runs", [2, 3, 5])
def test_speed_when_few_runs_are_known_then_they_do_not_mislead(runs, spread):
    """Regions are apart as is assumed: what is learned is no farther off than that, and as sure as it says."""
    chance = np.random.default_rng(1)
    off, sure = [], []
    for truth in chance.normal(0, PRIOR_SD, 1000):
        at_home, away = chance.lognormal(0, spread, 40), np.exp(truth) * chance.lognormal(0, spread, runs)
        speed = _learned(at_home, away)
        off.append(speed.mean[AWAY] - truth)
        sure.append(abs(off[-1]) < 1.96 * speed.sd[AWAY])
    assert np.sqrt(np.mean(np.square(off))) < 1.03 * PRIOR_SD
    assert np.mean(sure) > 0.92


@pytest.mark.parametrize(("at_home", "away"), [([1.0, 2.0], [9.0]), ([1.0], [9.0, 9.1]), ([0.0, 0.0], [1.0, 2.0])])
def test_speed_when_a_region_has_one_run_or_none_took_time_then_nothing_is_learned(at_home, away):
    """One run says nothing of how far runs are apart."""
    speed = _learned(at_home, away)
    assert (speed.mean[AWAY], speed.sd[AWAY]) == (0.0, PRIOR_SD)


def test_factors_when_a_run_stays_where_it_was_observed_then_they_are_one():
    """Whatever the region's speed may be; and there and back cancel."""
    speed = RegionSpeed(np.log([1.0, 1.2, 0.9]), np.array([0.0, 0.1, 0.2]))
    chance = np.array([[0.0, 0.0], [1.0, -1.0], [2.0, 0.5]])
    factors = speed.factors(np.array([AWAY, HOME]), chance)
    assert factors[AWAY, 0] == 1.0
    assert factors[HOME, 1] == 1.0
    assert factors[HOME, 0] == pytest.approx(1 / (1.2 * np.exp(0.1)))
    assert factors[FAR, 1] == pytest.approx(0.9 * np.exp(0.1))


def test_chance_when_there_are_few_worlds_then_each_region_is_as_spread_as_the_normal_distribution():
    """Eight worlds and their opposites: an interval is not narrow by the name of a region."""
    chance = region_chance(8, ["us-east-1", "ca-central-1", "eu-north-1"])
    assert (chance**2).mean(axis=0) == pytest.approx(1.0)
    assert region_chance(8, ["eu-north-1"])[:, 0] == pytest.approx(chance[:, 2])
