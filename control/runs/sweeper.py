"""The deployed sweeper of a workflow, which carries orders out by its own role: redrives, and ends of runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from caribou.control.aws import Aws, aws_errors_as
from caribou.model.errors import InvalidOrderError, OperationFailedError
from caribou.model.run.order import (
    CancelAnswer,
    CancelOrder,
    Order,
    RedriveAnswer,
    RedriveOrder,
    parse_answer,
    parse_cancelled,
)


@dataclass(frozen=True)
class SweeperFunction:
    """A function at home, which an order may take up to its time limit."""

    aws: Aws
    workflow: str
    region: str
    function: str

    def carry_out(self, order: RedriveOrder) -> RedriveAnswer:
        """Have a run redriven; what became of it. Raises OperationFailedError."""
        answer = self._answer(order)
        try:
            return parse_answer(answer)
        except InvalidOrderError as error:
            raise too_old(self.workflow, self.region, error) from error

    def cancel(self, order: CancelOrder) -> CancelAnswer:
        """Have a run cancelled; what became of it. Raises OperationFailedError."""
        answer = self._answer(order)
        try:
            return parse_cancelled(answer)
        except InvalidOrderError as error:
            raise too_old(self.workflow, self.region, error) from error

    def _answer(self, order: Order) -> Any:  # noqa: ANN401 - whatever a function returns
        """Invoke the function and wait for its answer; None if that is no JSON."""
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
            return json.loads(body)
        except ValueError:
            return None


def too_old(workflow: str, region: str, found: object) -> OperationFailedError:
    """There is no sweeper that takes such orders, or none that is known of."""
    return OperationFailedError(
        f"The deployed {workflow} in {region} has no sweeper that takes this order ({found}): it is of an older "
        f"version of Caribou, or not there. To bring it up to date: caribou deploy {workflow}"
    )
