"""The control plane's table of run records, with the cursors that say how far each log group was read.

One table, partition key `workflow`, sort key `id`:

- `record#<started_at, ms, 13 digits>#<run_id>#<node>#<attempt>`: a run record, its JSON text in `body`. The key and
  the content follow from the record alone, so writing it twice changes nothing. `expires` is the table's TTL.
- `cursor#<region>#<log group>`: `read_to_ms`, up to when the group was read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from boto3.dynamodb.conditions import Key

from caribou.collectors.clients import table_of
from caribou.collectors.record_lines import parse_record
from caribou.model.run.record import RunRecord

Item = dict[str, Any]
DAY_S = 24 * 3600
NEWEST_RECORDS = 20_000
"""Records that a problem is made of, at most: about 2,000 runs of 10 nodes, far beyond what samples gain from."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to when (ms since 1970) a log group in a region was read for a workflow."""

    workflow: str
    region: str
    log_group: str
    read_to_ms: int

    @property
    def id(self) -> str:
        """The sort key."""
        return cursor_id(self.region, self.log_group)


class RecordTable(Protocol):
    """The control plane's table of run records and cursors."""

    def put_records(self, records: Iterable[RunRecord], keep_days: int) -> None:
        """Write records, to be kept `keep_days` after their start; what is there already stays as it is."""

    def records(self, workflow: str, newest: int = NEWEST_RECORDS) -> list[RunRecord]:
        """The newest records of a workflow, oldest first."""

    def cursor(self, workflow: str, region: str, log_group: str) -> Cursor | None:
        """How far a log group was read; None if it never was."""

    def put_cursor(self, cursor: Cursor) -> None:
        """Note how far a log group was read."""


@dataclass(frozen=True, slots=True)
class InMemoryRecordTable:
    """A record table in memory."""

    items: dict[tuple[str, str], Item] = field(default_factory=dict)

    def put_records(self, records: Iterable[RunRecord], keep_days: int) -> None:
        """Write records."""
        for record in records:
            item = record_item(record, keep_days)
            self.items[item["workflow"], item["id"]] = item

    def records(self, workflow: str, newest: int = NEWEST_RECORDS) -> list[RunRecord]:
        """The newest records of a workflow."""
        found = [item for (of, key), item in sorted(self.items.items()) if of == workflow and key.startswith("record#")]
        return [_record_in(item) for item in found[-newest:]]

    def cursor(self, workflow: str, region: str, log_group: str) -> Cursor | None:
        """How far a log group was read."""
        item = self.items.get((workflow, cursor_id(region, log_group)))
        return None if item is None else Cursor(workflow, region, log_group, int(item["read_to_ms"]))

    def put_cursor(self, cursor: Cursor) -> None:
        """Note how far a log group was read."""
        self.items[cursor.workflow, cursor.id] = _cursor_item(cursor)


class DynamoRecordTable:
    """The record table in DynamoDB."""

    def __init__(self, name: str, region: str) -> None:
        self._table = table_of(name, region)

    def put_records(self, records: Iterable[RunRecord], keep_days: int) -> None:
        """Write records, 25 in a request; the same record twice in a batch, as in an overlap, is written once."""
        with self._table.batch_writer(overwrite_by_pkeys=["workflow", "id"]) as batch:
            for record in records:
                batch.put_item(Item=record_item(record, keep_days))

    def records(self, workflow: str, newest: int = NEWEST_RECORDS) -> list[RunRecord]:
        """The newest records of a workflow, read page by page from the newest on."""
        found: list[RunRecord] = []
        for item in self._newest_items(workflow):
            found.append(_record_in(item))
            if len(found) == newest:
                break
        return found[::-1]

    def _newest_items(self, workflow: str) -> Iterator[Mapping[str, Any]]:
        condition = Key("workflow").eq(workflow) & Key("id").begins_with("record#")
        page = self._table.query(KeyConditionExpression=condition, ScanIndexForward=False)
        yield from page["Items"]
        while last := page.get("LastEvaluatedKey"):
            page = self._table.query(KeyConditionExpression=condition, ScanIndexForward=False, ExclusiveStartKey=last)
            yield from page["Items"]

    def cursor(self, workflow: str, region: str, log_group: str) -> Cursor | None:
        """How far a log group was read, read consistently."""
        key = {"workflow": workflow, "id": cursor_id(region, log_group)}
        item = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        return None if item is None else Cursor(workflow, region, log_group, int(str(item["read_to_ms"])))

    def put_cursor(self, cursor: Cursor) -> None:
        """Note how far a log group was read."""
        self._table.put_item(Item=_cursor_item(cursor))


def cursor_id(region: str, log_group: str) -> str:
    """The sort key of a log group's cursor."""
    return f"cursor#{region}#{log_group}"


def record_id(record: RunRecord) -> str:
    """The sort key of a record: in the order of time, and its own alone."""
    return f"record#{round(record.started_at * 1000):013d}#{record.run_id}#{record.node}#{record.attempt}"


def record_item(record: RunRecord, keep_days: int) -> Item:
    """A record as an item of the table."""
    return {
        "workflow": record.workflow,
        "id": record_id(record),
        "version": record.workflow_version,
        "body": json.dumps(record.to_json(), sort_keys=True, separators=(",", ":")),
        "expires": int(record.started_at) + keep_days * DAY_S,
    }


def _record_in(item: Mapping[str, Any]) -> RunRecord:
    return parse_record(json.loads(item["body"]), f"record table, {item['id']}")


def _cursor_item(cursor: Cursor) -> Item:
    return {"workflow": cursor.workflow, "id": cursor.id, "read_to_ms": cursor.read_to_ms}
