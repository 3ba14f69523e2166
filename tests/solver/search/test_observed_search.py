"""The search on problems whose rows are runs: against every placement there is."""

import random
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


def moved_tails(evaluator, regions, metric, hours):
    """The tails of the runs that move, at some hours: the least value that 95 % of them are not above."""
    runs = evaluator.details(place_positions(evaluator.problem, regions), hours)[metric]
    moved = np.sort(np.atleast_2d(runs)[:, : len(evaluator.problem.runs.id)], axis=1)
    return moved[:, int(np.ceil(0.95 * moved.shape[1] - 1e-9)) - 1]


@pytest.mark.parametrize("metric", [Metric.CARBON, Metric.COST])
@pytest.mark.parametrize("limit", [60, 97, 104])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_solution_when_carbon_or_cost_is_limited_then_the_runs_that_move_meet_it_and_nothing_better_does(
    share, limit, metric
):
    """By hand: the tail of the moved runs, at each hour, against that of the same runs at home."""
    data = observed_problem(limit, runs=25, bucket=AWAY).problem
    data["entry"]["stays_home_share"] = share
    data["objective"]["hard"] = {metric: {"type": "relative", "value": limit}}
    problem = parse_problem(data)
    evaluator, hours = Evaluator(problem, 0, 100), list(range(24))
    most = limit / 100 * moved_tails(evaluator, dict.fromkeys(problem.nodes, HOME), metric, hours)
    allowed = [p for p in every_placement(problem) if (moved_tails(evaluator, p, metric, hours) <= most).all()]
    scores = evaluator.score(np.array([place_positions(problem, place) for place in allowed]))

    static = solve(problem).origin["static"]

    assert static["status"] == "optimal"
    assert static["objective"] == pytest.approx(scores.mean(Metric.CARBON, DAY).min(), rel=1e-6)


@pytest.mark.parametrize("schema", ["caribou.problem/1", "caribou.problem/2"])
def test_carbon_limit_when_it_is_sixty_per_cent_and_moving_saves_more_then_it_is_met(instances, schema):
    """A tenth of the runs stay home, which is more than the tail: they are home's, and no placement can change them."""
    if schema == "caribou.problem/2":
        data = observed_problem(3, runs=40, bucket=AWAY).problem
    else:
        data = instances.chain()
        data["carbon_model"]["transmission_kwh_per_gb"] = 1e-5
    data["entry"]["stays_home_share"] = 0.1
    data["objective"]["hard"] = {"carbon": {"type": "relative", "value": 60}}
    placement = solve(parse_problem(data), samples=100)
    for plan in placement.plans:
        [limit] = [one for one in plan.report["constraints"] if one["name"] == "hard.carbon"]
        assert plan.report["status"] == "optimal"
        assert 0 < limit["value"] <= limit["limit"]
        assert plan.report["metrics"]["carbon_g"]["mean"] < 0.6 * plan.report["home_metrics"]["carbon_g"]["mean"]


def with_large_items(seed):
    """A problem whose runs' items come to another unit with a region or two more, and lose their input."""
    data, chance = observed_problem(seed, runs=25, regions={"c": AWAY}).problem, random.Random(seed)
    runs = data["runs"]
    runs["item_bytes"] = [[size := chance.randrange(900, 1010), size + 20, size + 40] for _ in runs["id"]]
    runs["input_room_bytes"] = [chance.randrange(2, 80) for _ in runs["id"]]
    runs["input_bytes"] = [chance.randrange(20, 200) for _ in runs["id"]]
    return data


@pytest.mark.parametrize("seed", range(6))
def test_lower_bounds_when_the_bill_hangs_on_the_whole_placement_then_no_mean_is_below_them(seed):
    """Of cost, at every placement: the map of regions in a run's item is no sum over nodes."""
    problem = parse_problem(with_large_items(seed))
    evaluator = Evaluator(problem, 0, 100)
    places = np.array([place_positions(problem, p) for p in every_placement(problem)])
    means = evaluator.score(places).mean(Metric.COST, DAY)
    floors = evaluator.lower_bounds(Metric.COST, DAY).floor(places)
    assert (floors <= means * (1 + 1e-12)).all()
    assert (floors < means * (1 - 1e-9)).any()


@pytest.mark.parametrize("seed", range(6))
def test_solution_when_cost_is_what_counts_then_nothing_costs_less(seed):
    """81 placements of runs whose items grow with the regions that are named in them."""
    data = with_large_items(seed)
    data["objective"]["priority"] = ["cost", "carbon", "runtime"]
    problem = parse_problem(data)
    scores = Evaluator(problem, 0, 100).score(np.array([place_positions(problem, p) for p in every_placement(problem)]))

    static = solve(problem).origin["static"]

    assert static["status"] == "optimal"
    assert static["objective"] == pytest.approx(scores.mean(Metric.COST, DAY).min(), rel=1e-6)
