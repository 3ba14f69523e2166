"""Observed runs, placed: the solver's numbers against those of plain Python."""

import math
import random

import numpy as np
import pytest
from observed_problem import AWAY, FAR, HOME, START, observed_problem

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver.simulation.carbon_and_cost import AVERAGE
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.evaluator import Evaluator

RUNS = 12


@pytest.mark.parametrize("seed", range(12))
def test_observed_runs_when_placed_then_each_equals_the_reference(reference, observed_reference, seed):
    """Carbon, cost and run time, wherever nodes ran, endpoints are and processes started."""
    chance = random.Random(seed)
    data = observed_problem(
        seed, RUNS, regions=_ran(chance), bucket=chance.choice((HOME, AWAY, FAR, None, "eu-west-1"))
    ).problem
    data["entry"]["plan_read_at_function_probability"] = 0.0
    data["carbon_model"].update(transmission_kwh_per_gb=0.004)
    for region in data["regions"].values():
        region["relative_run_time"] = chance.uniform(0.8, 1.3)
    for node in data["nodes"].values():
        for runs in node["runs"].values():
            runs["init_s"] = [chance.choice((0.0, chance.uniform(0.1, 2))) for _ in runs["run"]]
            for exchanged in runs["external"].values():
                exchanged["puts"] = [chance.randrange(4) for _ in runs["run"]]
    _at_boundaries(data, chance)
    regions = {node: chance.choice((HOME, AWAY, FAR)) for node in data["nodes"]}
    hour = chance.choice((None, 3, 17))

    expected = np.array([observed_reference.run_of(reference, data, row, regions, hour=hour) for row in range(RUNS)]).T
    problem = parse_problem(data)
    details = Evaluator(problem, 0, 20).details(place_positions(problem, regions), [AVERAGE if hour is None else hour])

    np.testing.assert_allclose(details[Metric.RUNTIME], expected[2], rtol=1e-9)
    np.testing.assert_allclose(details[Metric.COST], expected[1], rtol=1e-9)
    np.testing.assert_allclose(details[Metric.CARBON][0], expected[0], rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_means_and_tails_when_placed_then_they_are_those_of_the_reference(reference, observed_reference, seed):
    """The mean over the runs, and the least value that 95 % of them are not above, of each metric at one hour."""
    chance = random.Random(seed)
    data = observed_problem(seed, RUNS, regions=_ran(chance)).problem
    data["entry"]["plan_read_at_function_probability"] = 0.0
    regions = {node: chance.choice((HOME, AWAY, FAR)) for node in data["nodes"]}

    runs = [observed_reference.run_of(reference, data, row, regions, hour=3) for row in range(RUNS)]
    problem = parse_problem(data)
    scores = Evaluator(problem, 0, 20, tuple(Metric)).score(place_positions(problem, regions)[np.newaxis])

    for metric, values in zip((Metric.CARBON, Metric.COST, Metric.RUNTIME), zip(*runs, strict=True), strict=True):
        assert scores.mean(metric, 3)[0] == pytest.approx(math.fsum(values) / RUNS, rel=1e-9)
        assert scores.tail(metric, 3)[0] == pytest.approx(sorted(values)[math.ceil(0.95 * RUNS) - 1], rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_cold_starts_when_some_runs_stay_home_then_carbon_and_cost_equal_the_reference(
    reference, observed_reference, seed
):
    """Those of moved runs, and those of the few that stay behind; when they come, in a run, is drawn."""
    chance = random.Random(seed)
    data = observed_problem(seed, RUNS, regions=_ran(chance)).problem
    data["entry"].update(plan_read_at_function_probability=0.0, stays_home_share=0.2)
    data["runs"]["started_at"] = [START + 500 * row for row in range(RUNS)]
    for node in data["nodes"].values():
        for runs in node["runs"].values():
            runs["init_s"] = [chance.choice((0.0, 1.5)) for _ in runs["run"]]
    regions = {node: chance.choice((HOME, AWAY, FAR)) for node in data["nodes"]}

    expected = np.array([observed_reference.run_of(reference, data, row, regions, hour=3) for row in range(RUNS)]).T
    problem = parse_problem(data)
    details = Evaluator(problem, 0, 20).details(place_positions(problem, regions), [3])

    np.testing.assert_allclose(details[Metric.COST][:RUNS], expected[1], rtol=1e-9)
    np.testing.assert_allclose(details[Metric.CARBON][0][:RUNS], expected[0], rtol=1e-9)


def _ran(chance):
    """Where nodes ran, run by run: in two regions each, so that something is learned of their speeds."""
    two = {node: chance.sample((HOME, AWAY, FAR), 2) for node in "bcd"}
    return [{node: chance.choice(regions) for node, regions in two.items()} for _ in range(RUNS)]


def _at_boundaries(data, chance):
    """Items and messages of sizes about a unit, payloads that rest in a bucket, egress by pair."""
    runs, entry = data["runs"], data["entry"]
    runs["item_bytes"] = [[chance.randrange(800, 1100) for _ in range(chance.randrange(2, 5))] for _ in runs["id"]]
    runs["input_bytes"] = [chance.randrange(300) for _ in runs["id"]]
    runs["input_room_bytes"] = [chance.randrange(100) for _ in runs["id"]]
    entry["sent_gb"] = [chance.choice((gb, gb / 2, gb + 1e-4)) for gb in entry["payload_gb"]]
    for edge in data["edges"]:
        for seen in edge["transfers"].values():
            seen["sent_gb"] = [chance.choice((gb * 0.7, gb + 1e-6)) for gb in seen["payload_gb"]]
    for node in data["nodes"].values():
        node["claim_bytes"] = chance.choice((0, 900, 1500))
        if "report_bytes" in node:
            node["report_bytes"] = [chance.randrange(900, 1200) for _ in node["report_bytes"]]
    for name, region in data["regions"].items():
        region["price_usd"]["egress_to_per_gb"] = {
            other: chance.random() / 50 for other in data["regions"] if other != name
        }
