"""The vectorised evaluator says the same as a plain implementation of the model, run by run."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver.simulation.carbon_and_cost import AVERAGE
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.evaluator import Evaluator

SAMPLES = 40


def some_placement(data, seed):
    """A random placement within what is allowed."""
    rng = random.Random(seed)
    return {name: rng.choice(node["allowed_regions"]) for name, node in data["nodes"].items()}


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6), nodes=st.integers(1, 7), regions=st.integers(1, 4), hour=st.sampled_from([0, 13, None])
)
def test_details_of_any_problem_when_scored_then_equal_the_reference_run_by_run(
    instances, reference, *, seed, nodes, regions, hour
):
    """Carbon, cost and run time of every run equal those of the plain implementation."""
    data = instances.made_up(seed, nodes, regions)
    placement = some_placement(data, seed)
    expected = np.array(reference.runs_of(data, placement, hour=hour, seed=seed, samples=SAMPLES)).T
    problem = parse_problem(data)
    evaluator = Evaluator(problem, seed, SAMPLES)
    details = evaluator.details(place_positions(problem, placement), [AVERAGE if hour is None else hour])
    np.testing.assert_allclose(details[Metric.RUNTIME], expected[2], rtol=1e-9)
    np.testing.assert_allclose(details[Metric.COST], expected[1], rtol=1e-9)
    np.testing.assert_allclose(details[Metric.CARBON][0], expected[0], rtol=1e-9)
