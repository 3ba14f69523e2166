"""Run items on DynamoDB: what was decided at a run's start, and how far it has come. Written and read here alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from zlib import crc32

from caribou.model.errors import InvalidRunItemError, UnknownRunError
from caribou.model.run.envelope import Run, StoredPayload
from caribou.model.run.fields import MAX_RUN_ID_BYTES, region_by_node, run_name_of, seconds_in
from caribou.model.run.item import NO_RESULTS, Listed, RunItem, RunState, kept_input, noted_digest
from caribou.model.run.text import storable
from caribou.model.template_contract import OPEN_INDEX, RESULT_ATTRIBUTE
from caribou.runtime.clients import Clients, got, number
from caribou.runtime.stored_payloads import NOT_OURS, SHOWN, payload_attributes, payload_of

_SHARDS = 64
"""How many keys the open runs share in their index. DynamoDB writes 1,000 units a second to a key, and a run takes 3 to
16 of its index's. Reading costs the same for any number: the index is scanned, since all that is in it is wanted."""
LISTED_AT_ONCE = 20_000
"""Open runs that are read at once, give or take a page: some 40 MB, and some eight seconds of a sweeper's CPU time."""
_DAY_S = 24 * 3600
_NO_LEAVES = {"SS": ()}
_ENDED_BADLY = {":failed": {"S": RunState.FAILED}, ":expired": {"S": RunState.EXPIRED}}
_INPUT = ("input", "input_pointer")
_DIGEST = "input_digest"

ON_LIST: Mapping[str, Any] = {"IndexName": OPEN_INDEX}
"""A scan of the sweeper's list. Whatever key an item has in the index, as one of an earlier version, it is found."""
_USE = {"#id": "run_id", "#state": "state", "#regions": "regions", "#deadline": "deadline", "#ended": "ended_at"}
USE_ONLY: Mapping[str, Any] = {"ProjectionExpression": ", ".join(_USE), "ExpressionAttributeNames": _USE}
"""What a scan reads of each item for `use_in`."""


class DynamoRunStore:
    """The run table. Each change of state is one conditional write."""

    def __init__(self, clients: Clients, table: str, home_region: str) -> None:
        self._clients, self._table, self._home = clients, table, home_region
        self._list_goes_on_at: dict[str, Any] | None = None

    def begin(
        self, run: Run, leaves: frozenset[str], begun_by: str | None = None, payload: StoredPayload | None = None
    ) -> RunItem:
        """Put the run item unless there is one, which is then the one that counts."""
        kept = kept_input(run, leaves, payload)
        client, item = self._clients.dynamodb(self._home), _item_of(run, leaves) | _input_attribute(kept)
        digest = noted_digest(run, leaves, payload)
        item |= {name: {"S": said} for name, said in (("begun_by", begun_by), (_DIGEST, digest)) if said is not None}
        try:
            with self._clients.reaching(self._home):
                client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(run_id)")
        except client.exceptions.ConditionalCheckFailedException:
            found = self.get(run.run_id)
            if found is not None:
                return found
        return RunItem(run, leaves, begun_by=begun_by, input=kept, input_digest=digest)

    def end_leaves(
        self, run_id: str, leaves: tuple[str, ...], results: Mapping[str, str] = NO_RESULTS
    ) -> frozenset[str]:
        """Add leaves to the set of those that have ended, and an attribute for each result."""
        update: dict[str, Any] = {"UpdateExpression": "ADD ended :leaves"}
        values: dict[str, Any] = {":leaves": {"SS": list(leaves)}}
        if results:
            placeholders = ", ".join(f"#result{i} = :result{i}" for i in range(len(results)))
            update = {
                "UpdateExpression": f"SET {placeholders} ADD ended :leaves",
                "ExpressionAttributeNames": {f"#result{i}": RESULT_ATTRIBUTE + leaf for i, leaf in enumerate(results)},
            }
            values |= {f":result{i}": {"S": text} for i, text in enumerate(results.values())}
        client = self._clients.dynamodb(self._home)
        try:
            with self._clients.reaching(self._home):
                answer = client.update_item(
                    TableName=self._table,
                    Key=_key(run_id),
                    ConditionExpression="attribute_exists(run_id)",
                    ExpressionAttributeValues=values,
                    ReturnValues="UPDATED_NEW",
                    **update,
                )
        except client.exceptions.ConditionalCheckFailedException as error:
            raise UnknownRunError(f"Run {run_id} has no item in {self._table}") from error
        return frozenset(answer["Attributes"]["ended"]["SS"])

    def succeed(self, run_id: str, at: float) -> None:
        """End a run well, and take it off the list: one write, since every run comes here."""
        states = {":running": {"S": RunState.RUNNING}, ":failed": {"S": RunState.FAILED}}
        self._update(
            run_id,
            "SET #state = :succeeded, ended_at = :at REMOVE #open",
            "#state IN (:running, :failed)",
            {"#open": OPEN_INDEX, "#state": "state"},
            {**states, ":succeeded": {"S": RunState.SUCCEEDED}, ":at": number(at)},
        )

    def fail(self, run_id: str, at: float, node: str, error: str) -> None:
        """End an open run with what failed."""
        said = {"ended_at": number(at), "failed_node": {"S": node}, "error": {"S": storable(error)}}
        self._change(run_id, (RunState.RUNNING,), RunState.FAILED, said)

    def expire(self, run_id: str, at: float) -> None:
        """End an open run that is past its deadline, as it is now."""
        values = {":expired": {"S": RunState.EXPIRED}, ":running": {"S": RunState.RUNNING}, ":at": number(at)}
        self._update(
            run_id,
            "SET #state = :expired, ended_at = :at",
            "#state = :running AND deadline <= :at",
            {"#state": "state"},
            values,
        )

    def cancel(self, run_id: str, at: float) -> None:
        """End an open run since somebody wants it to; the sweeper's list has it still."""
        self._change(run_id, (RunState.RUNNING,), RunState.CANCELLED, {"ended_at": number(at)})

    def halt(self, run_id: str, at: float) -> None:
        """End an open run as its deadline would."""
        self._change(run_id, (RunState.RUNNING,), RunState.EXPIRED, {"ended_at": number(at)})

    def reopen(self, run_id: str, deadline: float, regions: Mapping[str, str] | None = None) -> None:
        """Go on with a run that had ended badly."""
        said = {"deadline": number(deadline), OPEN_INDEX: _listed(run_id)}
        if regions is not None:
            said["regions"] = _regions_attribute(regions)
        self._change(run_id, (RunState.FAILED, RunState.EXPIRED), RunState.RUNNING, said)

    def notified(self, run_id: str, ended_at: float) -> None:
        """Note of which end an event was sent."""
        self._update(
            run_id,
            "SET notified_end = :at",
            "ended_at = :at AND #state IN (:failed, :expired)",
            {"#state": "state"},
            {**_ENDED_BADLY, ":at": number(ended_at)},
        )

    def close(self, run_id: str) -> None:
        """Take a run off the list."""
        self._update(
            run_id,
            "REMOVE #open",
            "(notified_end = ended_at AND #state IN (:failed, :expired)) OR #state = :cancelled",
            {"#open": OPEN_INDEX, "#state": "state"},
            {**_ENDED_BADLY, ":cancelled": {"S": RunState.CANCELLED}},
        )

    def get(self, run_id: str) -> RunItem | None:
        """Read the item."""
        item = got(self._clients, self._home, self._table, _key(run_id))
        return None if item is None else run_item(item)

    def listed(self) -> Listed:
        """Read the list, page by page; of a long one as much as there is room for, and the next part the next time."""
        client, at, seen = self._clients.dynamodb(self._home), self._list_goes_on_at, 0
        found: list[RunItem] = []
        while True:
            from_there: dict[str, Any] = {} if at is None else {"ExclusiveStartKey": at}
            with self._clients.reaching(self._home):
                page = client.scan(TableName=self._table, **ON_LIST, **from_there)
            found += readable(page["Items"])
            seen, at = seen + len(page["Items"]), page.get("LastEvaluatedKey")
            if at is None or seen >= LISTED_AT_ONCE:
                self._list_goes_on_at = at
                return Listed(tuple(found), seen - len(found))

    def _change(self, run_id: str, before: tuple[RunState, ...], after: RunState, said: Mapping[str, Any]) -> None:
        values = {**said, "state": {"S": after}}
        names = {f"#{i}": name for i, name in enumerate(values)}
        allowed = {f":before{i}": {"S": state} for i, state in enumerate(before)}
        self._update(
            run_id,
            "SET " + ", ".join(f"#{i} = :{i}" for i in range(len(values))),
            f"#state IN ({', '.join(allowed)})",
            {**names, "#state": "state"},
            {**allowed, **{f":{i}": value for i, value in enumerate(values.values())}},
        )

    def _update(
        self, run_id: str, update: str, condition: str, names: Mapping[str, str], values: Mapping[str, Any]
    ) -> None:
        """Update an item, unless the condition says that somebody else was first."""
        client = self._clients.dynamodb(self._home)
        with suppress(client.exceptions.ConditionalCheckFailedException), self._clients.reaching(self._home):
            client.update_item(
                TableName=self._table,
                Key=_key(run_id),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )


def run_item(item: Mapping[str, Any]) -> RunItem:
    """The run item in an item of DynamoDB, as the low-level client gives it. Raises InvalidRunItemError."""
    try:
        return _run_item(item)
    except NOT_OURS as error:
        raise _unreadable(item, error) from error


def readable(items: Iterable[Mapping[str, Any]]) -> tuple[RunItem, ...]:
    """The run items among some items: every function of a workflow may write its run table, so any may be damaged."""
    found = []
    for item in items:
        with suppress(InvalidRunItemError):
            found.append(run_item(item))
    return tuple(found)


def use_in(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values in an item that `USE_ONLY` has read, by their names; None for one that is no run's.

    Raises InvalidRunItemError for one that is a run's and damaged.
    """
    if "state" not in item:
        return None
    try:
        return {
            "run_id": run_name_of(item["run_id"], "S"),
            "state": RunState(item["state"]["S"]),
            "regions": frozenset(_regions(item).values()),
            "deadline": seconds_in(item["deadline"]["N"]),
            "ended_at": _seconds(item, "ended_at"),
        }
    except NOT_OURS as error:
        raise _unreadable(item, error) from error


def _run_item(item: Mapping[str, Any]) -> RunItem:
    run = Run(
        run_id=run_name_of(item["run_id"], "S"),
        workflow_version=item["workflow_version"]["S"],
        graph=item["graph"]["S"],
        placement=item["placement"]["S"],
        regions=_regions(item),
        started_at=seconds_in(item["started_at"]["N"]),
        deadline=seconds_in(item["deadline"]["N"]),
        stays_home=item["stays_home"]["BOOL"],
    )
    return RunItem(
        run=run,
        leaves=frozenset(item["leaves"]["SS"]),
        state=RunState(item["state"]["S"]),
        ended=frozenset(item.get("ended", _NO_LEAVES)["SS"]),
        ended_at=_seconds(item, "ended_at"),
        failed_node=item["failed_node"]["S"] if "failed_node" in item else None,
        error=item["error"]["S"] if "error" in item else None,
        results=_results(item),
        begun_by=item["begun_by"]["S"] if "begun_by" in item else None,
        input=_input_in(item),
        input_digest=item[_DIGEST]["S"] if _DIGEST in item else None,
        notified_end=_seconds(item, "notified_end"),
    )


def _input_attribute(payload: StoredPayload | None) -> dict[str, Any]:
    """What a run began with, as an attribute of its item; none if it is not kept."""
    return {} if payload is None else payload_attributes(payload, *_INPUT)


def _input_in(item: Mapping[str, Any]) -> StoredPayload | None:
    return payload_of(item, *_INPUT) if any(name in item for name in _INPUT) else None


def _results(item: Mapping[str, Any]) -> dict[str, str]:
    named = (name for name in item if name.startswith(RESULT_ATTRIBUTE))
    return {name.removeprefix(RESULT_ATTRIBUTE): item[name]["S"] for name in named}


def _regions(item: Mapping[str, Any]) -> dict[str, str]:
    return region_by_node(json.loads(item["regions"]["S"]))


def _seconds(item: Mapping[str, Any], name: str) -> float | None:
    return seconds_in(item[name]["N"]) if name in item else None


def _unreadable(item: Mapping[str, Any], error: Exception) -> InvalidRunItemError:
    """The error for an item that is damaged: its key never is."""
    run = storable(str(item.get("run_id", {}).get("S")), MAX_RUN_ID_BYTES)
    return InvalidRunItemError(f"The item of run {run} can't be read: {storable(repr(error), SHOWN)}")


def begun_since(since_s: float, state: RunState | None = None) -> dict[str, Any]:
    """The filter of a scan for runs that began then or later, in a state if one is given."""
    condition = "attribute_exists(leaves) AND started_at >= :since"  # of runs alone
    values = {":since": number(since_s)}
    if state is None:
        return {"FilterExpression": condition, "ExpressionAttributeValues": values}
    return {
        "FilterExpression": f"{condition} AND #state = :state",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {**values, ":state": {"S": state}},
    }


def called(prefix: str) -> dict[str, Any]:
    """The filter of a scan for runs whose ids begin so."""
    condition = "attribute_exists(leaves) AND begins_with(run_id, :prefix)"  # of runs alone
    return {"FilterExpression": condition, "ExpressionAttributeValues": {":prefix": {"S": prefix}}}


def open_since(since_s: float) -> dict[str, Any]:
    """A scan for open runs that began then or later."""
    return _on_list("#state = :running AND started_at >= :since", {":since": number(since_s)})


def open_at(now_s: float) -> dict[str, Any]:
    """A scan for open runs that are not past their deadline."""
    return _on_list("#state = :running AND deadline > :now", {":now": number(now_s)})


def _on_list(condition: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **ON_LIST,
        "FilterExpression": condition,
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {":running": {"S": RunState.RUNNING}, **values},
    }


def _item_of(run: Run, leaves: frozenset[str]) -> dict[str, Any]:
    return {
        "run_id": {"S": run.run_id},
        "workflow_version": {"S": run.workflow_version},
        "graph": {"S": run.graph},
        "placement": {"S": run.placement},
        "regions": _regions_attribute(run.regions),
        "started_at": number(run.started_at),
        "deadline": number(run.deadline),
        "stays_home": {"BOOL": run.stays_home},
        "leaves": {"SS": sorted(leaves)},
        "state": {"S": RunState.RUNNING},
        OPEN_INDEX: _listed(run.run_id),
        "expires": {"N": str(int(run.deadline) + 30 * _DAY_S)},
    }


def _regions_attribute(regions: Mapping[str, str]) -> dict[str, str]:
    return {"S": json.dumps(dict(regions), sort_keys=True)}


def _listed(run_id: str) -> Any:  # noqa: ANN401 - DynamoDB's typed value
    """The key of a run in the index of open runs: always the same for a run, and spread over runs."""
    return {"S": str(crc32(run_id.encode()) % _SHARDS)}


def _key(run_id: str) -> Any:  # noqa: ANN401 - DynamoDB's typed key
    return {"run_id": {"S": run_id}}
