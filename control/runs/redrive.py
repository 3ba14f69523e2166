"""Going on with a run that failed or expired: the workflow's own sweeper is asked to, and does it by its own role."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.run.order import RedriveAnswer, RedriveOrder

LIMIT_S = 10.0
"""How long to look for the message of a run that failed a moment ago: Lambda is putting it into the failure queue."""
_POLL_S = 1.0


class Sweeper(Protocol):
    """Whoever carries orders out."""

    def carry_out(self, order: RedriveOrder) -> RedriveAnswer:
        """Do what is ordered, unless it is refused; what became of it."""


def redrive(
    sweeper: Sweeper,
    run_id: str,
    *,
    home: bool = False,
    limit_s: float = LIMIT_S,
    sleep: Callable[[float], None] = time.sleep,
) -> RedriveAnswer:
    """Have what is parked of a run sent again, with a new deadline for it; what was sent, or that it had ended.

    With `home`, a run that waits for a region which does not answer goes on without it. One that was interrupted is
    gone on with.

    Raises InvalidInputError for a run that can't go on; OperationFailedError if AWS does not take a message, which then
    stays parked.
    """
    order = RedriveOrder(run_id, home=home)
    answer = sweeper.carry_out(order)
    for _ in range(round(limit_s / _POLL_S)):
        if not _is_to_come(answer):
            break
        sleep(_POLL_S)
        answer = sweeper.carry_out(order)
    _raise(answer, order)
    return answer


def _is_to_come(answer: RedriveAnswer) -> bool:
    """Whether there was nothing to send, yet."""
    return not (answer.sent or answer.has_ended or answer.refusal or answer.failure)


def _raise(answer: RedriveAnswer, order: RedriveOrder) -> None:
    """Raise what became of an order, unless it was carried out."""
    run_id = order.run_id
    where = f"run {run_id}"
    if answer.failure is not None:
        raise OperationFailedError(
            f"Redriving run {run_id} failed: {answer.failure}. What was not sent stays parked: try again later"
        )
    if answer.refusal is not None:
        refusal = answer.refusal
        raise InvalidInputError(refusal.what, where=where, found=refusal.found, fix=refusal.fix)
    if _is_to_come(answer) and order.home:
        raise InvalidInputError(
            "it is halted, EXPIRED, and not everything of it has come in yet: what Lambda is trying is waited for",
            where=where,
            found="; ".join(answer.problems) or None,
            fix=f"give the order again in a minute: `caribou redrive {run_id} --home`",
        )
    if _is_to_come(answer):
        raise InvalidInputError(
            "nothing of it is parked, so there is nothing to send",
            where=where,
            found="; ".join(answer.problems) or None,
            fix=f"look at `caribou trace {run_id}`, and try again in a minute: Lambda may still be trying",
        )
