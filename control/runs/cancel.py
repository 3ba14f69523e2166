"""Ending a run that is open: the workflow's own sweeper is asked to, and does it by its own role."""

from __future__ import annotations

from typing import Protocol

from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.run.order import CancelAnswer, CancelOrder


class Sweeper(Protocol):
    """Whoever carries orders out."""

    def cancel(self, order: CancelOrder) -> CancelAnswer:
        """Do what is ordered, unless it is refused; what became of it."""


def cancel(sweeper: Sweeper, run_id: str) -> CancelAnswer:
    """Have a run cancelled: that is so at once. The answer says in which regions its nodes may still begin.

    One that is cancelled already is stopped again. Raises InvalidInputError for a run that is not there or has ended,
    OperationFailedError if home does not answer.
    """
    answer = sweeper.cancel(CancelOrder(run_id))
    if answer.failure is not None:
        raise OperationFailedError(
            f"Cancelling run {run_id} failed: {answer.failure}. `caribou trace {run_id}` says how it stands, and "
            f"cancelling it again does no harm"
        )
    if answer.refusal is not None:
        raise InvalidInputError(
            answer.refusal.what, where=f"run {run_id}", found=answer.refusal.found, fix=answer.refusal.fix
        )
    return answer
