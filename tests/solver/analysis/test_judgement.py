"""How a placement stands by a problem: the same limits as in the search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.model.errors import InvalidPlacementError
from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import evaluate, judge, solve

HOME, WEST = "us-east-1", "us-west-2"


def placed(*plans):
    """A placement of the chain: (hours, region of both nodes), ..."""
    return Placement("chain", "0.0.1", HOME, tuple(Plan(tuple(hours), {"a": r, "b": r}) for hours, r in plans))


def rarely_slow(instances, percentile):
    """The chain, whose last node takes ten times as long in 3 of 100 runs; at most 10 s at a percentile."""
    data = instances.chain()
    runs = {"duration_s": [40.0] * 3 + [4.0] * 97, "external_data_gb": [0.0] * 100, "call_offset_s": {}}
    data["nodes"]["b"]["runs"] = {HOME: runs}
    data["objective"].update(hard={"runtime": {"type": "absolute", "value": 10.0}}, tail_percentile=percentile)
    return parse_problem(data)


@pytest.mark.parametrize(("percentile", "broken"), [(95, {}), (99, {"runtime": ALL_HOURS})])
def test_limit_when_the_tail_is_judged_then_it_is_at_the_percentile_of_the_problem(instances, percentile, broken):
    """The 95th percentile of every estimate would be within the limit, the 99th that was asked for is not."""
    problem = rarely_slow(instances, percentile)
    placement = placed((ALL_HOURS, HOME))
    assert evaluate(problem, placement).placed[Metric.RUNTIME].p95 < 10.0
    assert judge(problem, placement).broken == broken


def test_limit_when_it_is_on_carbon_then_each_hour_is_judged_for_itself(instances):
    """One dirty hour of 24 is no tail of the day, and breaks the limit all the same."""
    data = instances.chain()
    data["regions"][WEST]["carbon_intensity_g_per_kwh"]["hourly"] = [20.0] * 23 + [900.0]
    data["objective"]["hard"] = {"carbon": {"type": "relative", "value": 110}}
    problem, away = parse_problem(data), placed((ALL_HOURS, WEST))
    evaluation = evaluate(problem, away)
    assert evaluation.placed[Metric.CARBON].p95 < 1.1 * evaluation.home[Metric.CARBON].p95
    assert judge(problem, away).broken == {"carbon": (23,)}
    assert judge(problem, placed((range(23), WEST), ((23,), HOME))).broken == {}


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), limit=st.floats(80.3, 120.7), percentile=st.sampled_from([50, 95, 99.5]))
def test_judgement_when_the_solver_says_how_good_its_plans_are_then_agrees(instances, seed, limit, percentile):
    """What is feasible breaks nothing, what is infeasible does; the objective is the mean over the hours."""
    hard = {metric: {"type": "relative", "value": limit} for metric in ("carbon", "runtime")}
    problem = parse_problem(instances.made_up(seed, 3, 3, hard=hard, tail_percentile=percentile))
    placement = solve(problem, seed=seed, samples=30)
    found = judge(problem, placement, seed=seed, samples=30)
    infeasible = {h for plan in placement.plans if plan.report["status"] == "infeasible" for h in plan.hours}
    broken = {hour for hours in found.broken.values() for hour in hours}
    assert broken <= infeasible
    assert bool(broken) == bool(infeasible)
    hourly = [plan.report["objective"] for hour in ALL_HOURS for plan in placement.plans if hour in plan.hours]
    assert found.objective == pytest.approx(np.mean(hourly), rel=1e-7)


def test_judgement_when_the_placement_is_of_another_version_then_raises(instances):
    """It is not known how it would stand."""
    other = Placement("chain", "0.0.2", HOME, placed((ALL_HOURS, HOME)).plans)
    with pytest.raises(InvalidPlacementError, match="another version"):
        judge(parse_problem(instances.chain()), other, samples=50)
