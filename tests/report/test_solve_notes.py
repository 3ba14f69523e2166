"""What a placement says beside its plan."""

from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.report.solve_notes import footprint_text, sensitivity_text, solve_notes, toolkit_text


def corner(intensity, saving, ci95=None):
    """A corner of a sensitivity."""
    return {
        "transmission_kwh_per_gb": 0.001,
        "intra_region_kwh_per_gb": 0.0,
        "intensity": intensity,
        "saving": saving,
        "ci95": ci95,
    }


SENSITIVITY = {
    "verdict": "depends on what is assumed",
    "corners": [corner("average", 0.4), corner("average", 0.25), corner("marginal", 0.1), corner("marginal", -0.05)],
    "marginal_unknown": [],
    "break_even_kwh_per_gb": 0.0123,
    "runs": None,
}
SOLVER = {
    "cpu_seconds": 0.1234,
    "accounted_in": "us-west-2",
    "carbon_g": 2.7e-5,
    "cost_usd": 3.7e-6,
    "pays_back_after_runs": 1200,
}


def test_notes_when_the_sign_depends_then_say_so_in_capitals():
    """The verdict, and between what the change of carbon is by each kind of intensity."""
    text = sensitivity_text(SENSITIVITY)
    assert text.startswith("Carbon: DEPENDS ON WHAT IS ASSUMED. By average intensity -40.0% to -25.0%;")
    assert "by marginal intensity -10.0% to +5.0%" in text
    assert text.endswith("break-even at 0.012 kWh/GB.")


def test_notes_when_savings_have_intervals_then_their_ends_are_said_and_how_many_runs_they_rest_on():
    """The most and the least that may be saved."""
    corners = [corner("average", 0.4, [0.35, 0.45]), corner("average", 0.3, [0.2, 0.4])]
    text = sensitivity_text({**SENSITIVITY, "verdict": "saves", "corners": corners, "runs": 60})
    assert text.startswith("Carbon: SAVES (60 runs). By average intensity -45.0% to -20.0%;")


def test_notes_when_marginal_intensity_is_not_known_then_name_the_regions():
    """Not known is no number."""
    unknown = {"corners": [corner("average", 0.4)], "marginal_unknown": ["ca-west-1", "mx-central-1"]}
    text = sensitivity_text({**SENSITIVITY, **unknown})
    assert "by marginal intensity not known (ca-west-1, mx-central-1)" in text


def test_notes_when_an_earlier_version_solved_then_they_say_to_solve_again():
    """It knew four corners and no verdict."""
    assert sensitivity_text({"sign_depends": True}) == "Savings were worked out by an earlier version: solve again."


def test_notes_when_the_solve_is_paid_back_then_say_after_how_many_runs():
    """Carbon, cost, region, and the runs."""
    text = footprint_text(SOLVER)
    assert "0.123 CPU seconds, 0.027 mg CO2eq, 3.7 millionths of a USD (as a function in us-west-2)" in text
    assert text.endswith("saved again after 1,200 runs.")
    assert footprint_text({**SOLVER, "pays_back_after_runs": 1}).endswith("after one run.")


def test_notes_when_nothing_is_saved_or_priced_then_say_that():
    """No payback, no price."""
    text = footprint_text({**SOLVER, "pays_back_after_runs": None, "cost_usd": None})
    assert text.endswith("no run saves carbon to pay it back.")
    assert "USD" not in text


def test_notes_when_a_placement_is_written_by_hand_then_there_are_none():
    """It has neither."""
    placement = Placement("w", "1", "us-east-1", (Plan(ALL_HOURS, {"a": "us-east-1"}),))
    assert solve_notes(placement) == []


def test_notes_when_no_placement_meets_the_limits_then_say_which_to_relax_and_to_what():
    """The way out of an infeasible problem."""
    relax = [{"name": "hard.runtime", "limit": 1.0, "needed": 4.25}]
    out_of_sample = {"samples": 2000, "limits": [{"name": "hard.runtime", "limit": 1.0, "tail": 4.2, "met": False}]}
    plan = Plan(ALL_HOURS, {"a": "us-east-1"}, {"status": "infeasible", "relax": relax, "out_of_sample": out_of_sample})
    assert solve_notes(Placement("w", "1", "us-east-1", (plan,))) == [
        "all hours: to be feasible, relax hard.runtime to 4.25 instead of 1."
    ]


def test_notes_when_a_limit_is_not_met_out_of_sample_then_say_so():
    """A limit that is just met on the drawn runs may just be missed on others; one that is met is no news."""
    limits = [
        {"name": "hard.runtime", "limit": 28.175, "tail": 28.21, "met": False},
        {"name": "hard.cost", "limit": 0.001, "tail": 0.0009, "met": True},
    ]
    plan = Plan(ALL_HOURS, {"a": "x"}, {"status": "optimal", "out_of_sample": {"samples": 2000, "limits": limits}})
    assert solve_notes(Placement("w", "1", "us-east-1", (plan,))) == [
        "all hours: on 2,000 runs out of sample hard.runtime is NOT met (28.21, limit 28.175)."
    ]


def test_notes_when_hours_differ_then_say_what_one_plan_for_all_would_give():
    """Often most of the gain needs no hourly change."""
    plans = (
        Plan(tuple(range(12)), {"a": "x"}, {"objective": 1.0}),
        Plan(tuple(range(12, 24)), {"a": "y"}, {"objective": 3.0}),
    )
    (note,) = solve_notes(Placement("w", "1", "us-east-1", plans, origin={"static": {"objective": 2.1}}))
    assert "all hours: +5.00% of what is minimised" in note


def test_notes_when_the_toolkit_stands_beside_a_plan_then_they_say_from_how_many_runs_a_month_it_pays():
    """And what it costs; the seconds that it rests on are assumed, and said to be."""
    text = toolkit_text({"carbon_g": 0.7312, "cost_usd": 0.1372, "pays_from_runs": 1204})
    assert text.startswith(
        "The toolkit a month, runs or not: 0.731 g CO2eq, saved from 1,204 runs a month on; 0.14 USD"
    )
    assert "assumed" in text
    assert "no number of runs saves that" in toolkit_text({"carbon_g": 1.0, "cost_usd": 0.1, "pays_from_runs": None})
