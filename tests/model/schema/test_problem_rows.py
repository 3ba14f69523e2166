"""The rows of a problem: everything in them that is wrong is one error that says where."""

import pytest
from observed_problem import HOME, observed_problem
from problem_instances import changed

from caribou.model.errors import InvalidProblemError
from caribou.model.schema.problem_file import parse_problem

RUNS = 4
PAIR = f"{HOME}>{HOME}"
B = ("nodes", "b", "runs", HOME)
PHOTOS = f"s3.{HOME}"


def valid():
    """Four runs, each of which took all edges, and b exchanged data with a bucket."""
    return observed_problem(1, RUNS, skip_share=0.0).problem


WRONG = {
    "no runs": (("runs",), ..., "runs"),
    "no energy inside regions": (("carbon_model", "intra_region_kwh_per_gb"), ..., "intra_region_kwh_per_gb"),
    "a share of the first schema": (("carbon_model", "external_data_home_share"), 0.5, "external_data_home_share"),
    "one run twice": (("runs", "id"), ["x"] * RUNS, "runs.id"),
    "a start too few": (("runs", "started_at"), [1.0], "runs.started_at"),
    "items of one run": (("runs", "item_bytes"), [[1, 2]], "runs.item_bytes"),
    "an input too many": (("runs", "input_bytes"), [1] * (RUNS + 1), "runs.input_bytes"),
    "a negative item": (("runs", "item_bytes", 0), [-1], "runs.item_bytes[0][0]"),
    "no payload of a run": (("entry", "payload_gb"), [1e-6], "entry.payload_gb"),
    "no message of a run": (("entry", "sent_gb"), [1e-6], "entry.sent_gb"),
    "executions of no run": ((*B, "run"), ..., "nodes.b.runs.us-east-1.run"),
    "an execution of a run that is not there": ((*B, "run", 0), RUNS, "nodes.b.runs.us-east-1.run"),
    "two executions of a run": ((*B, "run", 0), 1, "nodes.b.runs.us-east-1.run"),
    "a start of a process too few": ((*B, "init_s"), [0.0], "us-east-1.init_s"),
    "data of the first schema": ((*B, "external_data_gb"), [0.0] * RUNS, "us-east-1.external_data_gb"),
    "an unknown endpoint": (("endpoints",), {}, f"external.{PHOTOS}"),
    "calls of one execution": ((*B, "external", PHOTOS, "calls"), [1], f"external.{PHOTOS}.calls"),
    "round trips of one execution": ((*B, "external", PHOTOS, "round_trips"), [1], f"external.{PHOTOS}.round_trips"),
    "negative calls": ((*B, "external", PHOTOS, "calls", 0), -1, "calls[0]"),
    "more calls that write than calls": ((*B, "external", PHOTOS, "puts"), [9] * RUNS, f"external.{PHOTOS}.puts"),
    "nobody says when a call was made": (("edges", 0, "taken"), ..., "edges[0].taken"),
    "a call that is never made, and was": (("edges", 1, "probability"), 0.0, "edges[1].probability"),
    "a message of a run without the call": (("edges", 1, "taken"), [0, 1, 2], "edges[1].transfers"),
    "messages of no run": (("edges", 1, "transfers", PAIR, "run"), ..., f"transfers.{PAIR}.run"),
    "sizes of one message": (("edges", 1, "transfers", PAIR, "sent_gb"), [1e-6], f"transfers.{PAIR}.sent_gb"),
    "a state too few": (("nodes", "d", "report_bytes"), [1], "nodes.d.report_bytes"),
    "a report to a plain node": (("nodes", "b", "report_bytes"), [1], "nodes.b.report_bytes"),
}


@pytest.mark.parametrize(("path", "value", "place"), WRONG.values(), ids=WRONG)
def test_rows_when_one_thing_is_wrong_then_says_where_and_how_to_fix_it(path, value, place):
    """Never a traceback, never a figure out of lists that do not belong together."""
    parse_problem(valid())
    with pytest.raises(InvalidProblemError) as caught:
        parse_problem(changed(valid(), path, value), "problem.json")
    assert place in caught.value.where
    assert "To fix: " in str(caught.value)
