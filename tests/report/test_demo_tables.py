"""What the demo says of a move, and of an input that stays home."""

import pytest
from builders import graph_of, placement_of, record_of
from rich.console import Console

from caribou.model.metric import Metric
from caribou.model.run.record import EndpointRecord
from caribou.report.demo_tables import Work, comparison_table, other_input_lines, range_of
from caribou.solver import Estimate, Evaluation
from caribou.solver.simulation.evaluation import Change, Metrics

GRAPH = graph_of({"a": "b"})
LIGHT = Work("input_light.json", 30, 0.2, 600_000)
HEAVY = Work("input.json", 30, 2.1, 118_000)


def sensitivity(*corners, verdict="depends on what is assumed"):
    """A placement's `sensitivity`: kind of intensity, saving and interval of each corner."""
    return {
        "verdict": verdict,
        "corners": [{"intensity": kind, "saving": saving, "ci95": interval} for kind, saving, interval in corners],
    }


def test_work_when_records_are_of_two_runs_then_is_that_of_a_run_on_average():
    """Payloads that were sent, and external data both ways."""
    bucket = EndpointRecord("s3", "us-east-1", "", 1, 1, 40_000, 60_000, 0.1, 0.1)
    records = [
        record_of("a", run_id="one", cpu_s=1.0, bytes_out=2000, external=()),
        record_of("b", run_id="one", cpu_s=2.0, bytes_out=0, external=(bucket,)),
        record_of("a", run_id="two", cpu_s=1.0, bytes_out=2000, external=()),
    ]
    assert Work.of("input.json", records) == Work("input.json", 2, 2.0, pytest.approx(52_000))


def test_other_input_lines_when_it_stays_home_then_say_by_which_data_and_what_a_move_would_bring():
    """Both works beside each other; the range goes over corners and their intervals, as changes of home's carbon."""
    moved = sensitivity(("average", 0.1, (0.05, 0.2)), ("average", -1.5, (-2.0, -1.2)), ("marginal", -3.0, None))
    why, what = other_input_lines((LIGHT, HEAVY), placement_of(GRAPH, {}), moved)
    assert why == (
        "With input_light.json it stays home: a run moves 600 KB for 0.2 s of CPU time "
        "(input.json: 118 KB for 2.1 s of CPU time)."
    )
    assert what == (
        "With the plan above its carbon would change by -20% to +200% by average and +300% to +300% by marginal "
        "intensity, over all that is assumed (30 runs): depends on what is assumed."
    )


def test_other_input_lines_when_it_moves_too_then_say_so():
    """The demo says what is so, also where both inputs move."""
    moved = sensitivity(("average", 0.5, (0.4, 0.6)), verdict="saves")
    why, what = other_input_lines((LIGHT, HEAVY), placement_of(GRAPH, {"b": "eu-north-1"}), moved)
    assert why.startswith("With input_light.json it moves too: ")
    assert "-60% to -40% by average intensity, over all that is assumed (30 runs): saves." in what


def test_range_of_when_no_corner_is_known_then_is_empty():
    """Marginal intensity of some regions is not published."""
    assert not range_of(sensitivity(("average", 0.5, None)), "marginal")


def test_comparison_table_when_runs_are_observed_then_changes_have_their_intervals():
    """Carbon is in mg, cost a million runs; a measured time has no interval."""
    home, placed = (
        Metrics(dict.fromkeys(Metric, Estimate(value, 2 * value, (value, value)))) for value in (0.01, 0.002)
    )
    changes = {metric: Change((-0.9, -0.7), None) for metric in Metric}
    table = comparison_table(Evaluation(placed, home, changes), [1.0, 3.0], [4.0])
    console = Console(width=100)
    with console.capture() as shown:
        console.print(table)
    text = shown.get()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]
    assert rows[0] == ["operational carbon, mg CO2eq: mean", "predicted", "10", "2", "-80.0%"]
    assert rows[1] == ["", "", "", "", "-90.0% to -70.0%"]
    assert rows[2] == ["cost, USD per million runs: mean", "predicted", "10,000", "2,000", "-80.0%"]
    assert ["measured", "2", "4", "+100.0%"] in [row[1:] for row in rows]
