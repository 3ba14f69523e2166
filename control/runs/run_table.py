"""Which regions a workflow's runs use, out of the run table at home.

How many runs are open is counted in the table's sparse index, whose size does not depend on how many runs there ever
were. Retiring a region asks of ended runs too, and must not overlook one: it reads the whole table, consistently.
"""

from __future__ import annotations

from collections.abc import Iterable

from caribou.control.aws import Aws, aws_errors_as
from caribou.model.errors import OperationFailedError, UnreachableError
from caribou.model.names import WorkflowNames
from caribou.model.run import RunState, RunUse
from caribou.runtime.clients import Clients
from caribou.runtime.run_items import USE_ONLY, open_at, run_use
from caribou.runtime.sync_items import DynamoParking


def run_uses(aws: Aws, names: WorkflowNames, home_region: str) -> tuple[RunUse, ...]:
    """All runs in the run table, read consistently, page by page; none if there is no table yet."""
    client = aws.dynamodb(home_region)
    pages = client.get_paginator("scan").paginate(TableName=names.run_table, ConsistentRead=True, **USE_ONLY)
    with aws_errors_as(f"Reading the runs in {names.run_table} of {home_region}"):
        try:
            return tuple(use for page in pages for item in page["Items"] if (use := run_use(item)))
        except client.exceptions.ResourceNotFoundException:
            return ()


def open_runs(aws: Aws, names: WorkflowNames, home_region: str, now_s: float) -> int:
    """How many runs are open, by the index; 0 if there is no table yet. One that began a moment ago may be missing."""
    client = aws.dynamodb(home_region)
    pages = client.get_paginator("query").paginate(TableName=names.run_table, Select="COUNT", **open_at(now_s))
    with aws_errors_as(f"Counting the open runs in {names.run_table} of {home_region}"):
        try:
            return sum(page["Count"] for page in pages)
        except client.exceptions.ResourceNotFoundException:
            return 0


def redrivable(names: WorkflowNames, home_region: str, uses: Iterable[RunUse]) -> tuple[str, ...]:
    """Ids of those runs that failed or expired and have parked messages, from which a redrive goes on."""
    parking = DynamoParking(Clients(), names.sync_table, home_region)
    ended = [use.run_id for use in uses if use.state in (RunState.FAILED, RunState.EXPIRED)]
    try:
        with aws_errors_as(f"Reading parked messages in {names.sync_table} of {home_region}"):
            return tuple(run_id for run_id in ended if parking.parked(run_id))
    except UnreachableError as error:
        raise OperationFailedError(f"Reading parked messages in {names.sync_table} failed: {error}") from error
