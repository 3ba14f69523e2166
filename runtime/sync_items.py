"""The items of a region's sync table on DynamoDB: claims of nodes, what sync nodes wait for, messages that are parked.

id             part          what
run#node       claim         who runs the node: owner, attempt of the message, note of the code, tries by attempt, and
                             the mark of the last call; or that nobody may any more, since the run was cancelled
run#node       state         a sync node's edges that have reported, in two sets: taken, skipped
run#node       edge#<edge>   the payload of an edge into a sync node, or where it rests
run#           <node>        a message that waits for a redrive; at home only
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from caribou.model.errors import InvalidRunItemError
from caribou.model.run.envelope import StoredPayload
from caribou.model.run.item import Claim, Parked, SyncInputs, SyncState
from caribou.model.run.text import storable
from caribou.runtime.clients import Clients, got, queried
from caribou.runtime.stored_payloads import NOT_OURS, SHOWN, payload_attributes, payload_of

_DAY_S = 24 * 3600
_CLAIM, _STATE, _EDGE = "claim", "state", "edge#"
_PAYLOAD = ("payload", "pointer")
_STOPPED = "stopped"
_MARK_BYTES = 6
_CLAIMING = (
    "SET #owner = :owner, #call = :call, #attempt = :attempt, #code = :code, #expires = :expires ADD #tries :one"
)
_MAY_CLAIM = (
    "attribute_not_exists(#stopped) AND "
    "(attribute_not_exists(#owner) OR (#owner = :owner AND #call <> :call) OR #attempt < :attempt)"
)
"""Its run was not cancelled; and nobody has it; or I do, by an earlier call than this; or my attempt is later."""


class DynamoClaims:
    """Claims in the tables of all regions.

    delivery A:  claim(owner=A) ── ok, try 1 ── user code ── crash
    delivery B:  claim(owner=B) ── refused: A's retries will do it
    A's retry:   claim(owner=A) ── ok, try 2 ── user code ── crash … until Lambda gives it up
    the sweeper sends it again, attempt 1, as delivery D:
                 claim(owner=D, attempt=1) ── ok: takes over, try 1 ── user code ── end
    delivery C:  claim(owner=C) ── refused
    """

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients, self._table = clients, table

    def claim(self, region: str, run_id: str, node: str, owner: str, attempt: int, *, code: str = "") -> int | None:
        """Claim a node of a run for a delivery, which Lambda's retries share.

        The client sends a call again whose answer it did not get: the call's own mark keeps it from counting twice.
        """
        client, tries, call = self._clients.dynamodb(region), _tries(attempt), os.urandom(_MARK_BYTES).hex()
        try:
            with self._clients.reaching(region):
                answer = client.update_item(
                    TableName=self._table,
                    Key=claim_key(run_id, node),
                    UpdateExpression=_CLAIMING,
                    ConditionExpression=_MAY_CLAIM,
                    ExpressionAttributeNames={
                        "#owner": "owner",
                        "#call": "call",
                        "#expires": "expires",
                        "#attempt": "attempt",
                        "#code": "code",
                        "#tries": tries,
                        "#stopped": _STOPPED,
                    },
                    ExpressionAttributeValues={
                        ":owner": {"S": owner},
                        ":call": {"S": call},
                        ":attempt": {"N": str(attempt)},
                        ":code": {"S": code},
                        ":one": {"N": "1"},
                        ":expires": _expiry(),
                    },
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except client.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            return int(item[tries]["N"]) if item.get("call") == {"S": call} else None
        return int(answer["Attributes"][tries]["N"])

    def stop(self, region: str, run_id: str, node: str) -> None:
        """Mark the node's claim, which may not be there yet; nothing, where the region has no such table any more."""
        client = self._clients.dynamodb(region)
        with self._clients.reaching(region), suppress(client.exceptions.ResourceNotFoundException):
            client.update_item(
                TableName=self._table,
                Key=claim_key(run_id, node),
                UpdateExpression="SET #stopped = :yes, #expires = :expires",
                ExpressionAttributeNames={"#stopped": _STOPPED, "#expires": "expires"},
                ExpressionAttributeValues={":yes": {"BOOL": True}, ":expires": _expiry()},
            )

    def claimed(self, region: str, run_id: str, node: str) -> Claim | None:
        """Read a node's claim, if there is one, and a table."""
        client = self._clients.dynamodb(region)
        with self._clients.reaching(region):
            try:
                answer = client.get_item(TableName=self._table, Key=claim_key(run_id, node), ConsistentRead=True)
            except client.exceptions.ResourceNotFoundException:
                return None
        item = answer.get("Item")
        if item is None or _is_only_stopped(item):
            return None
        return Claim(claim_of(item)[0], item["code"]["S"] if "code" in item else "")


class DynamoSyncStore:
    """Sync state: an item a sync node and run with the sets of edges that have reported, and an item a payload."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients, self._table = clients, table

    def put_payload(self, region: str, run_id: str, node: str, edge: str, payload: StoredPayload) -> None:
        """Put the payload's item unless the edge has one."""
        client = self._clients.dynamodb(region)
        item = {**_key(run_id, node, _EDGE + edge), "expires": _expiry(), **payload_attributes(payload, *_PAYLOAD)}
        with suppress(client.exceptions.ConditionalCheckFailedException), self._clients.reaching(region):
            client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(id)")

    def report(self, region: str, run_id: str, node: str, edge: str, *, taken: bool) -> SyncState:
        """Add the edge to one of the two sets, unless it is in one; both sets as they are then."""
        client, key = self._clients.dynamodb(region), state_key(run_id, node)
        try:
            with self._clients.reaching(region):
                answer = client.update_item(
                    TableName=self._table,
                    Key=key,
                    UpdateExpression="SET #expires = :expires ADD #set :edges",
                    ConditionExpression="NOT contains(taken, :edge) AND NOT contains(skipped, :edge)",
                    ExpressionAttributeNames={"#expires": "expires", "#set": "taken" if taken else "skipped"},
                    ExpressionAttributeValues={":edges": {"SS": [edge]}, ":edge": {"S": edge}, ":expires": _expiry()},
                    ReturnValues="ALL_NEW",
                )
        except client.exceptions.ConditionalCheckFailedException:
            return state_of(got(self._clients, region, self._table, key) or {})
        return state_of(answer["Attributes"])

    def read(self, region: str, run_id: str, node: str) -> SyncInputs:
        """Read the state and all payloads, page by page."""
        rows = queried(self._clients, region, self._table, _key(run_id, node, "")["id"])
        items = {item["part"]["S"]: item for item in rows}
        payloads = {
            part.removeprefix(_EDGE): payload_in(item) for part, item in items.items() if part.startswith(_EDGE)
        }
        return SyncInputs(state_of(items.get(_STATE, {})), payloads)


class DynamoParking:
    """Messages that wait for a redrive: items of home's sync table."""

    def __init__(self, clients: Clients, table: str, home_region: str) -> None:
        self._clients, self._table, self._home = clients, table, home_region

    def park(self, parked: Parked) -> None:
        """Put the message's item, unless it has one of the same or a later attempt."""
        attempt = {"N": str(parked.attempt)}
        item = {
            **_parking_key(parked.run_id, parked.node),
            "attempt": attempt,
            "message": {"S": parked.message},
            "reason": {"S": parked.reason},
            "expires": _expiry(),
        }
        client = self._clients.dynamodb(self._home)
        with suppress(client.exceptions.ConditionalCheckFailedException), self._clients.reaching(self._home):
            client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(id) OR attempt < :attempt",
                ExpressionAttributeValues={":attempt": attempt},
            )

    def parked(self, run_id: str) -> tuple[Parked, ...]:
        """The items of a run."""
        rows = queried(self._clients, self._home, self._table, _parking_key(run_id, "")["id"])
        return parked_in(run_id, rows)

    def unpark(self, parked: Parked) -> None:
        """Delete the message's item, unless it is of another attempt by now."""
        client, key = self._clients.dynamodb(self._home), _parking_key(parked.run_id, parked.node)
        with suppress(client.exceptions.ConditionalCheckFailedException), self._clients.reaching(self._home):
            client.delete_item(
                TableName=self._table,
                Key=key,
                ConditionExpression="attempt = :attempt",
                ExpressionAttributeValues={":attempt": {"N": str(parked.attempt)}},
            )


def claim_key(run_id: str, node: str) -> dict[str, Any]:
    """The key of a node's claim."""
    return _key(run_id, node, _CLAIM)


def state_key(run_id: str, node: str) -> dict[str, Any]:
    """The key of a sync node's state."""
    return _key(run_id, node, _STATE)


def claim_of(item: Mapping[str, Any]) -> tuple[int, int]:
    """The attempt that a claim's item is of, and its tries so far: none in an empty item, or one that is no claim."""
    if _is_only_stopped(item):
        return 0, 0
    try:
        attempt = int(item["attempt"]["N"]) if "attempt" in item else 0
        return attempt, int(item.get(_tries(attempt), {}).get("N", "1")) if item else 0
    except NOT_OURS:
        return 0, 0


def state_of(item: Mapping[str, Any]) -> SyncState:
    """The state in a sync node's item; nothing has reported in an empty one."""
    return SyncState(
        taken=frozenset(item.get("taken", {}).get("SS", ())), skipped=frozenset(item.get("skipped", {}).get("SS", ()))
    )


def parked_in(run_id: str, rows: Iterable[Mapping[str, Any]]) -> tuple[Parked, ...]:
    """The parked messages among a run's items: every function may write the table, so any may be damaged."""
    found = []
    for row in rows:
        with suppress(*NOT_OURS):
            attempt, message = int(row["attempt"]["N"]), row["message"]["S"]
            found.append(Parked(run_id, row["part"]["S"], attempt, message, row["reason"]["S"]))
    return tuple(found)


def payload_in(item: Mapping[str, Any]) -> StoredPayload:
    """The payload in an edge's item. Raises InvalidRunItemError."""
    try:
        return payload_of(item, *_PAYLOAD)
    except NOT_OURS as error:
        said = storable(repr(error), SHOWN)
        raise InvalidRunItemError(f"What an edge left in {item['id']['S']} can't be read: {said}") from error


def _is_only_stopped(item: Mapping[str, Any]) -> bool:
    """Whether a claim's item says no more than that nobody may claim: its run was cancelled before anyone had."""
    return _STOPPED in item and "owner" not in item


def _key(run_id: str, node: str, part: str) -> dict[str, Any]:
    return {"id": {"S": f"{run_id}#{node}"}, "part": {"S": part}}


def _parking_key(run_id: str, node: str) -> dict[str, Any]:
    """Of no node's items, whatever the run is called: a node has a name."""
    return {"id": {"S": f"{run_id}#"}, "part": {"S": node}}


def _tries(attempt: int) -> str:
    """The name of the attribute that counts a claim's tries at an attempt."""
    return f"tries_{attempt}"


def _expiry() -> Any:  # noqa: ANN401 - DynamoDB's typed value
    """When an item may go: well after any run's deadline, so that late duplicates still find it."""
    return {"N": str(int(time.time()) + 14 * _DAY_S)}
