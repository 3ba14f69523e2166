"""What a workflow's tables and logs say of its runs: the newest runs, and the evidence for the trace of one."""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from caribou.collectors.logs import LogEvent, LogReader
from caribou.collectors.record_lines import record_in
from caribou.control.aws import Aws, aws_errors_as
from caribou.control.runs.archive import RecordArchive
from caribou.control.runs.trace import Evidence, Notes
from caribou.model.errors import InvalidRecordError, OperationFailedError
from caribou.model.graph import Graph
from caribou.model.names import WorkflowNames
from caribou.model.run.item import Parked, RunItem, RunState
from caribou.model.run.record import RunRecord
from caribou.runtime.node import MAX_ATTEMPTS
from caribou.runtime.run_items import begun_since, called, open_since, readable
from caribou.runtime.sync_items import claim_key, claim_of, state_key, state_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCAN_ITEMS = 20_000
"""How many items of the run table are looked at for a list: about 10 MB, a few seconds, and a fifth of a cent."""
SKEW_S = 15 * 60
"""How far a function's clock, and CloudWatch's, may be off the one that wrote the run item."""
_THREADS = 16
_PLAIN_ID = re.compile(r"[\w.-]+", re.ASCII)


def search_term(run_id: str) -> str:
    """The term by which a run's records are searched in a log; none for an id that a filter can't quote."""
    return run_id if _PLAIN_ID.fullmatch(run_id) else ""


def span_ms_of(item: RunItem, now_s: float) -> tuple[int, int]:
    """The time in which a run's log lines may stand, ms since 1970: its own, and what clocks may be off."""
    end_s = now_s if item.ended_at is None or item.state is RunState.RUNNING else item.ended_at
    return int((item.run.started_at - SKEW_S) * 1000), int((end_s + SKEW_S) * 1000)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs to list: those of a state (None: any) that began at `since_s` or later, at most so many.

    With a `prefix`, those whose ids begin with it.
    """

    state: RunState | None = None
    since_s: float = 0.0
    limit: int = 20
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Runs, the newest first. Not `is_complete`: the table has more items than were looked at, in no order.

    `broken` counts items that can't be read.
    """

    items: tuple[RunItem, ...]
    is_complete: bool = True
    broken: int = 0


def recent_runs(client: DynamoDBClient, table: str, wanted: Wanted, scan_items: int = SCAN_ITEMS) -> Listing:
    """The newest runs: open ones by the index of them, others by a scan of the table as far as `scan_items`."""
    found: list[RunItem] = []
    looked_at, broken, is_complete = 0, 0, True
    for page in _pages(client, table, wanted):
        read = readable(page["Items"])
        found += read
        broken += len(page["Items"]) - len(read)
        looked_at += page["ScannedCount"]
        if looked_at >= scan_items and "LastEvaluatedKey" in page:
            is_complete = False
            break
    newest = heapq.nlargest(wanted.limit, found, key=lambda item: item.run.started_at)
    return Listing(tuple(newest), is_complete, broken)


def _pages(client: DynamoDBClient, table: str, wanted: Wanted) -> Iterator[Mapping[str, Any]]:
    is_open = wanted.state is RunState.RUNNING
    if wanted.prefix:
        which = called(wanted.prefix)
    else:
        which = open_since(wanted.since_s) if is_open else begun_since(wanted.since_s, wanted.state)
    return iter(client.get_paginator("scan").paginate(TableName=table, **which))


@dataclass(frozen=True)
class RunFacts:
    """Reads what is known of a workflow's runs."""

    aws: Aws
    graph: Graph
    names: WorkflowNames
    home_region: str
    logs: LogReader
    archive: RecordArchive | None = None

    def evidence(self, item: RunItem, parked: tuple[Parked, ...], now_s: float) -> Evidence:
        """All that is known of a run: a region but home that does not answer is named, and what is there left out.

        Raises OperationFailedError if home does not answer.
        """
        unseen = Unseen(self.home_region)
        records = self._records(item, now_s, unseen)
        ended = {record.node for record in records if record.error is None and not record.redirect}
        open_nodes = [] if item.state is RunState.SUCCEEDED else [n for n in self.graph.nodes if n.name not in ended]
        with (
            aws_errors_as(f"Reading the state of run {item.run.run_id}"),
            ThreadPoolExecutor(_THREADS) as threads,
        ):
            notes = list(threads.map(lambda node: self._notes(item, node.name, unseen), open_nodes))
        by_node = {node.name: noted for node, noted in zip(open_nodes, notes, strict=True)}
        return Evidence(self.graph, self.home_region, item, records, by_node, parked, tuple(sorted(unseen.regions)))

    def _records(self, item: RunItem, now_s: float, unseen: Unseen) -> tuple[RunRecord, ...]:
        """The run's records, out of the logs of the regions that it may have been in, in the time that it took."""
        run, span_ms = item.run, span_ms_of(item, now_s)
        regions = {self.home_region, *run.regions.values()}
        groups = list(self._log_groups(regions, unseen))
        with ThreadPoolExecutor(_THREADS) as threads:
            found = threads.map(lambda group: self._records_in(group, run.run_id, span_ms, unseen), groups)
            records = [record for records in found for record in records]
        retired = regions - {region for region, _ in groups} - unseen.regions
        records += self._archived(run.run_id, span_ms, retired, unseen) if retired else ()
        return tuple(dict.fromkeys(records))  # CloudWatch may show an event twice

    def _archived(
        self, run_id: str, span_ms: tuple[int, int], retired: Collection[str], unseen: Unseen
    ) -> list[RunRecord]:
        """The records of regions that have no log any more, as the control plane has them, if it answers."""
        records: list[RunRecord] = []
        if self.archive is not None:
            with unseen.looking(self.archive.region):
                records += self.archive.records(self.aws, self.graph.workflow, run_id, span_ms)
        return [record for record in records if record.region in retired]

    def _log_groups(self, regions: Iterable[str], unseen: Unseen) -> Iterator[tuple[str, str]]:
        """The log groups of the workflow's functions that are there, by region."""
        names = [self.names.log_group(function.name) for function in self.graph.functions]
        existing: dict[str, Mapping[str, int]] = {}
        for region in sorted(regions):
            with unseen.looking(region):
                existing[region] = self.logs.groups(region, self.names.log_group(""))
        return ((region, name) for region, name in product(existing, names) if name in existing[region])

    def _records_in(
        self, group: tuple[str, str], run_id: str, span_ms: tuple[int, int], unseen: Unseen
    ) -> list[RunRecord]:
        (region, name), term = group, search_term(run_id)
        events: list[LogEvent] = []
        with unseen.looking(region):
            events += self.logs.events(region, name, *span_ms, also=term)
        lines = (line for event in events for line in event.message.split("\n"))
        found = [record for record in map(_record_in, lines) if record is not None and record.run_id == run_id]
        return [r for r in found if (r.region, self.names.log_group(r.function)) == group]  # nobody else's log has it

    def _notes(self, item: RunItem, node: str, unseen: Unseen) -> Notes:
        """A node's claim and reports, in the region of the run's map; if it was never claimed there, at home."""
        planned, notes = item.run.region_of(node, self.home_region), Notes()
        if planned not in unseen.regions:
            with unseen.looking(planned):
                notes = self._notes_in(planned, item.run.run_id, node)
        if notes.tries or planned == self.home_region:
            return notes
        return Notes(self._notes_in(self.home_region, item.run.run_id, node).tries, notes.reports)

    def owners(self, item: RunItem, unseen: Unseen) -> dict[str, str]:
        """The requests that own claims of a run's nodes, and the node of each: the last delivery of each that began."""
        places = [(node.name, item.run.region_of(node.name, self.home_region)) for node in self.graph.nodes]
        keys = sorted({*places, *((node, self.home_region) for node, _ in places)})
        with aws_errors_as(f"Reading claims of run {item.run.run_id}"), ThreadPoolExecutor(_THREADS) as threads:
            owners = threads.map(lambda key: self._owner(item.run.run_id, key[0], key[1], unseen), keys)
            return {owner: node for owner, (node, _) in zip(owners, keys, strict=True) if owner is not None}

    def _owner(self, run_id: str, node: str, region: str, unseen: Unseen) -> str | None:
        claim: Mapping[str, Any] = {}
        if region not in unseen.regions:
            with unseen.looking(region):
                claim = self._got(region, claim_key(run_id, node))
        owner = claim.get("owner", {}).get("S")
        return owner if isinstance(owner, str) else None

    def _notes_in(self, region: str, run_id: str, node: str) -> Notes:
        """The notes in the items of a region's sync table; tries are counted like records' attempts."""
        attempt, tries = claim_of(self._got(region, claim_key(run_id, node)))
        state = state_of(self._got(region, state_key(run_id, node)))
        return Notes(attempt * MAX_ATTEMPTS + tries if tries else 0, state)

    def _got(self, region: str, key: Mapping[str, Any]) -> Mapping[str, Any]:
        """An item of a region's sync table; an empty one if there is none, or if the region is retired."""
        client = self.aws.dynamodb(region)
        try:
            answer = client.get_item(TableName=self.names.sync_table, Key=key, ConsistentRead=True)
        except client.exceptions.ResourceNotFoundException:
            return {}
        return answer.get("Item", {})


@dataclass(frozen=True, slots=True)
class Unseen:
    """The regions but home that did not answer, or refused to: what is there is not known."""

    home_region: str
    regions: set[str] = field(default_factory=set)

    @contextmanager
    def looking(self, region: str) -> Iterator[None]:
        """Within it, a region that does not answer is noted, and passed by; home's error is raised."""
        try:
            yield
        except (OperationFailedError, ClientError, BotoCoreError):
            if region == self.home_region:
                raise
            self.regions.add(region)


def _record_in(line: str) -> RunRecord | None:
    """The record in a line; None for a broken one."""
    try:
        return record_in(line)
    except InvalidRecordError:
        return None
