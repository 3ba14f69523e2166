"""The cheapest or quickest plan within a share of the least carbon is that of brute force."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.model.errors import InvalidInputError
from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import Within, solve
from caribou.solver.search.objective import Criteria, tails_needed
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.precision import EPSILON

TIMES = int(os.environ.get("CARIBOU_EXAMPLES", "1"))
SAMPLES = 25
limits = st.dictionaries(
    st.sampled_from(Metric), st.floats(80.3, 140.7).map(lambda v: {"type": "relative", "value": v}), max_size=2
)


def brute_force(evaluator, places, hour, within):
    """The least mean of the other metric, by scoring all placements at an hour; None where none is feasible.

    Of those that meet the hard limits, and break as few soft ones as can be, the ones near the least of the first.
    """
    scores, home = evaluator.score(places), evaluator.score(evaluator.home[np.newaxis])
    criteria = Criteria.of(evaluator, home, hour)
    excess, violated = criteria.keys(scores, places)[:, :2].T
    kept = (excess == 0) & (violated == violated[excess == 0].min(initial=np.inf))
    if not kept.any():
        return None
    first = scores.mean(criteria.objective, hour)
    near = kept & (first <= first[kept].min() * (1 + within.share) * (1 + EPSILON))
    return scores.mean(within.then, hour)[near].min()


@settings(max_examples=15 * TIMES)
@given(
    seed=st.integers(0, 10**6),
    nodes=st.integers(1, 4),
    regions=st.integers(2, 4),
    order=st.permutations(tuple(Metric)),
    hard=limits,
    soft=limits,
    share=st.sampled_from([0.0, 0.02, 0.1, 0.5]),
)
def test_within_when_all_placements_are_scored_then_none_that_is_as_near_has_less(
    instances, *, seed, nodes, regions, order, hard, soft, share
):
    """At each hour; and the plan says how near it is."""
    objective = {"priority": order[:2] if seed % 2 else order, "hard": hard, "soft": soft, "tail_percentile": 90}
    problem = parse_problem(instances.made_up(seed, nodes, regions, **objective))
    within = Within(share, order[1 + seed % 2])
    placement = solve(problem, seed=seed, samples=SAMPLES, within=within)
    evaluator = Evaluator(problem, seed, SAMPLES, tails_needed(problem.objective))
    everything = np.stack([grid.ravel() for grid in np.meshgrid(*evaluator.allowed, indexing="ij")], axis=1)
    for plan in placement.plans:
        least = [brute_force(evaluator, everything, hour, within) for hour in plan.hours]
        assert (plan.report["status"] == "infeasible") == (None in least)
        if None not in least:
            assert plan.report["status"] == "optimal"
            assert plan.report["objective"] == pytest.approx(np.mean(least), rel=1e-8)
            near = plan.report["near"]
            assert near["metric"] == order[0]
            assert near["value"] <= near["limit"] * (1 + 1e-8)
    assert placement.origin["solver"]["within"] == {"share": share, "then": within.then}


def test_within_when_the_share_is_nothing_then_the_first_metric_is_as_without(instances):
    """Only what is equal to nine digits may differ."""
    problem = parse_problem(instances.made_up(3, 4, 3, priority=list(Metric)))
    plain, near = solve(problem, samples=SAMPLES), solve(problem, samples=SAMPLES, within=Within(0.0, Metric.COST))
    assert [plain.regions_at(hour) for hour in ALL_HOURS] == [near.regions_at(hour) for hour in ALL_HOURS]


def test_within_when_few_regions_are_allowed_then_the_least_is_that_of_so_few(instances):
    """Both solves keep to them."""
    problem = parse_problem(instances.made_up(7, 4, 4, priority=list(Metric)))
    placement = solve(problem, samples=SAMPLES, max_regions=1, within=Within(0.1, Metric.RUNTIME))
    assert len(placement.regions - {problem.home_region}) <= 1


@pytest.mark.parametrize(
    ("within", "robust", "what"),
    [
        (Within(-0.1, Metric.COST), False, "within: is not a share"),
        (Within(0.1, Metric.CARBON), False, "is the metric of first priority"),
        (Within(0.1, Metric.COST), True, "found: a robust objective"),
    ],
)
def test_within_when_it_makes_no_sense_then_raises(instances, within, robust, what):
    """With the remedy."""
    problem = parse_problem(instances.made_up(1, 3, 3, priority=list(Metric), robust=robust))
    with pytest.raises(InvalidInputError, match=what):
        solve(problem, samples=SAMPLES, within=within)
