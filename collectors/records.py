"""The control plane's table of run records, with the cursors that say how far each log group was read.

One table, partition key `workflow`, sort key `id`:

- `record#<started_at, ms, 13 digits>#<run_id>#<node>#<attempt>`: a run record, its JSON text in `body`. The key and
  the content follow from the record alone, so writing it twice changes nothing. `expires` is the table's TTL. Of an
  error only the type is kept, and of external data no host: texts, which may be anybody's data, and names of buckets
  stay in the function's log, in its own region.
- `cursor#<region>#<log group>`: `read_to_ms`, up to when the group was read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol

from boto3.dynamodb.conditions import Key
from boto3.dynamodb.table import BatchWriter
from botocore.exceptions import ClientError

from caribou.collectors.clients import table_of
from caribou.collectors.first_look import FirstLook
from caribou.collectors.item_limits import refusal
from caribou.collectors.kept_runs import RUN_RECORDS, Stored, Texts, chosen, look_at
from caribou.collectors.record_lines import parse_record
from caribou.model.errors import InvalidRecordError
from caribou.model.graph import Graph
from caribou.model.run.record import RunRecord
from caribou.model.run.text import error_type

Item = dict[str, Any]
DAY_S = 24 * 3600
NEWEST_RECORDS = 20_000
"""Records that are read where nothing is said of their runs, at most: about 2,000 runs of 10 nodes."""
_LOOKED_AT = 5
"""Items that are looked at for each record that is wanted, at most: those that do not count are passed over."""
LOOKED_AT_RECORDS = 100_000
"""Items that are looked at for runs that made a rare call, at most: about 100 MB."""
_ITEMS_A_REQUEST = 25
_NOT_TAKEN = frozenset({"ValidationException", "SerializationException"})


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

    def put_records(self, records: Iterable[RunRecord], keep_days: int) -> list[str]:
        """Write records, to be kept `keep_days` after their start; which ones the table does not take, and why."""

    def read(self, workflow: str, newest: int = NEWEST_RECORDS) -> Stored:
        """The newest records of a workflow."""

    def kept(self, graph: Graph) -> Stored:
        """The records of the newest runs of a graph's version, and of older ones that made a rare call of it."""

    def texts(self, workflow: str) -> Iterator[str | None]:
        """All records of a workflow as JSON texts, oldest first; None for one that can't be read."""

    def cursor(self, workflow: str, region: str, log_group: str) -> Cursor | None:
        """How far a log group was read; None if it never was."""

    def put_cursor(self, cursor: Cursor) -> None:
        """Note how far a log group was read."""


@dataclass(frozen=True, slots=True)
class InMemoryRecordTable:
    """A record table in memory."""

    items: dict[tuple[str, str], Item] = field(default_factory=dict)

    def put_records(self, records: Iterable[RunRecord], keep_days: int) -> list[str]:
        """Write records that DynamoDB would take."""
        items = [record_item(record, keep_days) for record in records]
        refused = {item["id"]: why for item in items if (why := refusal(item, "workflow", "id"))}
        self.items.update({(item["workflow"], item["id"]): item for item in items if item["id"] not in refused})
        return [_not_taken(key, why) for key, why in refused.items()]

    def read(self, workflow: str, newest: int = NEWEST_RECORDS) -> Stored:
        """The newest records of a workflow."""
        return _stored(self._items(workflow)[::-1], newest)

    def kept(self, graph: Graph) -> Stored:
        """The records of the newest runs, and of older ones that made a rare call."""
        return _kept(self._items(graph.workflow)[::-1], graph)

    def texts(self, workflow: str) -> Iterator[str | None]:
        """All records of a workflow, oldest first."""
        return map(_text, self._items(workflow))

    def _items(self, workflow: str) -> list[Item]:
        return [item for (of, key), item in sorted(self.items.items()) if of == workflow and key.startswith("record#")]

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
        self._name = name
        self._client = table_of(name, region).meta.client  # threads may share it, but not the table

    def put_records(self, records: Iterable[RunRecord], keep_days: int) -> list[str]:
        """Write records, 25 in a request; the same record twice, as in an overlap, is written once."""
        items = {item["id"]: item for item in (record_item(record, keep_days) for record in records)}
        all_items, step = list(items.values()), _ITEMS_A_REQUEST
        return [why for i in range(0, len(all_items), step) for why in self._put(all_items[i : i + step])]

    def _put(self, items: Sequence[Item]) -> list[str]:
        """Write items together; if DynamoDB does not take that, one by one, to find the one that it means."""
        try:
            with BatchWriter(self._name, self._client) as batch:
                for item in items:
                    batch.put_item(Item=item)
        except (ClientError, ArithmeticError) as error:  # boto3 looks at numbers itself
            if isinstance(error, ClientError) and error.response["Error"].get("Code") not in _NOT_TAKEN:
                raise
            if len(items) == 1:
                return [_not_taken(items[0]["id"], error)]
            return [why for item in items for why in self._put([item])]
        return []

    def read(self, workflow: str, newest: int = NEWEST_RECORDS) -> Stored:
        """The newest records of a workflow, read page by page from the newest on."""
        return _stored(self._items(workflow, newest_first=True), newest)

    def kept(self, graph: Graph) -> Stored:
        """The records of the newest runs, and of older ones that made a rare call, read page by page."""
        return _kept(self._items(graph.workflow, newest_first=True), graph)

    def texts(self, workflow: str) -> Iterator[str | None]:
        """All records of a workflow, oldest first, read page by page."""
        return map(_text, self._items(workflow, newest_first=False))

    def _items(self, workflow: str, *, newest_first: bool) -> Iterator[Mapping[str, Any]]:
        condition: Any = Key("workflow").eq(workflow) & Key("id").begins_with("record#")
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name, KeyConditionExpression=condition, ScanIndexForward=not newest_first
        )
        for page in pages:
            yield from page["Items"]

    def cursor(self, workflow: str, region: str, log_group: str) -> Cursor | None:
        """How far a log group was read, read consistently."""
        key = {"workflow": workflow, "id": cursor_id(region, log_group)}
        item = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else Cursor(workflow, region, log_group, int(str(item["read_to_ms"])))

    def put_cursor(self, cursor: Cursor) -> None:
        """Note how far a log group was read."""
        self._client.put_item(TableName=self._name, Item=_cursor_item(cursor))


def cursor_id(region: str, log_group: str) -> str:
    """The sort key of a log group's cursor."""
    return f"cursor#{region}#{log_group}"


def record_id(record: RunRecord) -> str:
    """The sort key of a record: in the order of time, and its own alone."""
    return f"record#{round(record.started_at * 1000):013d}#{record.run_id}#{record.node}#{record.attempt}"


def record_item(record: RunRecord, keep_days: int) -> Item:
    """A record as an item of the table."""
    endpoints = tuple(replace(endpoint, host="") for endpoint in record.external)
    kept = replace(record, error=error_type(record.error), external=endpoints)
    return {
        "workflow": record.workflow,
        "id": record_id(record),
        "version": record.workflow_version,
        "body": json.dumps(kept.to_json(), sort_keys=True, separators=(",", ":")),
        "expires": int(record.started_at) + keep_days * DAY_S,
    }


def _stored(newest_first: Iterable[Mapping[str, Any]], newest: int) -> Stored:
    """The records of items; those that can't be read, and those of a run that has too many, make room for others."""
    found: list[RunRecord] = []
    passed_over: Counter[str] = Counter()
    of_run: Counter[str] = Counter()
    for item in islice(newest_first, newest * _LOOKED_AT):
        if len(found) == newest:
            break
        try:
            record = parse_record(json.loads(item["body"]), f"record table, {item['id']}")
        except (KeyError, TypeError, ValueError, RecursionError, InvalidRecordError):
            passed_over["that can't be read"] += 1
            continue
        if of_run[record.run_id] == RUN_RECORDS:
            passed_over["of a run with more records than a run has"] += 1
            continue
        of_run[record.run_id] += 1
        found.append(record)
    return Stored(found[::-1], dict(sorted(passed_over.items())))


def _kept(newest_first: Iterable[Mapping[str, Any]], graph: Graph) -> Stored:
    """What a problem is made of, out of no more items than it takes to find it."""
    bodies: list[str] = []
    broken: set[int] = set()
    texts = Texts(lambda: bodies, lambda number: f"record table, item {number}", lambda number, _: broken.add(number))
    look = FirstLook(graph)
    for item in islice(newest_first, LOOKED_AT_RECORDS):
        bodies.append(body if isinstance(body := item.get("body"), str) else "null")
        look_at(bodies[-1], len(bodies), look, texts)
        if look.is_enough:
            break
    return replace(chosen(look, texts), passed_over={"that can't be read": len(broken)} if broken else {})


def _text(item: Mapping[str, Any]) -> str | None:
    """The record in an item, as it stands there; None if it can't be read."""
    try:
        parse_record(json.loads(item["body"]), f"record table, {item['id']}")
    except (KeyError, TypeError, ValueError, RecursionError, InvalidRecordError):
        return None
    return str(item["body"])


def _not_taken(key: str, why: object) -> str:
    return f"record {key[:80]!a}: the table does not take it: {why}"


def _cursor_item(cursor: Cursor) -> Item:
    return {"workflow": cursor.workflow, "id": cursor.id, "read_to_ms": cursor.read_to_ms}
