"""Whether a solved placement is worth a move."""

from datetime import UTC, datetime, timedelta

import pytest
from observed_problem import observed_problem
from problem_instances import chain

from caribou.control.plan.decide import MIN_GAIN, decide, weigh
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import Judgement, Saving, judge, saving_over

HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def test_plan_when_it_saves_enough_then_it_is_put(placed):
    """A tenth less is worth a move."""
    decision = weigh(placed(WEST, expires_at=NOW + WEEK), Judgement(9.0), placed(), Judgement(10.0), NOW)
    assert decision.put
    assert "10.0%" in decision.reason


@pytest.mark.parametrize("new", [10.0, 10.0 * (1 - MIN_GAIN / 2), 12.0])
def test_plan_when_it_saves_too_little_then_it_is_not_put(placed, new):
    """Placements that hardly differ must not take turns."""
    assert not weigh(placed(WEST, expires_at=NOW + WEEK), Judgement(new), placed(), Judgement(10.0), NOW).put


@pytest.mark.parametrize(
    ("low", "runs", "put"),
    [(-0.02, 50, False), (0.0, 50, False), (MIN_GAIN, 50, False), (0.02, 50, True), (0.02, 29, False)],
)
def test_plan_when_the_interval_of_its_saving_is_not_above_what_a_move_is_worth_then_it_is_not_put(
    placed, low, runs, put
):
    """A tenth less, over runs that differ by more or are few, is no reason to move by itself."""
    saving = Saving(0.1, (low, 0.2), runs)
    decision = weigh(placed(WEST, expires_at=NOW + WEEK), Judgement(9.0), placed(), Judgement(10.0), NOW, saving=saving)
    assert decision.put is put
    assert put or "too few to say that it saves more than 1%" in decision.reason


def test_plan_when_it_meets_limits_that_what_runs_now_breaks_then_it_is_put_however_sure_its_saving(placed):
    """Limits come before the objective."""
    old = Judgement(10.0, {"runtime": ALL_HOURS})
    saving = Saving(0.1, (-0.1, 0.2), 50)
    assert weigh(placed(WEST, expires_at=NOW + WEEK), Judgement(9.0), placed(), old, NOW, saving=saving).put


@pytest.mark.parametrize("runs", [3, 60])
def test_plan_when_runs_are_observed_then_the_decision_looks_at_the_interval(runs):
    """Few runs, or many, and a move that is worth it by its mean."""
    problem = parse_problem(observed_problem(11, runs, bucket=CANADA).problem)
    home, away = _days(problem)
    decision = decide(problem, away, home, home=home, now=NOW)
    assert saving_over(problem, away, home).mean > MIN_GAIN
    assert decision.put is (runs == 60)


def test_plan_when_it_is_to_be_robust_and_what_runs_now_cannot_be_judged_so_then_it_is_put():
    """Else runs would stay, until the placement expires, where no robust plan may be."""
    data = observed_problem(11, 40).problem
    data["objective"]["robust"] = True
    data["regions"][CANADA]["carbon_intensity_g_per_kwh"].pop("marginal", None)
    problem = parse_problem(data)
    home, away = _days(problem)
    decision = decide(problem, home, away, home=home, now=NOW)
    assert decision.put
    assert f"uses {CANADA}, of which marginal intensity is not known" in decision.reason


@pytest.mark.parametrize("runs", [10, 60])
def test_plan_when_cost_comes_first_then_the_runs_have_to_say_that_it_costs_less(runs):
    """A region at half the price."""
    data = observed_problem(11, runs, bucket=CANADA).problem
    data["objective"]["priority"] = ["cost", "carbon", "runtime"]
    prices = data["regions"][CANADA]["price_usd"]
    prices["compute_per_gb_s"] = {key: price / 2 for key, price in prices["compute_per_gb_s"].items()}
    problem = parse_problem(data)
    home, away = _days(problem)
    assert saving_over(problem, away, home).mean > MIN_GAIN
    assert decide(problem, away, home, home=home, now=NOW).put is (runs == 60)


@pytest.mark.parametrize(("limit", "put"), [(110.0, False), (250.0, True)])
def test_plan_when_the_runs_do_not_say_that_it_meets_a_hard_limit_then_it_is_not_put(limit, put):
    """It does on these runs, by a little."""
    data = observed_problem(11, 60, bucket=CANADA).problem
    data["objective"]["hard"] = {"runtime": {"type": "relative", "value": limit}}
    problem = parse_problem(data)
    home, away = _days(problem)
    assert judge(problem, away).broken == {}
    decision = decide(problem, away, home, home=home, now=NOW)
    assert decision.put is put
    assert put or "too few to say that the hard limit on runtime is met" in decision.reason


def _days(problem):
    """All nodes at home, and all in Canada, where the bucket is."""
    home, away = (dict.fromkeys(problem.nodes, region) for region in (HOME, CANADA))
    name, version = problem.workflow.name, problem.workflow.version
    return [Placement(name, version, HOME, (Plan(ALL_HOURS, regions),)) for regions in (home, away)]


def test_plan_when_what_runs_now_breaks_a_hard_limit_then_it_is_put_even_if_it_costs_more(placed):
    """Limits come before the objective."""
    old = Judgement(10.0, {"runtime": ALL_HOURS})
    decision = weigh(placed(CANADA, expires_at=NOW + WEEK), Judgement(11.0), placed(WEST), old, NOW)
    assert decision.put
    assert "the hard limit on runtime" in decision.reason


def test_plan_when_it_breaks_a_hard_limit_that_what_runs_now_meets_then_it_is_not_put(placed):
    """However much it saves."""
    new = Judgement(5.0, {"carbon": (3, 4)})
    decision = weigh(placed(CANADA, expires_at=NOW + WEEK), new, placed(WEST), Judgement(10.0), NOW)
    assert not decision.put
    assert "the hard limit on carbon (at 2 of 24 hours)" in decision.reason


def test_plan_when_both_break_limits_then_the_objective_decides(placed):
    """There is no way to meet the limits, so none is preferred for it."""
    broken = Judgement(10.0, {"runtime": ALL_HOURS})
    assert not weigh(placed(CANADA, expires_at=NOW + WEEK), broken, placed(WEST), broken, NOW).put


@pytest.mark.parametrize(("left_days", "put"), [(1, True), (3, True), (4, False), (7, False)])
def test_plan_when_it_is_deployed_then_it_is_put_again_only_before_it_expires(placed, left_days, put):
    """A placement that is still the best is renewed in the second half of its life."""
    deployed = placed(WEST, expires_at=NOW + timedelta(days=left_days))
    decision = weigh(placed(WEST, expires_at=NOW + WEEK), Judgement(1.0), deployed, Judgement(1.0), NOW)
    assert decision.put is put


def test_plan_when_home_is_deployed_and_best_then_nothing_is_put(placed):
    """Home never expires, so it needs no renewal."""
    assert not weigh(placed(expires_at=NOW + WEEK), Judgement(1.0), placed(), Judgement(1.0), NOW).put


def in_region(region, expires_at=None):
    """The chain with both nodes in a region."""
    return Placement("chain", "0.0.1", HOME, (Plan(ALL_HOURS, {"a": region, "b": region}),), expires_at=expires_at)


def windy_at_noon():
    """The chain, whose second region is clean but for one hour, in which a hard limit on carbon is broken there.

    Over the day as a whole 23 of 24 runs emit little, so the 95th percentile of the pooled day is within the limit.
    """
    data = chain()
    data["regions"][WEST]["carbon_intensity_g_per_kwh"]["hourly"] = [20.0] * 12 + [900.0] + [20.0] * 11
    data["objective"]["hard"] = {"carbon": {"type": "relative", "value": 110}}
    return parse_problem(data)


def test_limit_when_what_runs_now_breaks_it_at_one_hour_only_then_the_plan_is_put():
    """Each hour is judged for itself, as the solver does, though the solved plan emits more over the day."""
    deployed = in_region(WEST, NOW + WEEK)
    decision = decide(windy_at_noon(), in_region(HOME, NOW + WEEK), deployed, home=in_region(HOME), now=NOW)
    assert decision.put
    assert decision.reason == "what runs now breaks the hard limit on carbon (at 1 of 24 hours); this does not"


@pytest.mark.parametrize("expired", [True, False])
def test_limit_when_the_placement_that_breaks_it_has_expired_then_home_counts(expired):
    """Runs stay home then, and home meets the limit."""
    deployed = in_region(WEST, NOW - WEEK if expired else NOW + WEEK)
    decision = decide(windy_at_noon(), in_region(HOME, NOW + WEEK), deployed, home=in_region(HOME), now=NOW)
    assert decision.put is not expired


def test_limit_when_what_is_deployed_is_of_another_version_then_home_counts():
    """It can't be judged by this problem; runs that it does not fit stay home."""
    deployed = Placement("chain", "0.0.0", HOME, in_region(WEST).plans, expires_at=NOW + WEEK)
    assert not decide(windy_at_noon(), in_region(HOME, NOW + WEEK), deployed, home=in_region(HOME), now=NOW).put
