"""Observed runs, placed: the solver's numbers against those of plain Python."""

import random

import numpy as np
import pytest
from observed_problem import AWAY, FAR, HOME, observed_problem

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver.simulation.carbon_and_cost import AVERAGE
from caribou.solver.simulation.evaluation import place_positions
from caribou.solver.simulation.evaluator import Evaluator

RUNS = 12


@pytest.mark.parametrize("seed", range(12))
def test_observed_runs_when_placed_then_each_equals_the_reference(reference, observed_reference, seed):
    """Carbon, cost and run time, wherever nodes ran, endpoints are and processes started."""
    chance = random.Random(seed)
    ran = {node: chance.choice((HOME, AWAY, FAR)) for node in "bcd"}
    data = observed_problem(seed, RUNS, regions=ran, bucket=chance.choice((HOME, AWAY, FAR, None, "eu-west-1"))).problem
    data["entry"]["plan_read_at_function_probability"] = 0.0
    data["carbon_model"].update(transmission_kwh_per_gb=0.004)
    for region in data["regions"].values():
        region["relative_run_time"] = chance.uniform(0.8, 1.3)
    for node in data["nodes"].values():
        for runs in node["runs"].values():
            runs["init_s"] = [chance.choice((0.0, chance.uniform(0.1, 2))) for _ in runs["run"]]
    regions = {node: chance.choice((HOME, AWAY, FAR)) for node in data["nodes"]}
    hour = chance.choice((None, 3, 17))

    expected = np.array([observed_reference.run_of(reference, data, row, regions, hour=hour) for row in range(RUNS)]).T
    problem = parse_problem(data)
    details = Evaluator(problem, 0, 20).details(place_positions(problem, regions), [AVERAGE if hour is None else hour])

    np.testing.assert_allclose(details[Metric.RUNTIME], expected[2], rtol=1e-9)
    np.testing.assert_allclose(details[Metric.COST], expected[1], rtol=1e-9)
    np.testing.assert_allclose(details[Metric.CARBON][0], expected[0], rtol=1e-9)
