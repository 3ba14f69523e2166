"""What is ordered of a run, and answered: what an operator's tools and a workflow's sweeper say to each other.

An order is the event of an invocation of the sweeper, and its answer what the invocation returns, both JSON objects
with a schema. An operator may have any version of Caribou, and so may what is deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from caribou.model.errors import InvalidOrderError
from caribou.model.run import fields
from caribou.model.run.text import MAX_ERROR_CHARACTERS, storable

ORDER_SCHEMA, ANSWER_SCHEMA = "caribou.redrive/1", "caribou.redriven/1"
HOME_SCHEMA = "caribou.redrive/2"
CANCEL_SCHEMA, CANCELLED_SCHEMA = "caribou.cancel/1", "caribou.cancelled/1"
_ORDERS = ("caribou.redrive/", "caribou.cancel/")
_NOT_OURS = (KeyError, TypeError, ValueError)
_MAX_BYTES = 4 * MAX_ERROR_CHARACTERS


@dataclass(frozen=True, slots=True)
class RedriveOrder:
    """Go on with a run that failed or expired; with `home`, with any that waits for a region which does not answer."""

    run_id: str
    home: bool = False

    def to_json(self) -> dict[str, Any]:
        """The order as a JSON object. That to bring home has a schema which earlier versions refuse."""
        return {"schema": HOME_SCHEMA if self.home else ORDER_SCHEMA, "run_id": self.run_id}


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """End a run that is open, and let nothing of it begin any more."""

    run_id: str

    def to_json(self) -> dict[str, Any]:
        """The order as a JSON object."""
        return {"schema": CANCEL_SCHEMA, **asdict(self)}


Order = RedriveOrder | CancelOrder


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent again: the node it is for, and why it had not gone on."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a run can't go on: what is wrong, the value found (None: there is none to show), and how to go on."""

    what: str
    fix: str
    found: str | None = None


@dataclass(frozen=True, slots=True)
class RedriveAnswer:
    """What became of an order: what was `sent`, or the `refusal`, or the `failure` of what was asked of AWS.

    None of them: there is nothing to send, yet; or, if it `has_ended`, never again, since all of the run had ended, and
    it has SUCCEEDED now. `problems` says of which queues it is not known what lies there.
    """

    sent: tuple[Sent, ...] = ()
    has_ended: bool = False
    refusal: Refusal | None = None
    failure: str | None = None
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer as a JSON object."""
        return {"schema": ANSWER_SCHEMA, **asdict(self)}


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """What became of an order to cancel: the `refusal`, or the `failure` of what was asked of AWS; neither: it is done.

    `problems` says in which regions nodes may begin still, since they did not answer: the sweeper asks them again.
    """

    refusal: Refusal | None = None
    failure: str | None = None
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer as a JSON object."""
        return {"schema": CANCELLED_SCHEMA, **asdict(self)}


def parse_order(event: Any) -> Order | None:  # noqa: ANN401 - whatever the sweeper was invoked with
    """The order in an event; None if it is none, as the schedule's. Raises InvalidOrderError for a damaged one."""
    schema = event.get("schema") if isinstance(event, Mapping) else None
    if not isinstance(schema, str) or not schema.startswith(_ORDERS):
        return None
    if schema not in (ORDER_SCHEMA, HOME_SCHEMA, CANCEL_SCHEMA):
        raise InvalidOrderError(f"This version takes no orders of {storable(schema, 80)}")
    try:
        run_id = fields.run_name_of(event, "run_id")
    except _NOT_OURS as error:
        raise InvalidOrderError(f"An order of {schema} is damaged: {error!r}") from error
    return CancelOrder(run_id) if schema == CANCEL_SCHEMA else RedriveOrder(run_id, home=schema == HOME_SCHEMA)


def parse_answer(data: Any) -> RedriveAnswer:  # noqa: ANN401 - whatever a function returned
    """The answer in what the sweeper returned. Raises InvalidOrderError for anything else: another version's, say."""
    if not isinstance(data, Mapping) or data.get("schema") != ANSWER_SCHEMA:
        raise InvalidOrderError("It does not know what a redrive is")
    try:
        return RedriveAnswer(
            sent=tuple(Sent(_text(one, "node"), _text(one, "reason")) for one in data["sent"]),
            has_ended=fields.truth_of(data, "has_ended"),
            refusal=None if data["refusal"] is None else _refusal(data["refusal"]),
            failure=fields.optional_text_of(data, "failure", _MAX_BYTES),
            problems=tuple(_text({"problem": one}, "problem") for one in data["problems"]),
        )
    except _NOT_OURS as error:
        raise InvalidOrderError(f"An answer of {ANSWER_SCHEMA} is damaged: {error!r}") from error


def parse_cancelled(data: Any) -> CancelAnswer:  # noqa: ANN401 - whatever a function returned
    """The answer to an order to cancel. Raises InvalidOrderError for anything else: another version's, say."""
    if not isinstance(data, Mapping) or data.get("schema") != CANCELLED_SCHEMA:
        raise InvalidOrderError("It does not know how to cancel a run")
    try:
        return CancelAnswer(
            refusal=None if data["refusal"] is None else _refusal(data["refusal"]),
            failure=fields.optional_text_of(data, "failure", _MAX_BYTES),
            problems=tuple(_text({"problem": one}, "problem") for one in data["problems"]),
        )
    except _NOT_OURS as error:
        raise InvalidOrderError(f"An answer of {CANCELLED_SCHEMA} is damaged: {error!r}") from error


def _refusal(data: Mapping[str, Any]) -> Refusal:
    return Refusal(_text(data, "what"), _text(data, "fix"), fields.optional_text_of(data, "found", _MAX_BYTES))


def _text(data: Mapping[str, Any], name: str) -> str:
    return fields.text_of(data, name, _MAX_BYTES)
