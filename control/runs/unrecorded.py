"""Executions that left no record: how much of what ran neither the solver nor a trace can see.

A run that succeeded has executed its entry; and of each node of which there is a record, the successors to which it
sent or reported. So what is missing can be counted from the run items and the records at hand, without a search in
any log. Of a node that is missing, the successors are not known: the count is a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caribou.collectors.log_collection import LATE_S, read_to
from caribou.collectors.records import NEWEST_RECORDS, RecordTable
from caribou.control.aws import Aws, aws_errors_as
from caribou.control.runs.evidence import SCAN_ITEMS, Wanted, recent_runs
from caribou.model.graph import Graph
from caribou.model.names import WorkflowNames
from caribou.model.run.item import RunItem, RunState
from caribou.model.run.record import Outcome, RunRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOOKED_AT_RUNS = 500
"""The newest runs that succeeded: as many as a problem is made of."""


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Of so many runs that succeeded, how many lack records, and of how many executions at least; one such run."""

    runs: int
    incomplete: int = 0
    executions: int = 0
    example: str | None = None

    @property
    def warning(self) -> str | None:
        """A sentence on what is missing; None if nothing is."""
        if not self.incomplete:
            return None
        return (
            f"{self.incomplete} of the {self.runs} newest runs that succeeded lack records, of {self.executions} "
            f"executions at least, such as run {self.example}: see what `caribou log_sync` passes over"
        )


def unrecorded(graph: Graph, succeeded: Iterable[RunItem], records: Iterable[RunRecord]) -> Unrecorded:
    """What is missing of these runs; those that began with another graph are not looked at."""
    of_run: dict[str, list[RunRecord]] = {}
    for record in records:
        of_run.setdefault(record.run_id, []).append(record)
    digest = graph.digest
    runs = [item.run.run_id for item in succeeded if item.run.graph == digest]
    missing = {run_id: _missing(graph, of_run.get(run_id, [])) for run_id in runs}
    lacking = {run_id: len(nodes) for run_id, nodes in missing.items() if nodes}
    return Unrecorded(len(runs), len(lacking), sum(lacking.values()), min(lacking, default=None))


def read_unrecorded(
    client: DynamoDBClient,
    run_table: str,
    graph: Graph,
    records: Sequence[RunRecord],
    read_to_s: float,
    *,
    since_s: float | None = None,
    scan_items: int = SCAN_ITEMS,
) -> Unrecorded:
    """What is missing of the newest runs that had ended when logs were read up to `read_to_s`, less what comes late.

    Runs that began before `since_s`, or the oldest record, are not looked at: their records may have expired, or were
    not asked for.
    Of the run table, about `scan_items` items are. Raises OperationFailedError if it can't be read.
    """
    if not records:
        return Unrecorded(0)
    oldest_s = min(record.started_at for record in records) if since_s is None else since_s
    wanted = Wanted(state=RunState.SUCCEEDED, since_s=oldest_s, limit=LOOKED_AT_RUNS)
    with aws_errors_as(f"Reading the runs in {run_table}"):
        try:
            items = recent_runs(client, run_table, wanted, scan_items).items
        except client.exceptions.ResourceNotFoundException:
            return Unrecorded(0)
    known_s = read_to_s - LATE_S
    return unrecorded(graph, [item for item in items if (item.ended_at or known_s) < known_s], records)


def logs_read_to(table: RecordTable, graph: Graph, names: WorkflowNames, home_region: str) -> float:
    """Up to when the logs of a workflow's functions at home were read, UTC seconds; 0 if one of them never was."""
    groups = [names.log_group(function.name) for function in graph.functions]
    return read_to(table, graph.workflow, home_region, groups) or 0.0


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """Looks for what of a workflow ran and left no record, by its newest records and about so many run items."""

    aws: Aws
    table: RecordTable
    newest: int = NEWEST_RECORDS
    scan_items: int = SCAN_ITEMS

    def of(self, graph: Graph, names: WorkflowNames, home_region: str) -> Unrecorded:
        """What is missing as far as home's logs were read. Raises OperationFailedError if a table can't be read."""
        with aws_errors_as("Reading the record table", "whether CaribouControlPlane is deployed"):
            records = self.table.read(graph.workflow, self.newest).records
            read_to_s = logs_read_to(self.table, graph, names, home_region)
        client = self.aws.dynamodb(home_region)
        return read_unrecorded(client, names.run_table, graph, records, read_to_s, scan_items=self.scan_items)


def _missing(graph: Graph, records: Sequence[RunRecord]) -> set[str]:
    """The nodes that ran, as the records of a run that succeeded say, and have no record."""
    recorded = {record.node for record in records if not record.redirect}
    called = {s.node for record in records for s in record.successors if s.outcome is not Outcome.SKIPPED}
    return ({graph.entry.name} | {name for name in called if graph.has_node(name)}) - recorded
