"""Going on with a run that failed or expired: the workflow's own sweeper is asked to, and does it by its own role."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from caribou.control.aws import Aws, aws_errors_as
from caribou.model.errors import InvalidInputError, InvalidOrderError, OperationFailedError
from caribou.model.run.order import RedriveAnswer, RedriveOrder, parse_answer

LIMIT_S = 10.0
"""How long to look for the message of a run that failed a moment ago: Lambda is putting it into the failure queue."""
_POLL_S = 1.0


class Sweeper(Protocol):
    """Whoever carries orders out."""

    def carry_out(self, order: RedriveOrder) -> RedriveAnswer:
        """Do what is ordered, unless it is refused; what became of it."""


@dataclass(frozen=True)
class SweeperFunction:
    """The deployed sweeper of a workflow: a function at home, which a redrive may take up to its time limit."""

    aws: Aws
    workflow: str
    region: str
    function: str

    def carry_out(self, order: RedriveOrder) -> RedriveAnswer:
        """Invoke the function and wait for its answer. Raises OperationFailedError."""
        with aws_errors_as(f"Invoking the sweeper of {self.workflow}, {self.function} in {self.region},"):
            answer = self.aws.functions(self.region).invoke(
                FunctionName=self.function, Payload=json.dumps(order.to_json())
            )
            body = answer["Payload"].read()
        if "FunctionError" in answer:
            raise OperationFailedError(
                f"The sweeper of {self.workflow} failed: {body.decode(errors='replace')[:500]}. Its log says more; if "
                f"it is of another version than this one: caribou deploy {self.workflow}"
            )
        try:
            return parse_answer(json.loads(body))
        except (ValueError, InvalidOrderError) as error:
            raise too_old(self.workflow, self.region, error) from error


def too_old(workflow: str, region: str, found: object) -> OperationFailedError:
    """There is no sweeper that takes orders, or none that is known of."""
    return OperationFailedError(
        f"The deployed {workflow} in {region} has no sweeper that redrives runs ({found}): it is of an older version "
        f"of Caribou, or not there. To bring it up to date: caribou deploy {workflow}"
    )


def redrive(
    sweeper: Sweeper, run_id: str, *, limit_s: float = LIMIT_S, sleep: Callable[[float], None] = time.sleep
) -> RedriveAnswer:
    """Have what is parked of a run sent again, with a new deadline for it; what was sent, or that it had ended.

    One that was interrupted is gone on with. Raises InvalidInputError for a run that can't go on; OperationFailedError
    if AWS does not take a message, which then stays parked.
    """
    answer = sweeper.carry_out(RedriveOrder(run_id))
    for _ in range(round(limit_s / _POLL_S)):
        if not _is_to_come(answer):
            break
        sleep(_POLL_S)
        answer = sweeper.carry_out(RedriveOrder(run_id))
    _raise(answer, run_id)
    return answer


def _is_to_come(answer: RedriveAnswer) -> bool:
    """Whether there was nothing to send, yet."""
    return not (answer.sent or answer.has_ended or answer.refusal or answer.failure)


def _raise(answer: RedriveAnswer, run_id: str) -> None:
    """Raise what became of an order, unless it was carried out."""
    where = f"run {run_id}"
    if answer.failure is not None:
        raise OperationFailedError(
            f"Redriving run {run_id} failed: {answer.failure}. What was not sent stays parked: try again later"
        )
    if answer.refusal is not None:
        refusal = answer.refusal
        raise InvalidInputError(refusal.what, where=where, found=refusal.found, fix=refusal.fix)
    if _is_to_come(answer):
        raise InvalidInputError(
            "nothing of it is parked, so there is nothing to send",
            where=where,
            found="; ".join(answer.problems) or None,
            fix=f"look at `caribou trace {run_id}`, and try again in a minute: Lambda may still be trying",
        )
