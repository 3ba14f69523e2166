"""The search on problems whose rows are runs: against every placement there is."""

from itertools import product

import numpy as np
import pytest
from observed_problem import AWAY, FAR, HOME, observed_problem

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import solve
from caribou.solver.simulation.carbon_and_cost import DAY
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.evaluator import Evaluator


def every_placement(problem):
    """Node to region, each way there is."""
    names = list(problem.nodes)
    return [dict(zip(names, regions, strict=True)) for regions in product((HOME, AWAY, FAR), repeat=len(names))]


def best_of_all(problem, limit_s):
    """The least mean carbon over the day among the placements whose tail is within a limit, one plan for all hours."""
    evaluator = Evaluator(problem, 0, 100, (Metric.RUNTIME,))
    scores = evaluator.score(np.array([place_positions(problem, p) for p in every_placement(problem)]))
    within = scores.tail(Metric.RUNTIME, DAY) <= limit_s * (1 + 1e-9)
    return scores.mean(Metric.CARBON, DAY)[within].min()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("limit", [None, 101, 120])
def test_solution_when_runs_are_rows_then_nothing_within_the_limit_emits_less(seed, share, limit):
    """81 placements, with and without a share that stays home, and a limit on the tail just above home's."""
    data = observed_problem(seed, runs=30 + seed, bucket=[HOME, AWAY, None][seed % 3]).problem
    data["entry"]["stays_home_share"] = share
    if limit is not None:
        data["objective"]["hard"] = {"runtime": {"type": "relative", "value": limit}}
    problem = parse_problem(data)
    home = Evaluator(problem, 0, 100, (Metric.RUNTIME,))
    home_tail = float(home.score(home.home[np.newaxis]).tail(Metric.RUNTIME, DAY)[0])

    static = solve(problem).origin["static"]

    assert static["status"] == "optimal"
    expected = best_of_all(problem, home_tail * limit / 100 if limit else np.inf)
    assert static["objective"] == pytest.approx(expected, rel=1e-6)
