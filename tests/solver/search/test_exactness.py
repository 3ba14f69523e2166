"""The solver's answer is the best there is: against brute force, and against closed-form dynamic programming.

CARIBOU_EXAMPLES=50 tries fifty times as many problems: thousands.
"""

import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.model.metric import Metric
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import evaluate, solve
from caribou.solver.search.hours import choose
from caribou.solver.search.objective import Criteria, tails_needed
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.simulation.carbon_and_cost import DAY
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.solve import criteria_of_day

TIMES = int(os.environ.get("CARIBOU_EXAMPLES", "1"))
SAMPLES = 25
seeds = st.integers(0, 10**6)
limits = st.dictionaries(
    st.sampled_from(Metric), st.floats(80.3, 140.7).map(lambda v: {"type": "relative", "value": v}), max_size=3
)
objectives = st.fixed_dictionaries(
    {
        "priority": st.permutations(tuple(Metric)),
        "hard": limits,
        "soft": limits,
        "tail_percentile": st.sampled_from([50, 90, 95, 99.5]),
    }
)


problems = given(seed=seeds, nodes=st.integers(1, 5), regions=st.integers(1, 4), objective=objectives)


@settings(max_examples=12 * TIMES)
@problems
def test_every_hour_when_all_placements_are_scored_on_the_same_runs_then_none_is_better(
    instances, *, seed, nodes, regions, objective
):
    """Excess, broken soft limits and objective equal brute force at all hours, and for the day as one; all proven."""
    check_every_hour(parse_problem(instances.made_up(seed, nodes, regions, **objective)), seed)


@pytest.mark.slow
@settings(max_examples=60 * TIMES)
@problems
def test_every_hour_when_many_problems_are_tried_then_none_has_a_better_placement(
    instances, *, seed, nodes, regions, objective
):
    """The same of some more."""
    check_every_hour(parse_problem(instances.made_up(seed, nodes, regions, **objective)), seed)


def check_every_hour(problem, seed):
    """What is chosen, against every placement that there is."""
    cache = ScoreCache(Evaluator(problem, seed, SAMPLES, tails_needed(problem.objective)))
    criteria = criteria_of_day(cache)
    choices = choose(cache, criteria)
    everything = np.stack([grid.ravel() for grid in np.meshgrid(*cache.evaluator.allowed, indexing="ij")], axis=1)
    scores = cache.evaluator.score(everything)
    for one, choice in zip(criteria.all, choices.all, strict=True):
        keys = one.keys(scores, everything)
        best = keys[Criteria.best(keys, everything)]
        found = one.keys(cache.subset(cache.positions(choice.places[np.newaxis])), choice.places[np.newaxis])[0]
        assert choice.proven
        assert choice.feasible == (best[0] == 0)
        if choice.feasible:
            np.testing.assert_allclose(found[:3], best[:3], rtol=1e-8)
            objective_of_it = scores.mean(one.objective, one.hour)[Criteria.best(keys, everything)]
            assert choice.bound == pytest.approx(objective_of_it, rel=1e-8)
    assert choices.static.hour == DAY


@settings(max_examples=25 * TIMES)
@given(
    seed=seeds,
    nodes=st.integers(1, 14),
    regions=st.integers(1, 8),
    metric=st.sampled_from([Metric.CARBON, Metric.COST]),
)
def test_objective_when_the_workflow_is_a_tree_then_is_that_of_dynamic_programming(
    oracle, *, seed, nodes, regions, metric
):
    """Without chance and limits the least is known in closed form: 14 nodes in 8 regions are 4 * 10^12 placements."""
    data = oracle.tree(random.Random(seed), nodes, regions, observed=1)
    data["objective"]["priority"] = [metric, *(m for m in Metric if m != metric)]
    for plan in solve(parse_problem(data), samples=20).plans:
        least = np.mean([oracle.least(data, metric, hour) for hour in plan.hours])
        assert plan.report["status"] == "optimal"
        assert plan.report["objective"] == pytest.approx(least, rel=1e-7)


@settings(max_examples=25 * TIMES)
@given(seed=seeds, nodes=st.integers(1, 8))
def test_mean_when_known_in_closed_form_then_is_within_the_interval(oracle, seed, nodes):
    """The drawn mean is within 5 standard errors of the expectation (a 95 % interval is 1.96 on each side)."""
    rng = random.Random(seed)
    data = oracle.tree(rng, nodes, 3, observed=4)
    regions = {name: rng.choice(node["allowed_regions"]) for name, node in data["nodes"].items()}
    placed = evaluate(parse_problem(data), regions, seed=seed, samples=1000).placed
    carbon = np.mean([oracle.expected(data, regions, "carbon", hour) for hour in range(24)])
    for found, expected in (
        (placed[Metric.CARBON], carbon),
        (placed[Metric.COST], oracle.expected(data, regions, "cost", 0)),
    ):
        half = found.ci95[1] - found.mean
        assert abs(found.mean - expected) <= 5 / 1.96 * half + 1e-9 * expected
