"""The frontier: nothing beats its points, and each is the least carbon within its limits."""

import itertools
import json
from functools import partial

import numpy as np
import pytest

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import solve
from caribou.solver.analysis.frontier import Amounts, Limits, frontier
from caribou.solver.simulation.carbon_and_cost import AVERAGE
from caribou.solver.simulation.evaluator import Evaluator

SAMPLES = 60


def found(problem, levels=3):
    """The frontier of a problem."""
    return frontier(problem, partial(solve, samples=SAMPLES), seed=0, samples=SAMPLES, levels=levels)


def every_placement(problem):
    """The amounts of all placements, by brute force."""
    evaluator = Evaluator(problem, 0, SAMPLES, (Metric.RUNTIME,))
    places = np.array(list(itertools.product(*evaluator.allowed)))
    scores = evaluator.score(places)
    rows = zip(
        scores.mean(Metric.CARBON, AVERAGE),
        scores.means[Metric.COST],
        scores.tail(Metric.RUNTIME, AVERAGE),
        strict=True,
    )
    return [Amounts(float(g), float(usd), float(s)) for g, usd, s in rows]


@pytest.mark.parametrize("seed", range(4))
def test_frontier_when_every_placement_is_tried_then_none_beats_a_point(instances, seed):
    """Points are optimal, none is beaten in all three, and each has the least carbon of what its limits allow."""
    problem = parse_problem(instances.made_up(seed))
    result, everything = found(problem), every_placement(problem)
    for point in result.points:
        assert point.certificate["status"] == "optimal"
        better = [amounts for amounts in everything if amounts.at_most(point.amounts)]
        assert all(point.amounts.at_most(amounts) for amounts in better)
        allowed = [amounts.carbon_g for amounts in everything if point.limits.met_by(amounts)]
        assert point.amounts.carbon_g == pytest.approx(min(allowed))


def test_frontier_when_solved_then_begins_with_the_least_carbon_and_says_how_many_solves_it_took(instances):
    """Points are in order of carbon; at most levels² + 3 problems are solved, and home stands beside them."""
    problem = parse_problem(instances.made_up(1))
    result = found(problem, levels=3)
    carbon = [point.amounts.carbon_g for point in result.points]
    assert carbon == sorted(carbon)
    assert carbon[0] == pytest.approx(min(amounts.carbon_g for amounts in every_placement(problem)))
    assert len(result.points) <= result.solves <= 3**2 + 3
    assert result.home in every_placement(problem)


def test_frontier_when_the_problem_has_limits_then_points_say_whether_they_are_within(instances):
    """The limits do not count for the frontier; the chosen point is the best within them."""
    data = instances.chain()
    data["objective"]["hard"] = {"runtime": {"type": "relative", "value": 100}}
    result = found(parse_problem(data))
    chosen = next(point for point in result.points if point.chosen)
    assert chosen.within_limits
    assert set(chosen.regions.values()) == {instances.HOME}
    assert any(not point.within_limits for point in result.points)
    assert result.own_limits["runtime"] == pytest.approx(result.home.runtime_tail_s)


def test_frontier_when_nothing_meets_the_limits_then_the_chosen_one_is_home_and_outside(instances):
    """What can't be met is shown as such."""
    data = instances.chain()
    data["objective"]["hard"] = {"runtime": {"type": "absolute", "value": 1.0}}
    chosen = next(point for point in found(parse_problem(data)).points if point.chosen)
    assert chosen.certificate["status"] == "infeasible"
    assert not chosen.within_limits


def test_frontier_when_made_twice_then_is_the_same_json(instances):
    """The same problem, seed and samples give the same bytes."""
    problem = parse_problem(instances.made_up(3))
    first, again = (json.dumps(found(problem).to_json()) for _ in range(2))
    assert first == again
    assert json.loads(first)["schema"] == "caribou.frontier/1"


def test_frontier_when_all_is_free_then_is_found_all_the_same(instances):
    """A cost of 0 everywhere is a limit like any other."""
    data = instances.chain()
    for region in data["regions"].values():
        prices = region["price_usd"]
        prices.update({name: 0.0 for name, price in prices.items() if isinstance(price, float)})
        prices.update({name: dict.fromkeys(prices[name], 0.0) for name in ("compute_per_gb_s", "invocation")})
    result = found(parse_problem(data))
    assert all(point.amounts.cost_usd == 0 for point in result.points)
    assert result.points[0].amounts.carbon_g < result.home.carbon_g


def test_limits_when_there_are_none_then_json_says_null():
    """Infinity is no JSON."""
    assert Limits(cost_usd=2.0).to_json() == {"cost_usd": 2.0, "runtime_tail_s": None}
