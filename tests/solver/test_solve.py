"""What a solve hands back: plans for every hour, honest about how good they are; and what an evaluation says."""

import copy
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import caribou.solver
from caribou.model.errors import InvalidInputError, InvalidPlacementError
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.schema.placement import parse_placement
from caribou.model.schema.problem import parse_problem, read_problem
from caribou.solver import evaluate, solve, stamped

BEST_KNOWN = {
    "small_sync": -58.9,
    "image_processing": -38.6,
    "text2speech": -72.3,
    "text2speech_tight": -60.2,
    "map_reduce": -56.8,
    "map_reduce_tight": -51.1,
    "video_analytics": -70.3,
    "big": -55.2,
    "huge": -61.4,
}
NOISE = 0.5  # per cent of home, of the drawn runs


def windy(instances):
    """The chain with a second region that is clean at night only."""
    data = instances.chain()
    grid = data["regions"]["us-west-2"]["carbon_intensity_g_per_kwh"]
    grid["hourly"] = [20.0] * 6 + [900.0] * 18
    return data


def test_solver_when_imported_then_offers_these_names():
    """The room's public names."""
    assert caribou.solver.__all__ == ["Estimate", "Evaluation", "Metrics", "evaluate", "solve", "stamped"]


@pytest.mark.parametrize("name", BEST_KNOWN)
def test_shipped_instance_when_solved_then_is_no_worse_than_the_best_known(shipped, name):
    """Every hour is proven optimal on the drawn runs, within the limits, and the day is as good as the best known."""
    problem = read_problem(shipped / f"{name}.json")
    placement = solve(problem)
    evaluation = evaluate(problem, placement)
    change = (evaluation.placed.carbon_g.mean / evaluation.home.carbon_g.mean - 1) * 100
    assert change <= BEST_KNOWN[name] + NOISE
    assert {plan.report["status"] for plan in placement.plans} == {"optimal"}
    assert all(limit["slack"] >= 0 for plan in placement.plans for limit in plan.report["constraints"])


def test_plan_hours_when_the_grid_changes_over_the_day_then_each_hour_is_in_one_plan(instances):
    """Clean nights and dirty days give two plans, which together have each hour once."""
    placement = solve(parse_problem(windy(instances)), samples=50)
    assert [plan.hours for plan in placement.plans] == [tuple(range(6)), tuple(range(6, 24))]
    assert placement.regions_at(3) == {"a": "us-west-2", "b": "us-west-2"}
    assert placement.regions_at(12) == {"a": "us-east-1", "b": "us-east-1"}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_report_when_any_problem_is_solved_then_agrees_with_an_evaluation_and_with_itself(instances, seed):
    """Objective, bound, gap and metrics fit together, and the mean over the plans is what `evaluate` says."""
    hard = {"cost": {"type": "relative", "value": 115}, "carbon": {"type": "relative", "value": 100}}
    problem = parse_problem(instances.made_up(seed, 4, 3, hard=hard))
    placement = solve(problem, seed=seed, samples=40)
    evaluation = evaluate(problem, placement, seed=seed, samples=40)
    reports = [(len(plan.hours) / 24, plan.report) for plan in placement.plans]
    for metric in ("carbon_g", "cost_usd", "runtime_s"):
        expected = sum(share * report["metrics"][metric]["mean"] for share, report in reports)
        assert getattr(evaluation.placed, metric).mean == pytest.approx(expected, rel=1e-6)
    for _, report in reports:
        assert report["objective"] == pytest.approx(report["metrics"]["carbon_g"]["mean"], rel=1e-6)
        assert report["bound"] <= report["objective"]
        assert report["gap"] == pytest.approx(1 - report["bound"] / report["objective"], abs=1e-6)
        assert [limit["name"] for limit in report["constraints"]] == ["hard.carbon", "hard.cost"]
        assert all(limit["slack"] >= 0 for limit in report["constraints"])
        assert report["objective"] <= report["home_metrics"]["carbon_g"]["mean"] * (1 + 1e-9)


def test_solve_when_repeated_then_gives_the_same_bytes(instances):
    """The same problem and seed give the same file, times aside; and the file is one that we read."""
    problem = parse_problem(instances.made_up(3, 5, 3))
    texts = {json.dumps(solve(problem, seed=5, samples=60).to_json()) for _ in range(2)}
    assert len(texts) == 1
    assert parse_placement(json.loads(texts.pop())).workflow == "made_up"


def test_stamped_when_given_times_then_file_has_them_in_utc_and_keeps_the_rest(instances):
    """What only the caller knows is added to the solver's origin; the digest of the moves does not change."""
    placement = solve(parse_problem(instances.chain()), seed=4, samples=50)
    solved_at = datetime(2026, 3, 1, 2, 0, tzinfo=timezone(timedelta(hours=2)))
    done = stamped(
        placement,
        solved_at=solved_at,
        expires_at=solved_at + timedelta(days=7),
        problem_sha256="0" * 64,
        seconds=1.23456,
    )
    found = parse_placement(done.to_json()).to_json()
    assert found["solved_at"] == "2026-03-01T00:00:00Z"
    assert found["expires_at"] == "2026-03-08T00:00:00Z"
    assert found["problem_sha256"] == "0" * 64
    assert found["solver"] == {"name": "caribou", "version": "1", "seed": 4, "samples": 50, "seconds": 1.235}
    assert done.digest == placement.digest
    assert done.is_expired(datetime(2026, 3, 9, tzinfo=UTC))


def test_status_when_no_placement_meets_a_hard_limit_then_is_infeasible_and_home(instances):
    """The plan is home, says that it is infeasible, and by how much the limit is missed."""
    data = instances.chain()
    data["objective"]["hard"] = {"runtime": {"type": "absolute", "value": 1.0}}
    plan = solve(parse_problem(data), samples=50).plans[0]
    assert set(plan.regions.values()) == {"us-east-1"}
    assert plan.report["status"] == "infeasible"
    assert plan.report["constraints"] == [
        {"name": "hard.runtime", "limit": 1.0, "value": 5.6, "slack": -4.6, "binding": True}
    ]


def test_binding_when_a_limit_keeps_from_something_better_then_is_true_and_else_false(instances):
    """Only the limit that rules out a better placement is called binding."""
    data = instances.chain()
    limits = {"runtime": {"type": "relative", "value": 100}, "cost": {"type": "relative", "value": 500}}
    data["objective"]["hard"] = limits
    constraints = solve(parse_problem(data), samples=50).plans[0].report["constraints"]
    assert {limit["name"]: limit["binding"] for limit in constraints} == {"hard.runtime": True, "hard.cost": False}


def test_hard_carbon_limit_when_an_hour_is_dirty_then_only_that_plan_is_bound(instances):
    """A carbon limit is checked at each hour on its own; the plan reports the hour at which it is closest."""
    data = windy(instances)
    data["objective"]["hard"] = {"carbon": {"type": "absolute", "value": 0.005}}
    night, day = solve(parse_problem(data), samples=50).plans
    assert night.report["status"] == "optimal"
    assert day.report["status"] == "infeasible"


@pytest.mark.parametrize(("seed", "samples", "where"), [(-1, 100, "seed"), (0, 5, "samples")])
def test_solve_when_seed_or_samples_make_no_sense_then_raises(instances, seed, samples, where):
    """A negative seed and too few runs are refused with a message."""
    with pytest.raises(InvalidInputError, match=where):
        solve(parse_problem(instances.chain()), seed=seed, samples=samples)


def test_evaluate_when_given_regions_hours_or_a_placement_then_they_agree(instances):
    """One map for all hours, a map by hour, and a placement are three ways to say the same."""
    problem = parse_problem(windy(instances))
    placement = solve(problem, samples=50)
    by_hour = {hour: placement.regions_at(hour) for hour in ALL_HOURS}
    assert evaluate(problem, by_hour, samples=50) == evaluate(problem, placement, samples=50)
    at_home = {"a": "us-east-1", "b": "us-east-1"}
    found = evaluate(problem, at_home, samples=50)
    assert found.placed == found.home


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ({"a": "us-east-1"}, "lacks a node"),
        ({"a": "us-east-1", "b": "us-east-1", "c": "us-east-1"}, "unknown node"),
        ({"a": "us-east-1", "b": "eu-west-1"}, "not allowed"),
        ({0: {"a": "us-east-1", "b": "us-east-1"}}, "lacks an hour"),
    ],
)
def test_evaluate_when_the_placement_does_not_fit_then_raises(instances, regions, message):
    """A node too few or too many, a region that is not allowed, or a missing hour is an error, not a guess."""
    with pytest.raises(InvalidPlacementError, match=message):
        evaluate(parse_problem(instances.chain()), regions)


def test_evaluate_when_the_placement_is_another_workflows_then_raises(instances):
    """A placement is only evaluated with a problem of its own workflow, version and home."""
    data = instances.chain()
    placement = solve(parse_problem(data), samples=50)
    other = copy.deepcopy(data)
    other["workflow"]["version"] = "0.0.2"
    with pytest.raises(InvalidPlacementError, match=r"another version .*0\.0\.1, expected 0\.0\.2"):
        evaluate(parse_problem(other), placement)


def test_placement_when_solved_then_is_the_models(instances):
    """`solve` returns the model's placement."""
    assert isinstance(solve(parse_problem(instances.chain()), samples=50), Placement)
