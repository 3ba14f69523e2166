"""Plans that are best in their worst corner: against every placement there is, and what is said of those left out.

CARIBOU_EXAMPLES=50 tries fifty times as many problems.
"""

import os
import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observed_problem import AWAY, FAR, HOME, observed_problem

from caribou.model.errors import InvalidProblemError
from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.schema.placement import parse_placement
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import judge, saving_over, solve
from caribou.solver.analysis.explanation import explain
from caribou.solver.analysis.sensitivity import sensitivity
from caribou.solver.search.day import with_better_static
from caribou.solver.search.hours import choose
from caribou.solver.search.objective import Criteria, tails_needed
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.simulation.worst_corner import candidates, evaluator_of
from caribou.solver.solve import criteria_of_day

TIMES = int(os.environ.get("CARIBOU_EXAMPLES", "1"))
SAMPLES = 25
seeds = st.integers(0, 10**6)


def robust(data, **objective):
    """A problem that asks for the plan that is best in its worst corner."""
    data["objective"].update(robust=True, **objective)
    return parse_problem(data)


def with_marginal(data, seed, unknown=()):
    """The problem with marginal intensities, but for some regions."""
    chance = random.Random(seed)
    for name, region in data["regions"].items():
        region["carbon_intensity_g_per_kwh"]["marginal"] = None if name in unknown else chance.uniform(50, 900)
    return data


def worst(problem, placement):
    """The saving over the day in the worst corner, as the verdict has it."""
    return min(corner.saving for corner in sensitivity(problem, placement, samples=SAMPLES).corners)


def all_day(problem, regions):
    """A placement that is the same all day."""
    return Placement(problem.workflow.name, problem.workflow.version, problem.home_region, (Plan(ALL_HOURS, regions),))


def everywhere(problem):
    """Every placement that is the same all day."""
    for regions in product(*(node.allowed_regions for node in problem.nodes.values())):
        yield all_day(problem, dict(zip(problem.nodes, regions, strict=True)))


@pytest.mark.parametrize("seed", range(4))
def test_plan_when_it_is_robust_then_no_plan_for_all_hours_saves_more_in_its_worst_corner(seed):
    """81 placements of observed runs whose data is at home, away, or nobody knows where."""
    data = observed_problem(seed, runs=12, bucket=[HOME, AWAY, FAR, None][seed]).problem
    data["entry"]["stays_home_share"] = 0.1
    problem = robust(with_marginal(data, seed))
    solved = solve(problem)
    best = max(worst(problem, placement) for placement in everywhere(problem))
    assert worst(problem, all_day(problem, solved.origin["static"]["regions"])) == pytest.approx(best)
    assert worst(problem, solved) >= best - 1e-9
    assert solved.origin["static"]["status"] == "optimal"
    assert solved.origin["static"]["gap"] == 0


@settings(max_examples=25 * TIMES)
@given(
    seed=seeds,
    nodes=st.integers(1, 4),
    hard=st.dictionaries(
        st.sampled_from([Metric.COST, Metric.RUNTIME]),
        st.floats(85.3, 140.7).map(lambda v: {"type": "relative", "value": v}),
    ),
    with_home=st.booleans(),
)
def test_search_when_the_objective_is_robust_then_it_equals_brute_force_at_every_hour(
    instances, *, seed, nodes, hard, with_home
):
    """Floors are floors, and what is called proven is: with limits, drawn runs, with marginal intensity and without."""
    unknown = () if with_home else ("us-east-1",)
    problem = robust(with_marginal(instances.made_up(seed, nodes, 3, hard=hard), seed, unknown))
    cache = ScoreCache(evaluator_of(problem, seed, SAMPLES, tails_needed(problem.objective)))
    criteria = criteria_of_day(cache)
    choices = choose(cache, criteria)
    grids = np.meshgrid(*cache.evaluator.allowed, indexing="ij")
    everything = np.stack([grid.ravel() for grid in grids], axis=1)
    scores = cache.evaluator.score(everything)
    for one, choice in zip(criteria.all, choices.all, strict=True):
        floors = cache.evaluator.lower_bounds(Metric.CARBON, one.hour).floor(everything)
        assert (floors <= scores.mean(Metric.CARBON, one.hour) * (1 + 1e-9)).all()
        keys = one.keys(scores, everything)
        best = keys[Criteria.best(keys, everything)]
        found = one.keys(cache.subset(cache.positions(choice.places[np.newaxis])), choice.places[np.newaxis])[0]
        assert choice.proven
        assert choice.feasible == (best[0] == 0)
        if choice.feasible:
            np.testing.assert_allclose(found[:3], best[:3], rtol=1e-8)


def test_carbon_when_it_is_scored_by_the_worst_corner_then_the_verdict_says_the_same(instances):
    """The share of the day, static or by the hour; home emits what it emits."""
    problem = robust(with_marginal(instances.made_up(5, 4, 3), 5))
    evaluator = evaluator_of(problem, 0, SAMPLES)
    home = evaluator.score(evaluator.home[np.newaxis]).means[Metric.CARBON][0]
    for placement in list(everywhere(problem))[::7]:
        places = np.array([list(problem.regions).index(placement.plans[0].regions[n]) for n in problem.node_order])
        carbon = evaluator.score(places[np.newaxis]).mean(Metric.CARBON, 25)[0]
        assert 1 - carbon / home[25] == pytest.approx(worst(problem, placement))
        assert 1 - evaluator.day_share([places] * 24) == pytest.approx(worst(problem, placement))


@pytest.mark.parametrize("better", [True, False])
def test_hours_when_the_static_plan_is_better_over_the_day_then_it_takes_their_place(instances, better):
    """Its hours are then no longer proven to be best each for itself; else all stays as it was."""
    data = instances.made_up(4, 4, 3)
    cache = ScoreCache(evaluator_of(robust(with_marginal(data, 4)), 0, SAMPLES))
    criteria = criteria_of_day(cache)
    choices = choose(cache, criteria)
    static = choices.static.places
    assert any((choice.places != static).any() for choice in choices.hours)
    found = with_better_static(
        cache, criteria, choices, lambda hours: 0.5 if better == all((one == static).all() for one in hours) else 0.6
    )
    same = [bool((choice.places == static).all()) for choice in choices.hours]
    expected = [static] * 24 if better else [choice.places for choice in choices.hours]
    np.testing.assert_array_equal([choice.places for choice in found.hours], expected)
    assert [choice.proven for choice in found.hours] == (same if better else [True] * 24)


def test_plan_when_it_is_solved_twice_then_it_is_the_same_to_the_last_byte():
    """Weights, floors and ties are no matter of chance."""
    problem = robust(observed_problem(2, runs=20, bucket=AWAY).problem)
    assert solve(problem).to_json() == solve(problem).to_json()


def test_region_when_its_marginal_intensity_is_unknown_then_no_node_is_there_and_it_is_said():
    """It can't be judged by half of the corners, so it is not taken for good in them."""
    data = observed_problem(2, runs=20, bucket=AWAY).problem
    assert AWAY in solve(parse_problem(data)).regions
    problem = robust(with_marginal(data, 2, unknown=[AWAY]))
    solved = solve(problem)
    assert AWAY not in solved.regions
    assert solved.origin["solver"]["left_out"] == [AWAY]
    assert candidates(problem).nodes["a"].allowed_regions == (HOME, FAR)
    assert parse_placement(solved.to_json()).origin["solver"]["robust"] is True


def test_region_when_homes_marginal_intensity_is_unknown_then_only_average_intensity_counts():
    """Nothing can be set against it, so nothing is left out."""
    problem = robust(with_marginal(observed_problem(2, runs=20, bucket=AWAY).problem, 2, unknown=[HOME, AWAY]))
    solved = solve(problem)
    assert "left_out" not in solved.origin["solver"]
    assert (
        solved.origin["static"]["regions"]
        == max(everywhere(problem), key=lambda placement: worst(problem, placement)).plans[0].regions
    )


def test_judgement_when_the_objective_is_robust_then_it_is_by_the_worst_corner():
    """The loop compares by what was asked for."""
    problem = robust(observed_problem(2, runs=20, bucket=AWAY).problem)
    solved = solve(problem)
    home = judge(
        problem, Placement("example", problem.workflow.version, HOME, (Plan(ALL_HOURS, dict.fromkeys("abcd", HOME)),))
    )
    assert 1 - judge(problem, solved).objective / home.objective == pytest.approx(worst(problem, solved), abs=0.01)
    assert explain(problem, solved)


def test_saving_over_another_placement_when_the_objective_is_robust_then_it_is_that_of_the_worst_corners():
    """Against home the verdict's least; against what is best on paper something, though that emits less on paper."""
    data = observed_problem(5, runs=40, bucket=AWAY).problem
    plain, problem = solve(parse_problem(data)), robust(data)
    solved, home = solve(problem), all_day(problem, dict.fromkeys("abcd", HOME))
    over_home, over_plain = (saving_over(problem, solved, against) for against in (home, plain))
    least = min(sensitivity(problem, solved).corners, key=lambda corner: corner.saving)
    assert over_home.mean == pytest.approx(least.saving)
    assert over_home.ci95 == pytest.approx(least.ci95)
    assert over_plain.ci95[0] <= over_plain.mean <= over_plain.ci95[1]
    on_paper = parse_problem({**data, "objective": {**data["objective"], "robust": False}})
    assert over_plain.ci95[0] > 0 > saving_over(on_paper, solved, plain).mean


def test_problem_when_it_is_robust_and_carbon_is_not_first_then_it_is_refused():
    """The corners are of carbon."""
    data = observed_problem(2, runs=3).problem
    with pytest.raises(InvalidProblemError, match=r"objective.robust.*put carbon first"):
        robust(data, priority=["cost", "carbon"])
