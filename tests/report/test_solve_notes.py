"""What a placement says beside its plan."""

import io

import pytest

from caribou.cli.console import Terminal
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.report.corners_table import corners_table
from caribou.report.solve_notes import footprint_text, solve_notes, toolkit_text, verdict_text


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
    """The verdict, and where saving and losing meet."""
    text = verdict_text(SENSITIVITY)
    assert text.startswith("Carbon: DEPENDS ON WHAT IS ASSUMED (")
    assert text.endswith("). Saving and losing meet at 0.012 kWh/GB between regions.")


def test_notes_when_samples_are_no_whole_runs_then_they_say_that_nobody_knows_how_sure_it_is():
    """A problem of the first schema has no runs to draw again."""
    text = verdict_text({**SENSITIVITY, "verdict": "saves", "runs": None})
    assert "a problem of the first schema, whose samples are no whole runs: how sure that is, is not known" in text


@pytest.mark.parametrize(
    ("needed", "said"),
    [(1300, "(12 runs; about 1,300 would do, an estimate)"), (None, "(12 runs; no number would do)")],
)
def test_notes_when_runs_are_too_few_then_say_how_many_would_do(needed, said):
    """As an estimate."""
    few = {"verdict": "too few runs to say", "runs": 12, "runs_needed": needed, "break_even_kwh_per_gb": None}
    assert verdict_text({**SENSITIVITY, **few}) == f"Carbon: TOO FEW RUNS TO SAY {said}."


def test_notes_when_runs_are_enough_then_say_how_many_they_are():
    """What the verdict rests on."""
    text = verdict_text({**SENSITIVITY, "verdict": "saves", "runs": 60, "runs_needed": None})
    assert text.startswith("Carbon: SAVES (60 runs).")


def test_notes_when_marginal_intensity_is_not_known_then_name_the_regions():
    """Not known is no number."""
    text = verdict_text({**SENSITIVITY, "marginal_unknown": ["ca-west-1", "mx-central-1"]})
    assert text.endswith("Marginal intensity is not known of ca-west-1, mx-central-1.")


def test_notes_when_an_earlier_version_solved_then_they_say_to_solve_again():
    """It knew four corners and no verdict."""
    assert verdict_text({"sign_depends": True}) == "Savings were worked out by an earlier version: solve again."


def printed(table, width=80):
    """A table as it is printed."""
    console = Terminal(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()


def test_corners_when_they_are_shown_then_each_is_a_change_with_its_interval_within_80_columns():
    """A row for each pair of energies; what is saved is less carbon, the interval's ends in order."""
    corners = [
        {**corner(intensity, saving, ci95), "transmission_kwh_per_gb": between}
        for between in (0.001, 0.005)
        for intensity, saving, ci95 in (("average", 1.0, [0.999, 1.0]), ("marginal", -0.05, [-0.1, 0.0]))
    ]
    lines = printed(corners_table({"corners": corners})).splitlines()
    assert "│ 0.005, 0 │ -100.0% (-100.0% to -99.9%) │ +5.0% (+0.0% to +10.0%) │" in lines
    assert len([line for line in lines if "%" in line and "│" in line]) == 2
    assert "in brackets 95 % intervals" in lines[-1]
    assert max(map(len, lines)) <= 80


def test_corners_when_runs_are_drawn_or_marginal_intensity_is_unknown_then_cells_say_less():
    """No interval is shown that nobody knows."""
    lines = printed(corners_table({"corners": [corner("average", 0.4)]})).splitlines()
    assert "│ 0.001, 0 │ -40.0%               │ not known             │" in lines


def test_notes_when_the_solve_is_paid_back_then_say_after_how_many_runs():
    """Carbon, cost, region, and the runs."""
    text = footprint_text(SOLVER)
    assert "0.123 s of CPU time, 0.027 mg CO2eq, 0.0000037 USD (as a function in us-west-2)" in text
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
        "all hours: to be feasible, relax hard.runtime to 4.25 s instead of 1 s."
    ]


def test_notes_when_a_limit_is_not_met_out_of_sample_then_say_so():
    """A limit that is just met on the drawn runs may just be missed on others; one that is met is no news."""
    limits = [
        {"name": "hard.runtime", "limit": 28.175, "tail": 28.21, "met": False},
        {"name": "hard.cost", "limit": 0.001, "tail": 0.0009, "met": True},
    ]
    plan = Plan(ALL_HOURS, {"a": "x"}, {"status": "optimal", "out_of_sample": {"samples": 2000, "limits": limits}})
    assert solve_notes(Placement("w", "1", "us-east-1", (plan,))) == [
        "all hours: on 2,000 runs out of sample hard.runtime is NOT met (28.21 s, limit 28.175 s)."
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


@pytest.mark.parametrize(
    ("until", "is_old"),
    [
        ("2026-07-08T00:00:00+00:00", False),
        ("2026-06-30T23:59:00+00:00", True),
        ("2026-07-01T05:00:00+06:00", True),
        ("2026-06-30", True),
        ("some day", False),
        (None, False),
    ],
)
def test_notes_when_the_data_was_to_be_used_until_before_the_solve_then_say_so_in_capitals(until, is_old):
    """Of a problem's file that lay about; what is no time says nothing."""
    data = {"sources": "carbon from somewhere", **({} if until is None else {"facts_valid_until": until})}
    origin = {"data": data, "solved_at": "2026-07-01T00:00:00Z"}
    home = Plan(hours=ALL_HOURS, regions={"a": "us-east-1"})
    notes = solve_notes(Placement("example", "1", "us-east-1", (home,), origin=origin))
    assert notes[0] == "Data: carbon from somewhere."
    assert any("THE DATA IS TOO OLD" in note for note in notes) is is_old
