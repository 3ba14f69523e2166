"""Records of a run whose log is gone with its region: what log collection had put into the control plane's table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from caribou.collectors.record_lines import parse_record
from caribou.control.aws import Aws
from caribou.model.errors import InvalidRecordError
from caribou.model.run.record import RunRecord

_MS_DIGITS = 13


@dataclass(frozen=True, slots=True)
class RecordArchive:
    """The record table, as far as it has single runs."""

    table: str
    region: str

    def records(self, aws: Aws, workflow: str, run_id: str, span_ms: tuple[int, int]) -> tuple[RunRecord, ...]:
        """A run's records in a span of time; none if there is no table. Errors are named by their type alone.

        Raises ClientError and BotoCoreError.
        """
        client = aws.dynamodb(self.region)
        first, last = (f"record#{max(at, 0):0{_MS_DIGITS}d}#" for at in span_ms)
        pages = client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="workflow = :workflow AND id BETWEEN :first AND :last",
            FilterExpression="contains(id, :run)",
            ExpressionAttributeValues={
                ":workflow": {"S": workflow},
                ":first": {"S": first},
                ":last": {"S": last},
                ":run": {"S": f"#{run_id}#"},
            },
        )
        try:
            found = [_record(item) for page in pages for item in page["Items"]]
        except client.exceptions.ResourceNotFoundException:
            return ()
        return tuple(record for record in found if record is not None and record.run_id == run_id)


def _record(item: Any) -> RunRecord | None:  # noqa: ANN401 - an item of DynamoDB
    """The record in an item; None for one that can't be read."""
    try:
        return parse_record(json.loads(item["body"]["S"]), "record table")
    except (KeyError, TypeError, ValueError, RecursionError, InvalidRecordError):
        return None
