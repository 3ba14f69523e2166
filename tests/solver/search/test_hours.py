"""The search finds the best placement, says how it knows, and prefers home."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver.search import hours, large_neighbourhood
from caribou.solver.search.hourly import Hourly
from caribou.solver.search.objective import Criteria, tails_needed
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.search.tail_screen import TailScreen
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.lower_bounds import FloorTables

SAMPLES = 30
HOUR = 7

seeds = st.integers(0, 10**6)
limits = st.dictionaries(
    st.sampled_from(Metric), st.floats(85.3, 140.7).map(lambda v: {"type": "relative", "value": v}), max_size=2
)
objectives = st.fixed_dictionaries({"priority": st.permutations(tuple(Metric)), "hard": limits, "soft": limits})


def every_placement(evaluator):
    """All placements that are allowed, (n, N)."""
    grids = np.meshgrid(*evaluator.allowed, indexing="ij")
    return np.stack([grid.ravel() for grid in grids], axis=1)


def chosen(data, *, hour=HOUR, seed=0, samples=SAMPLES, **options):
    """The search's choice by the criteria of one hour, with the cache and the criteria."""
    problem = parse_problem(data)
    evaluator = Evaluator(problem, seed, samples, tails_needed(problem.objective))
    cache = ScoreCache(evaluator)
    criteria = Criteria.of(evaluator, cache.subset(np.array([0])), hour)
    return hours.choose(cache, Hourly((), criteria), **options).static, cache, criteria


def objective_of(choice, cache, criteria):
    """The mean of the metric of first priority."""
    return float(cache.subset(cache.positions(choice.places[np.newaxis])).mean(criteria.objective, choice.hour)[0])


@settings(max_examples=30)
@given(seed=seeds, nodes=st.integers(1, 3), regions=st.integers(1, 3), objective=objectives)
def test_choice_when_everything_is_tried_by_the_reference_then_nothing_better_is_found(
    instances, reference, *, seed, nodes, regions, objective
):
    """The choice equals that of brute force with the plain implementation: violations, then means by priority."""
    data = instances.made_up(seed, nodes, regions, **objective)
    expected = reference.best_placement(data, hour=HOUR, seed=0, samples=SAMPLES)
    choice, cache, criteria = chosen(data)
    assert choice.feasible == (expected is not None)
    if expected is not None:
        scores = cache.subset(cache.positions(choice.places[np.newaxis]))
        found = [scores.mean(metric, HOUR)[0] for metric in criteria.priority]
        violated = criteria.keys(scores, choice.places[np.newaxis])[0, 1]
        assert violated == expected[0][0]
        assert found[0] == pytest.approx(expected[0][1], rel=1e-8)
        assert choice.proven
        assert choice.bound == pytest.approx(expected[0][1], rel=1e-8)


@settings(max_examples=40)
@given(seed=seeds, metric=st.sampled_from(Metric))
def test_floor_of_any_placement_when_scored_then_is_not_above_its_mean(instances, seed, metric):
    """The lower_bounds bounds the mean of every placement, and its minimum bounds every floor."""
    problem = parse_problem(instances.made_up(seed, 5, 3))
    evaluator = Evaluator(problem, seed, SAMPLES)
    rng = np.random.default_rng(seed)
    places = np.array([[rng.choice(allowed) for allowed in evaluator.allowed] for _ in range(20)])
    lower_bounds = evaluator.lower_bounds(metric, HOUR)
    floor, mean = lower_bounds.floor(places), evaluator.score(places).mean(metric, HOUR)
    assert (floor <= mean * (1 + 1e-9)).all()
    assert (lower_bounds.minimum <= floor * (1 + 1e-9)).all()


@settings(max_examples=40)
@given(seed=seeds, nodes=st.integers(1, 4))
def test_bounds_of_partial_placements_when_extended_then_bound_all_completions_and_end_in_the_floor(
    instances, *, seed, nodes
):
    """A partial placement's bound is at most the floor of each of its completions; a complete one's is its floor."""
    evaluator = Evaluator(parse_problem(instances.made_up(seed, nodes, 3)), seed, SAMPLES)
    bounds_by_hour = [evaluator.lower_bounds(Metric.CARBON, hour) for hour in (HOUR, 12)]
    tables = FloorTables.of(bounds_by_hour)
    everything = every_placement(evaluator)
    floors = np.stack([one.floor(everything) for one in bounds_by_hour], axis=1)
    places, bounds = evaluator.allowed[0][:, np.newaxis], tables.roots
    for node in range(1, nodes + 1):
        for row, bound in zip(places, bounds, strict=True):
            completions = floors[(everything[:, :node] == row).all(axis=1)]
            assert (bound <= completions.min(axis=0) * (1 + 1e-9)).all()
        if node < nodes:
            bounds = tables.extended(places, bounds).reshape(-1, 2)
            regions = evaluator.allowed[node]
            places = np.column_stack([np.repeat(places, len(regions), axis=0), np.tile(regions, len(places))])
    np.testing.assert_allclose(bounds, floors, rtol=1e-9)


@settings(max_examples=40)
@given(seed=seeds, limit=st.floats(85, 125), metric=st.sampled_from([Metric.RUNTIME, Metric.COST]))
def test_screen_when_a_partial_placement_is_dropped_then_no_completion_meets_the_limits(
    instances, *, seed, limit, metric
):
    """What the screen drops is lost for sure: every completion's tail is above the limit."""
    hard = {metric: {"type": "relative", "value": limit}}
    evaluator = Evaluator(parse_problem(instances.made_up(seed, 4, 3, hard=hard)), seed, SAMPLES, (metric,))
    everything = every_placement(evaluator)
    scores = evaluator.score(everything)
    bounds = Criteria.of(evaluator, evaluator.score(evaluator.home[np.newaxis]), HOUR).bounds
    meets = bounds[0].excess(scores, HOUR) == 0
    screen = TailScreen.of(evaluator, bounds, [evaluator.home], evaluator.allowed)
    for node in range(1, 5):
        partial = np.unique(everything[:, :node], axis=0)
        for row, passes in zip(partial, screen.passes(partial), strict=True):
            completions = (everything[:, :node] == row).all(axis=1)
            assert passes or not meets[completions].any()
            mean = scores.means[Metric.RUNTIME][completions].min()
            assert screen.mean_runtime_s(row[np.newaxis])[0] <= mean * (1 + 1e-9)


@settings(max_examples=20)
@given(seed=seeds)
def test_objective_when_a_region_is_added_then_is_never_worse(instances, seed):
    """One more region to choose from cannot make the best plan emit more."""
    data = instances.made_up(seed, 4, 2, hard={"runtime": {"type": "relative", "value": 120}})
    wider = copy.deepcopy(data)
    wider["regions"]["sa-east-1"] = instances.region(50.0)
    for a in wider["regions"]:
        wider["ping_s"].setdefault(a, {}).update({b: [0.05] for b in wider["regions"] if b not in wider["ping_s"][a]})
    for node in wider["nodes"].values():
        node["allowed_regions"].append("sa-east-1")
    before, after = (objective_of(*chosen(one)) for one in (data, wider))
    assert after <= before * (1 + 1e-9)


@settings(max_examples=20)
@given(seed=seeds, factor=st.floats(0.1, 3))
def test_carbon_when_all_intensities_are_scaled_then_scales_and_nothing_moves(instances, seed, factor):
    """Carbon is linear in the intensities; their unit does not decide."""
    data = instances.made_up(seed, 4, 3)
    scaled = copy.deepcopy(data)
    scaled["carbon_model"]["unknown_route_g_per_kwh"] *= factor
    for region in scaled["regions"].values():
        grid = region["carbon_intensity_g_per_kwh"]
        grid["average"], grid["hourly"] = grid["average"] * factor, [value * factor for value in grid["hourly"]]
    one, other = chosen(data), chosen(scaled)
    assert objective_of(*other) == pytest.approx(objective_of(*one) * factor, rel=1e-9)
    np.testing.assert_array_equal(one[0].places, other[0].places)


@settings(max_examples=20)
@given(seed=seeds)
def test_choice_when_regions_are_renamed_then_is_the_same_but_for_names(instances, seed):
    """A region's name means nothing, even if one is the start of another."""
    data = instances.made_up(seed, 4, 3, hard={"cost": {"type": "relative", "value": 110}})
    text = json.dumps(data)
    for i, name in enumerate(data["regions"]):
        text = text.replace(name, f"region-{'1' * (i + 1)}")
    (one, *_), (other, *_) = chosen(data), chosen(json.loads(text))
    np.testing.assert_array_equal(one.places, other.places)
    assert one.bound == other.bound


def test_choice_when_no_region_is_cleaner_then_is_home(instances):
    """Nothing moves for nothing: with equal grids, prices and speeds every hop only adds carbon."""
    data = instances.chain()
    data["regions"]["us-west-2"] = instances.region()
    choice, cache, _ = chosen(data)
    np.testing.assert_array_equal(choice.places, cache.evaluator.home)
    assert choice.proven


def test_choice_when_a_node_never_runs_then_leaves_it_at_home(instances):
    """Where a placement makes no difference, the node stays."""
    data = instances.chain()
    data["edges"][0].update(probability=0.0, transfers={})
    data["nodes"]["b"]["runs"] = {}
    choice, cache, _ = chosen(data)
    assert choice.places[1] == cache.evaluator.home[1]


def test_choice_when_even_home_breaks_a_hard_limit_then_is_infeasible_and_home(instances):
    """If nothing meets the limits, the nodes stay at home, and the choice says that it is not feasible."""
    data = instances.chain()
    data["objective"]["hard"] = {"runtime": {"type": "absolute", "value": 0.5}}
    choice, cache, _ = chosen(data)
    assert not choice.feasible
    assert choice.proven
    np.testing.assert_array_equal(choice.places, cache.evaluator.home)


def test_choice_when_home_breaks_a_limit_that_another_region_meets_then_moves(instances):
    """An infeasible start is left for something feasible, even at the price of carbon."""
    data = instances.chain()
    data["regions"]["us-west-2"] = instances.region(600.0, slowness=0.5)
    data["objective"]["hard"] = {"runtime": {"type": "relative", "value": 90}}
    choice, _, _ = chosen(data)
    assert choice.feasible
    assert choice.places.tolist() == [0, 1]


def test_choice_when_soft_limits_differ_in_number_broken_then_fewer_come_before_carbon(instances):
    """The number of broken soft limits is counted before the order of priority."""
    data = instances.chain()
    assert chosen(data)[0].places.tolist() == [1, 1]
    data["objective"]["soft"] = {"cost": {"type": "relative", "value": 100}}
    assert chosen(data)[0].places.tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("stops", [False, True])
def test_choice_when_cut_short_then_is_feasible_with_a_valid_bound(instances, monkeypatch, *, seed, stops):
    """Cut short, the search still gives a feasible plan, a bound that holds, and does not claim a proof it lacks."""
    data = instances.made_up(seed, 5, 3, hard={"runtime": {"type": "relative", "value": 103}})
    best = objective_of(*chosen(data))
    monkeypatch.setattr(hours, "FIRST_WORK", 1)
    monkeypatch.setattr(hours, "MAX_WORK", 40)
    monkeypatch.setattr(large_neighbourhood, "WORK", 1)
    choice, cache, criteria = chosen(data, should_stop=lambda: stops)
    found = objective_of(choice, cache, criteria)
    assert choice.feasible
    assert choice.bound <= best * (1 + 1e-9)
    assert found >= best * (1 - 1e-9)
    if choice.proven:
        assert found == pytest.approx(best, rel=1e-8)


@settings(max_examples=20)
@given(seed=seeds, metric=st.sampled_from(Metric), loose=st.floats(100, 140), factor=st.floats(0.85, 1))
def test_objective_when_a_limit_is_tightened_then_never_improves(instances, *, seed, metric, loose, factor):
    """What meets the tighter limit meets the looser one too."""
    found = []
    for value in (loose, loose * factor):
        hard = {metric: {"type": "relative", "value": value}}
        choice, cache, criteria = chosen(instances.made_up(seed, 4, 3, hard=hard))
        found.append(objective_of(choice, cache, criteria) if choice.feasible else np.inf)
    assert found[1] >= found[0] * (1 - 1e-9)
