"""Worlds of which the truth is known: intervals cover it, and nothing is said to hold or to save that does not."""

from functools import cache

import numpy as np
import pytest
from known_worlds import AWAY, days, moved, world

from caribou.model.metric import LimitKind, Metric
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.verdict import Verdict
from caribou.solver.analysis.sensitivity import sensitivity
from caribou.solver.analysis.sure_limits import LimitVerdict, SureLimit
from caribou.solver.simulation import bootstrap
from caribou.solver.simulation.carbon_and_cost import DAY
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.evaluator import Evaluator

RUNS, REPETITIONS = 50, 100
DATA_GB = 0.004


def _figures(placed, home):
    """What is estimated, in each replicate, with the grids as they are."""
    placed_g, home_g = (day.emitted().replicated(grids_change=False) for day in (placed, home))
    return {
        "carbon": placed_g,
        "saving": 1 - placed_g / home_g,
        "cost": placed.mean(Metric.COST),
        "run time": placed.mean(Metric.RUNTIME),
        "run time at home": home.mean(Metric.RUNTIME),
    }


@cache
def _truth(shape, spread):
    """The same of 20,000 runs, and the tails of run time, as placed and at home."""
    problem = world(shape, 20_000, seed=1, spread=spread, data_gb=DATA_GB)
    evaluator = Evaluator(problem, 0, 20_000, (Metric.RUNTIME,))
    scores = evaluator.score(np.array([place_positions(problem, moved(problem)), evaluator.home]))
    grams = scores.mean(Metric.CARBON, DAY)
    runtimes, tails = scores.mean(Metric.RUNTIME, DAY), scores.tail(Metric.RUNTIME, DAY)
    means = {
        "carbon": grams[0],
        "saving": 1 - grams[0] / grams[1],
        "cost": scores.mean(Metric.COST, DAY)[0],
        "run time": runtimes[0],
        "run time at home": runtimes[1],
    }
    return means, tails


@pytest.mark.parametrize(
    ("shape", "spread", "share"), [("chain", 0.5, 0.9), ("fan", 0.5, 0.9), ("chain", 1.0, 0.85), ("fan", 1.0, 0.85)]
)
def test_intervals_when_fifty_runs_are_known_then_nine_in_ten_cover_the_truth(shape, spread, share):
    """Of every figure that is printed with one; a heavy tail takes more runs for figures that are no ratios."""
    truth, _ = _truth(shape, spread)
    covered = dict.fromkeys(truth, 0)
    for seed in range(REPETITIONS):
        figures = _figures(*days(world(shape, RUNS, 100 + seed, spread=spread, data_gb=DATA_GB), worlds=8))
        for name, replicated in figures.items():
            low, high = bootstrap.interval(replicated, RUNS)
            covered[name] += low <= truth[name] <= high
    assert {name: count for name, count in covered.items() if count < share * REPETITIONS} == {}
    assert covered["saving"] >= 0.9 * REPETITIONS


@pytest.mark.parametrize("kind", ["absolute", "relative"])
@pytest.mark.parametrize(("shape", "spread"), [("chain", 0.5), ("fan", 1.0)])
@pytest.mark.parametrize("runs", [10, 50, 100])
def test_limit_when_truth_breaks_it_by_a_twentieth_then_it_is_said_to_hold_in_no_more_than_one_of_twenty(
    kind, shape, spread, runs
):
    """With few runs as with many."""
    _, (tail, at_home) = _truth(shape, spread)
    limit = tail / 1.05 if kind == "absolute" else 100 * tail / 1.05 / at_home
    assert _said_to_hold(shape, spread, runs, {"type": kind, "value": limit}) <= 0.05


def test_limit_when_truth_is_well_within_it_then_it_is_said_to_hold():
    """A relative one by fifty runs, since what a move adds is known from each; an absolute one takes more."""
    _, (tail, at_home) = _truth("chain", 0.5)
    assert _said_to_hold("chain", 0.5, 50, {"type": "relative", "value": 120 * tail / at_home}) == 1
    assert _said_to_hold("chain", 0.5, 50, {"type": "absolute", "value": 100 * tail}) == 0
    assert _said_to_hold("chain", 0.5, 100, {"type": "absolute", "value": 3 * tail}) == 1


def _said_to_hold(shape, spread, runs, limit):
    """In which share of the repetitions a limit on the tail of run time is said to hold."""
    held = 0
    for seed in range(40):
        problem = world(shape, runs, 100 + seed, spread=spread, data_gb=DATA_GB, hard={"runtime": limit})
        verdict = SureLimit(problem.objective, LimitKind.HARD, Metric.RUNTIME).verdict(*days(problem, worlds=16))
        held += verdict == LimitVerdict.HOLDS
    return held / 40


@pytest.mark.parametrize("runs", [10, 30, 50])
def test_verdict_when_moving_loses_a_little_in_truth_then_saves_is_said_in_no_more_than_one_of_twenty(runs):
    """Under the problem's own assumptions it loses 9 %: some samples of few runs say the opposite."""
    said = [_verdict(world("chain", runs, 100 + seed, data_gb=DATA_GB)) for seed in range(40)]
    assert said.count(Verdict.SAVES) <= 2


def _verdict(problem):
    plan = Plan(ALL_HOURS, moved(problem))
    name, version = problem.workflow.name, problem.workflow.version
    return sensitivity(problem, Placement(name, version, problem.home_region, (plan,))).verdict


def test_verdict_when_each_run_saves_and_they_are_fewer_than_thirty_then_they_are_too_few():
    """What was seen in none of them may be in one of ten."""
    assert _verdict(world("fan", 29, seed=1)) == Verdict.TOO_FEW
    assert _verdict(world("fan", 30, seed=1)) in {Verdict.SAVES, Verdict.DEPENDS}
    assert AWAY in moved(world("fan", 30, seed=1)).values()
