"""What a solve hands back: plans for every hour, honest about how good they are; and what an evaluation says."""

import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problem_instances import BEST_KNOWN

import caribou.solver
from caribou.model.errors import InvalidInputError, InvalidPlacementError
from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.schema.placement import parse_placement
from caribou.model.schema.problem_file import parse_problem, read_problem
from caribou.solver import evaluate, solve, stamped

NOISE = 0.5  # per cent of home, of the drawn runs


def windy(instances):
    """The chain with a second region that is clean at night only."""
    data = instances.chain()
    grid = data["regions"]["us-west-2"]["carbon_intensity_g_per_kwh"]
    grid["hourly"] = [20.0] * 6 + [900.0] * 18
    return data


def test_solver_when_imported_then_offers_these_names():
    """The room's public names."""
    classes = [
        "ENOUGH_RUNS",
        "Bounds",
        "Change",
        "Comparison",
        "Estimate",
        "Evaluation",
        "Judgement",
        "Metrics",
        "Saving",
    ]
    classes += ["Within"]
    functions = ["compare", "evaluate", "judge", "regions_left_out", "saving_over", "solve", "stamped"]
    assert caribou.solver.__all__ == [*classes, *functions]


@pytest.mark.parametrize("name", BEST_KNOWN)
def test_shipped_instance_when_solved_then_is_no_worse_than_the_best_known(shipped, name):
    """Every hour is proven optimal on the drawn runs, within the limits, and the day is as good as the best known."""
    problem = read_problem(shipped / f"{name}.json")
    placement = solve(problem)
    evaluation = evaluate(problem, placement)
    change = (evaluation.placed[Metric.CARBON].mean / evaluation.home[Metric.CARBON].mean - 1) * 100
    assert change <= BEST_KNOWN[name] + NOISE
    assert {plan.report["status"] for plan in placement.plans} == {"optimal"}
    assert all(limit["slack"] >= 0 for plan in placement.plans for limit in plan.report["constraints"])


def test_plan_hours_when_the_grid_changes_over_the_day_then_each_hour_is_in_one_plan(instances):
    """Clean nights and dirty days give two plans, which together have each hour once."""
    placement = solve(parse_problem(windy(instances)), samples=50)
    assert [plan.hours for plan in placement.plans] == [tuple(range(6)), tuple(range(6, 24))]
    assert placement.regions_at(3) == {"a": "us-west-2", "b": "us-west-2"}
    assert placement.regions_at(12) == {"a": "us-east-1", "b": "us-east-1"}


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_report_when_any_problem_is_solved_then_agrees_with_an_evaluation_and_with_itself(instances, seed):
    """Objective, bound, gap and metrics fit together, and the mean over the plans is what `evaluate` says."""
    hard = {"cost": {"type": "relative", "value": 115}, "carbon": {"type": "relative", "value": 100}}
    problem = parse_problem(instances.made_up(seed, 4, 3, hard=hard))
    placement = solve(problem, seed=seed, samples=40)
    evaluation = evaluate(problem, placement, seed=seed, samples=40)
    reports = [(len(plan.hours) / 24, plan.report) for plan in placement.plans]
    for metric in Metric:
        expected = sum(share * report["metrics"][metric.field]["mean"] for share, report in reports)
        assert evaluation.placed[metric].mean == pytest.approx(expected, rel=1e-6)
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
    solver = {"name": "caribou", "version": "3", "seed": 4, "samples": 50, "evaluations": 2, "seconds": 1.235}
    assert found["solver"] == solver
    assert found["static"] == placement.origin["static"]
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


def test_relax_when_one_limit_is_enough_then_names_it_and_what_it_has_to_be(instances):
    """Of two limits the one that nothing meets is named; with what is needed instead the problem is solved."""
    data = instances.chain()
    data["objective"]["hard"] = {
        "runtime": {"type": "absolute", "value": 1.0},
        "cost": {"type": "relative", "value": 100},
    }
    plan = solve(parse_problem(data), samples=50).plans[0]
    assert plan.report["status"] == "infeasible"
    assert plan.report["relax"] == [{"name": "hard.runtime", "limit": 1.0, "needed": 5.6}]
    data["objective"]["hard"]["runtime"]["value"] = 5.6 * (1 + 1e-8)
    assert solve(parse_problem(data), samples=50).plans[0].report["status"] == "optimal"


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_relax_when_limits_are_set_to_what_is_needed_then_they_can_be_met(instances, seed):
    """The limits that are named are as few as can be, and relaxed as named they are enough."""
    hard = {metric: {"type": "absolute", "value": 1e-5} for metric in ("runtime", "cost", "carbon")}
    data = instances.made_up(seed, 3, 3, hard=hard)
    for plan in solve(parse_problem(data), samples=30).plans:
        for limit in plan.report.get("relax", []):
            of_file = data["objective"]["hard"][limit["name"].removeprefix("hard.")]
            of_file["value"] = max(of_file["value"], limit["needed"] * (1 + 1e-6))
    after = solve(parse_problem(data), samples=30)
    assert all(plan.report["status"] != "infeasible" for plan in after.plans)


def test_out_of_sample_when_reported_then_is_of_other_runs_with_an_interval_of_the_tail(instances):
    """OutOfSample runs have a mean and a tail of their own, near the drawn ones; limits are checked."""
    data = instances.made_up(4, 4, 3, hard={"runtime": {"type": "relative", "value": 110}})
    placement = solve(parse_problem(data), samples=400)
    for plan in placement.plans:
        found = plan.report["out_of_sample"]
        assert found["samples"] == 400
        for metric in ("carbon_g", "cost_usd", "runtime_s"):
            low, high = found[metric]["tail_ci95"]
            assert low <= found[metric]["tail"] <= high
            assert found[metric]["mean"] == pytest.approx(plan.report["metrics"][metric]["mean"], rel=0.2)
        (limit,) = found["limits"]
        assert limit["name"] == "hard.runtime"
        assert limit["met"] == (limit["tail"] <= limit["limit"])
    assert placement.plans[0].report["out_of_sample"]["carbon_g"]["mean"] != pytest.approx(
        placement.plans[0].report["metrics"]["carbon_g"]["mean"], rel=1e-9
    )


def test_static_when_the_grid_changes_over_the_day_then_is_the_best_single_plan_and_no_better(instances):
    """One plan for all hours: home, as the other region is dirty for most of the day; hourly plans do better."""
    problem = parse_problem(windy(instances))
    placement = solve(problem, samples=50)
    static = placement.origin["static"]
    assert static["regions"] == {"a": "us-east-1", "b": "us-east-1"}
    assert static["status"] == "optimal"
    hourly = evaluate(problem, placement, samples=50).placed[Metric.CARBON].mean
    assert hourly < static["objective"]
    assert static["objective"] == pytest.approx(
        evaluate(problem, static["regions"], samples=50).placed[Metric.CARBON].mean
    )


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), most=st.integers(0, 2))
def test_max_regions_when_given_then_the_day_is_the_best_of_all_sets_of_so_many_regions(instances, seed, most):
    """At most so many regions besides home over the day; no set of as many regions does better."""
    data = instances.made_up(seed, 3, 4)
    found = solve(parse_problem(data), samples=25, max_regions=most)
    used = {region for plan in found.plans for region in plan.regions.values()} - {data["home_region"]}
    assert len(used) <= most
    days = []
    for others in combinations([r for r in data["regions"] if r != data["home_region"]], most):
        fewer = copy.deepcopy(data)
        for node in fewer["nodes"].values():
            node["allowed_regions"] = [r for r in node["allowed_regions"] if r in (data["home_region"], *others)]
        days.append(day_of(solve(parse_problem(fewer), samples=25)))
    assert day_of(found) == pytest.approx(min(days), rel=1e-7)


def day_of(placement):
    """The mean objective over the day."""
    return sum(len(plan.hours) * plan.report["objective"] for plan in placement.plans) / 24


def test_switching_penalty_when_high_then_nothing_switches_and_when_low_all_is_as_without(instances):
    """A penalty above what switching brings gives the static plan; the gap shows what is given up."""
    problem = parse_problem(windy(instances))
    without = solve(problem, samples=50)
    assert solve(problem, samples=50, switching_penalty=1e-9).digest == without.digest
    (held,) = solve(problem, samples=50, switching_penalty=10.0).plans
    assert held.regions == without.origin["static"]["regions"]
    assert held.report["status"] == "feasible"
    assert held.report["bound"] == pytest.approx(day_of(without))


def test_switching_penalty_when_some_hours_are_infeasible_then_these_stay_home(instances):
    """An hour without a feasible placement is home, whatever a move costs."""
    data = windy(instances)
    data["objective"]["hard"] = {"carbon": {"type": "absolute", "value": 0.005}}
    placement = solve(parse_problem(data), samples=50, switching_penalty=1.0)
    assert placement.regions_at(3) == {"a": "us-west-2", "b": "us-west-2"}
    assert placement.regions_at(12) == {"a": "us-east-1", "b": "us-east-1"}


def test_max_regions_when_out_of_time_then_is_kept_and_nothing_is_claimed(instances):
    """Cut short, the number of regions still holds, and so does the bound."""
    problem = parse_problem(instances.made_up(5, 4, 4))
    best = solve(problem, samples=25, max_regions=1)
    hurried = solve(problem, samples=25, max_regions=1, should_stop=lambda: True)
    assert len({r for plan in hurried.plans for r in plan.regions.values()} - {problem.home_region}) <= 1
    assert sum(len(p.hours) * p.report["bound"] for p in hurried.plans) / 24 <= day_of(best) * (1 + 1e-9)


def test_should_stop_when_it_says_so_at_once_then_still_gives_a_valid_placement(instances):
    """Out of time from the start: home or better, with a bound that holds and a file that we read."""
    problem = parse_problem(instances.made_up(3, 5, 3))
    best, hurried = solve(problem, samples=50), solve(problem, samples=50, should_stop=lambda: True)
    parse_placement(hurried.to_json())
    assert day_of(hurried) >= day_of(best) * (1 - 1e-9)
    assert sum(len(p.hours) * p.report["bound"] for p in hurried.plans) / 24 <= day_of(best) * (1 + 1e-9)


@pytest.mark.parametrize(
    "options", [{"max_regions": -1}, {"switching_penalty": -0.1}, {"switching_penalty": float("nan")}]
)
def test_solve_when_an_option_makes_no_sense_then_raises(instances, options):
    """Wrong options are refused with their name."""
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        solve(parse_problem(instances.chain()), samples=50, **options)


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
