"""Which regions a workflow's runs use, out of the run table at home."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from caribou.control.aws import Aws, telling
from caribou.model.names import WorkflowNames

OPEN, SUCCEEDED = "RUNNING", "SUCCEEDED"
_ATTRIBUTES = {"#id": "run_id", "#state": "state", "#regions": "regions", "#deadline": "deadline", "#ended": "ended_at"}


@dataclass(frozen=True, slots=True)
class RunUse:
    """A run as far as retiring regions goes: its state, the regions of its map but home, and its times (s, UTC)."""

    run_id: str
    state: str
    regions: frozenset[str]
    deadline: float
    ended_at: float | None = None

    def is_open(self, now_s: float) -> bool:
        """Whether it may still go on: nothing is sent for a run whose deadline has passed, ended or not."""
        return self.state == OPEN and now_s < self.deadline

    def end_s(self) -> float:
        """When it ended, for one that is not open any more: its deadline if nobody noted an end."""
        return self.deadline if self.ended_at is None else self.ended_at

    @property
    def succeeded(self) -> bool:
        """Whether all of it ended; of a run that failed, other branches may go on for a while."""
        return self.state == SUCCEEDED


def run_uses(aws: Aws, names: WorkflowNames, home_region: str) -> tuple[RunUse, ...]:
    """All runs in the run table, read consistently, page by page; none if there is no table yet."""
    client = aws.dynamodb(home_region)
    pages = client.get_paginator("scan").paginate(
        TableName=names.run_table,
        ConsistentRead=True,
        ProjectionExpression=", ".join(_ATTRIBUTES),
        ExpressionAttributeNames=_ATTRIBUTES,
    )
    with telling(f"Reading the runs in {names.run_table} of {home_region}"):
        try:
            return tuple(use_of(item) for page in pages for item in page["Items"] if "state" in item)
        except client.exceptions.ResourceNotFoundException:
            return ()


def use_of(item: Mapping[str, Any]) -> RunUse:
    """The run in a run item, as the low-level client gives it."""
    return RunUse(
        run_id=item["run_id"]["S"],
        state=item["state"]["S"],
        regions=frozenset(json.loads(item["regions"]["S"]).values()),
        deadline=float(item["deadline"]["N"]),
        ended_at=float(item["ended_at"]["N"]) if "ended_at" in item else None,
    )


def open_runs(uses: Iterable[RunUse], now_s: float) -> int:
    """How many runs are open."""
    return sum(use.is_open(now_s) for use in uses)
