"""Which regions a workflow's runs use, out of the run table at home.

How many runs are open is counted in the table's sparse index, whose size does not depend on how many runs there ever
were. Retiring a region asks of ended runs too, and must not overlook one: it reads the whole table, consistently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from caribou.control.aws import Aws, aws_errors_as
from caribou.model.errors import InvalidRunItemError, OperationFailedError, UnreachableError
from caribou.model.names import WorkflowNames
from caribou.model.run.item import RunState
from caribou.runtime.clients import Clients
from caribou.runtime.run_items import USE_ONLY, open_at, use_in
from caribou.runtime.sync_items import DynamoParking


@dataclass(frozen=True, slots=True)
class RunUse:
    """A run as far as retiring regions goes: its state, the regions of its map but home, and its times (s, UTC)."""

    run_id: str
    state: RunState
    regions: frozenset[str]
    deadline: float
    ended_at: float | None = None

    def is_open(self, now_s: float) -> bool:
        """Whether it may still go on: nothing is sent for a run whose deadline has passed, ended or not."""
        return self.state is RunState.RUNNING and now_s < self.deadline

    def end_s(self) -> float:
        """When it ended, for one that is not open any more: its deadline if nobody noted an end since it (re)began."""
        return self.deadline if self.ended_at is None or self.state is RunState.RUNNING else self.ended_at

    @property
    def succeeded(self) -> bool:
        """Whether all of it ended; of a run that failed, other branches may go on for a while."""
        return self.state is RunState.SUCCEEDED


def run_uses(aws: Aws, names: WorkflowNames, home_region: str) -> tuple[RunUse, ...]:
    """All runs in the run table, read consistently, page by page; none if there is no table yet."""
    client = aws.dynamodb(home_region)
    pages = client.get_paginator("scan").paginate(TableName=names.run_table, ConsistentRead=True, **USE_ONLY)
    with aws_errors_as(f"Reading the runs in {names.run_table} of {home_region}"):
        try:
            return tuple(_uses(item for page in pages for item in page["Items"]))
        except client.exceptions.ResourceNotFoundException:
            return ()


def _uses(items: Iterable[Mapping[str, Any]]) -> Iterator[RunUse]:
    """The uses in items; a damaged one is passed over: no sweep can go on with its run, so it needs no region."""
    for item in items:
        with suppress(InvalidRunItemError):
            if use := use_in(item):
                yield RunUse(**use)


def open_runs(aws: Aws, names: WorkflowNames, home_region: str, now_s: float) -> int:
    """How many runs are open, by the index; 0 if there is no table yet. One that began a moment ago may be missing."""
    client = aws.dynamodb(home_region)
    pages = client.get_paginator("scan").paginate(TableName=names.run_table, Select="COUNT", **open_at(now_s))
    with aws_errors_as(f"Counting the open runs in {names.run_table} of {home_region}"):
        try:
            return sum(page["Count"] for page in pages)
        except client.exceptions.ResourceNotFoundException:
            return 0


_AT_ONCE = 8
"""Queries: botocore keeps ten connections."""


def redrivable(names: WorkflowNames, home_region: str, uses: Iterable[RunUse]) -> tuple[str, ...]:
    """Ids of those runs that failed or expired and have parked messages, from which a redrive goes on."""
    parking = DynamoParking(Clients(), names.sync_table, home_region)
    ended = [use.run_id for use in uses if use.state in (RunState.FAILED, RunState.EXPIRED)]
    try:
        what = f"Reading parked messages in {names.sync_table} of {home_region}"
        with aws_errors_as(what), ThreadPoolExecutor(_AT_ONCE) as threads:
            parked = threads.map(parking.parked, ended)
            return tuple(run_id for run_id, messages in zip(ended, parked, strict=True) if messages)
    except UnreachableError as error:
        raise OperationFailedError(f"Reading parked messages in {names.sync_table} failed: {error}") from error
