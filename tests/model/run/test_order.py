"""Orders and answers: read back as they were written, and refused as one error if they are anything else."""

import json

import pytest

from caribou.model.errors import InvalidOrderError
from caribou.model.run.order import RedriveAnswer, RedriveOrder, Refusal, Sent, parse_answer, parse_order

ANSWERS = [
    RedriveAnswer(),
    RedriveAnswer(sent=(Sent("b:a_0_0:1", "ValueError: so"),), problems=("us-west-2: silent",)),
    RedriveAnswer(refusal=Refusal("it can't go on", "start a new run", "1 of 2 reports")),
    RedriveAnswer(failure="us-east-1 does not answer"),
    RedriveAnswer(has_ended=True),
]


def travelled(value):
    """What is left of a JSON value after the way there."""
    return json.loads(json.dumps(value.to_json()))


def test_order_when_it_has_travelled_then_it_is_the_same():
    """It is the event of an invocation."""
    assert parse_order(travelled(RedriveOrder("run-1"))) == RedriveOrder("run-1")


@pytest.mark.parametrize("answer", ANSWERS)
def test_answer_when_it_has_travelled_then_it_is_the_same(answer):
    """It is what an invocation returns."""
    assert parse_answer(travelled(answer)) == answer


@pytest.mark.parametrize("event", [{}, None, 5, [], {"schema": 5}, {"schema": "caribou.envelope/1"}, {"version": "0"}])
def test_event_when_it_is_no_order_then_it_is_none(event):
    """The schedule's, which asks for a sweep."""
    assert parse_order(event) is None


@pytest.mark.parametrize("run_id", ["", 5, None, ["run"], "x" * 257, "\ud800"])
def test_order_when_its_run_can_be_no_run_s_then_it_is_refused(run_id):
    """Types and lengths are checked where it is read."""
    with pytest.raises(InvalidOrderError, match="damaged"):
        parse_order({"schema": "caribou.redrive/1", "run_id": run_id})


@pytest.mark.parametrize("order", [{"schema": "caribou.redrive/1"}, {"schema": "caribou.redrive/9", "run_id": "r"}])
def test_order_when_it_is_of_another_version_then_it_is_no_sweep(order):
    """Whoever gave it must hear that it was not understood."""
    with pytest.raises(InvalidOrderError):
        parse_order(order)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"resent": 0, "parked": 0},
        {"schema": "caribou.redriven/1"},
        {**RedriveAnswer().to_json(), "sent": [{"node": 5, "reason": "x"}]},
        {**RedriveAnswer().to_json(), "sent": 5},
        {**RedriveAnswer().to_json(), "refusal": "no"},
    ],
)
def test_answer_when_it_is_none_then_it_is_one_error(answer):
    """An older sweeper, which takes an order for its schedule's event, answers with what it swept."""
    with pytest.raises(InvalidOrderError):
        parse_answer(answer)
