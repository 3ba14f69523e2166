"""Whether a solved placement is worth a move."""

from datetime import UTC, datetime, timedelta

import pytest

from caribou.control.plan.decide import MIN_GAIN, Standing, standing, weigh
from caribou.model.schema.problem import Objective
from caribou.solver import Estimate, Metrics

HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def estimate(value):
    """A metric whose tail is twice its mean."""
    return Estimate(value, 2 * value, (value, value))


def metrics(carbon=1.0, runtime=1.0):
    """Metrics over a day."""
    return Metrics(estimate(carbon), estimate(1.0), estimate(runtime))


def test_plan_when_it_saves_enough_then_it_is_put(placed):
    """A tenth less is worth a move."""
    verdict = weigh(placed(WEST, expires_at=NOW + WEEK), Standing(9.0), placed(), Standing(10.0), NOW)
    assert verdict.put
    assert "10.0%" in verdict.reason


@pytest.mark.parametrize("new", [10.0, 10.0 * (1 - MIN_GAIN / 2), 12.0])
def test_plan_when_it_saves_too_little_then_it_is_not_put(placed, new):
    """Placements that hardly differ must not take turns."""
    assert not weigh(placed(WEST, expires_at=NOW + WEEK), Standing(new), placed(), Standing(10.0), NOW).put


def test_plan_when_what_runs_now_breaks_a_hard_limit_then_it_is_put_even_if_it_costs_more(placed):
    """Limits come before the objective."""
    old = Standing(10.0, ("the hard limit on runtime",))
    verdict = weigh(placed(CANADA, expires_at=NOW + WEEK), Standing(11.0), placed(WEST), old, NOW)
    assert verdict.put
    assert "the hard limit on runtime" in verdict.reason


def test_plan_when_both_break_limits_then_the_objective_decides(placed):
    """There is no way to meet the limits, so none is preferred for it."""
    broken = Standing(10.0, ("x",))
    assert not weigh(placed(CANADA, expires_at=NOW + WEEK), broken, placed(WEST), broken, NOW).put


@pytest.mark.parametrize(("left_days", "put"), [(1, True), (3, True), (4, False), (7, False)])
def test_plan_when_it_is_deployed_then_it_is_put_again_only_before_it_expires(placed, left_days, put):
    """A placement that is still the best is renewed in the second half of its life."""
    deployed = placed(WEST, expires_at=NOW + timedelta(days=left_days))
    verdict = weigh(placed(WEST, expires_at=NOW + WEEK), Standing(1.0), deployed, Standing(1.0), NOW)
    assert verdict.put is put


def test_plan_when_home_is_deployed_and_best_then_nothing_is_put(placed):
    """Home never expires, so it needs no renewal."""
    assert not weigh(placed(expires_at=NOW + WEEK), Standing(1.0), placed(), Standing(1.0), NOW).put


@pytest.mark.parametrize(
    ("type_", "value", "broken"),
    [("absolute", 3.9, True), ("absolute", 4.1, False), ("relative", 190, True), ("relative", 210, False)],
)
def test_standing_when_a_tail_exceeds_a_hard_limit_then_it_is_named(type_, value, broken):
    """Relative limits are per cent of home's tail, absolute ones in the metric's unit."""
    objective = Objective.model_validate(
        {
            "priority": ["carbon"],
            "hard": {"runtime": {"type": type_, "value": value}},
            "soft": {},
            "tail_percentile": 95,
        }
    )
    stands = standing(metrics(carbon=0.5, runtime=2.0), metrics(), objective)
    assert stands == Standing(0.5, ("the hard limit on runtime",) if broken else ())
