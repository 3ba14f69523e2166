"""Log collection before a region is retired: its logs go with its stack, so their run records are read before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from caribou.collectors.log_collection import LogCollection, collect_logs, read_to
from caribou.collectors.logs import LogReader
from caribou.collectors.records import RecordTable
from caribou.control.aws import aws_errors_as
from caribou.control.stacks.deployed import DeployedStack
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import OperationFailedError
from caribou.model.names import WorkflowNames
from caribou.model.registration import Registration


class LogCollector(Protocol):
    """Reads the logs of a workflow into the record table."""

    def collect(self, known: KnownWorkflow, stacks: Sequence[DeployedStack]) -> Sequence[str]:
        """Read what is new, also in the regions of these stacks; what went wrong, and what was passed over."""

    def read_to(self, workflow: str, region: str, log_groups: Sequence[str]) -> float | None:
        """Up to when (s, UTC) these log groups were read; None if one never was."""


@dataclass(frozen=True)
class RecordCollector:
    """Log collection into a record table."""

    logs: LogReader
    table: RecordTable
    stage: str
    functions_of: Callable[[DeployedStack], Iterable[str]]
    clock: Callable[[], float] = field(default=time.time)

    def collect(self, known: KnownWorkflow, stacks: Sequence[DeployedStack]) -> Sequence[str]:
        """Read what is new. Regions and functions that are no longer registered are read too, if they have a stack."""
        if known.registration is None:
            return ("the workflow is not registered, so its logs can't be read; deploy it again",)
        registration = self._with(known.registration, stacks)
        try:
            with aws_errors_as("Reading logs into the record table", "whether CaribouControlPlane is deployed"):
                report = collect_logs(registration, LogCollection(self.logs, self.table, self.clock(), self.stage))
        except OperationFailedError as error:
            return (str(error),)
        return (*report.failures, *report.passed_over)

    def read_to(self, workflow: str, region: str, log_groups: Sequence[str]) -> float | None:
        """Up to when they were read; None, too, if the record table can't be asked."""
        try:
            with aws_errors_as("Reading the log cursors"):
                return read_to(self.table, workflow, region, log_groups)
        except OperationFailedError:
            return None

    def _with(self, registration: Registration, stacks: Sequence[DeployedStack]) -> Registration:
        regions = {*registration.regions, *(stack.region for stack in stacks)}
        functions = {*registration.functions, *(name for stack in stacks for name in self.functions_of(stack))}
        return replace(registration, regions=tuple(sorted(regions)), functions=tuple(sorted(functions)))


def function_names(names: WorkflowNames, log_groups: Iterable[str]) -> tuple[str, ...]:
    """The workflow's functions to which log groups belong, by the groups' names."""
    prefix = names.log_group("")
    return tuple(group.removeprefix(prefix) for group in log_groups if group.startswith(prefix))
