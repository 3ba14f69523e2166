"""The ports on AWS: SNS topics, DynamoDB tables and S3 buckets of any region, by their deterministic names."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

from caribou.model.envelope import Pointer, StoredPayload, pointer_to_json
from caribou.model.errors import InvalidEnvelopeError
from caribou.model.names import WorkflowNames
from caribou.model.run import FailedEvent, Parked, SyncInputs, SyncState
from caribou.runtime.clients import Clients, got, queried, reaching
from caribou.runtime.event import unpack
from caribou.runtime.ports import Ports
from caribou.runtime.run_items import DynamoRunStore
from caribou.runtime.settings import Settings

_DAY_S = 24 * 3600
_CLAIM, _STATE, _EDGE = "claim", "state", "edge#"
_HIDDEN_S = 120
_EVENTS_A_CALL: Literal[10] = 10


def aws_ports(settings: Settings, *, partition: str, account: str) -> Ports:
    """The ports of a function that runs on AWS, or on a local cloud that `AWS_ENDPOINT_URL` names."""
    clients = Clients()
    return Ports(
        bus=SnsBus(clients, lambda region, f: f"arn:{partition}:sns:{region}:{account}:{settings.names.topic(f)}"),
        claims=DynamoClaims(clients, settings.names.sync_table),
        syncs=DynamoSyncStore(clients, settings.names.sync_table),
        runs=DynamoRunStore(clients, settings.names.run_table, settings.home_region),
        payloads=S3PayloadStore(clients, lambda region: settings.names.payload_bucket(account, region)),
        clock=SystemClock(),
        failures=SqsFailures(clients, settings.names),
        parking=DynamoParking(clients, settings.names.sync_table, settings.home_region),
    )


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()


class SnsBus:
    """Publishes to a function's topic; `topic_arn(region, function)` names it."""

    def __init__(self, clients: Clients, topic_arn: Callable[[str, str], str]) -> None:
        self._clients, self._topic_arn = clients, topic_arn

    def publish(self, region: str, function: str, message: str) -> None:
        """Publish; raises UnreachableError where the region or the topic does not take it."""
        arn = self._topic_arn(region, function)
        reaching(region, lambda: self._clients.sns(region).publish(TopicArn=arn, Message=message))


class S3PayloadStore:
    """Keeps payloads in each region's bucket, whose lifecycle expires them."""

    def __init__(self, clients: Clients, bucket: Callable[[str], str]) -> None:
        self._clients, self._bucket = clients, bucket

    def put(self, region: str, key: str, text: str) -> Pointer:
        """Put the payload; raises UnreachableError where the region does not take it."""
        body, bucket = text.encode(), self._bucket(region)
        reaching(region, lambda: self._clients.s3(region).put_object(Bucket=bucket, Key=key, Body=body))
        return Pointer(region, bucket, key, hashlib.sha256(body).hexdigest(), len(body))

    def get(self, pointer: Pointer) -> str:
        """Get the payload; raises InvalidEnvelopeError if it is not what the pointer's digest says."""
        client = self._clients.s3(pointer.region)

        def fetch() -> bytes:
            return client.get_object(Bucket=pointer.bucket, Key=pointer.key)["Body"].read()

        body = reaching(pointer.region, fetch)
        if hashlib.sha256(body).hexdigest() != pointer.sha256:
            raise InvalidEnvelopeError(
                f"The payload at s3://{pointer.bucket}/{pointer.key} is not the one that was sent"
            )
        return body.decode()


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

    def claim(self, region: str, run_id: str, node: str, owner: str, attempt: int) -> int | None:
        """Claim a node of a run for a delivery, which Lambda's retries share."""
        client = self._clients.dynamodb(region)
        names = {"#owner": "owner", "#expires": "expires", "#attempt": "attempt", "#tries": f"tries_{attempt}"}
        try:
            answer = reaching(
                region,
                lambda: client.update_item(
                    TableName=self._table,
                    Key=_key(run_id, node, _CLAIM),
                    UpdateExpression="SET #owner = :owner, #attempt = :attempt, #expires = :expires ADD #tries :one",
                    ConditionExpression="attribute_not_exists(#owner) OR #owner = :owner OR #attempt < :attempt",
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues={
                        ":owner": {"S": owner},
                        ":attempt": {"N": str(attempt)},
                        ":one": {"N": "1"},
                        ":expires": _expiry(),
                    },
                    ReturnValues="UPDATED_NEW",
                ),
            )
        except client.exceptions.ConditionalCheckFailedException:
            return None
        return int(answer["Attributes"][names["#tries"]]["N"])


class DynamoSyncStore:
    """Sync state: an item a sync node and run with the sets of edges that have reported, and an item a payload."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients, self._table = clients, table

    def put_payload(self, region: str, run_id: str, node: str, edge: str, payload: StoredPayload) -> None:
        """Put the payload's item unless the edge has one."""
        client = self._clients.dynamodb(region)
        item = {**_key(run_id, node, _EDGE + edge), "expires": _expiry(), **_payload_attributes(payload)}
        condition = "attribute_not_exists(id)"
        try:
            reaching(region, lambda: client.put_item(TableName=self._table, Item=item, ConditionExpression=condition))
        except client.exceptions.ConditionalCheckFailedException:
            return

    def report(self, region: str, run_id: str, node: str, edge: str, *, taken: bool) -> SyncState:
        """Add the edge to one of the two sets, unless it is in one; both sets as they are then."""
        client, key = self._clients.dynamodb(region), _key(run_id, node, _STATE)
        try:
            answer = reaching(
                region,
                lambda: client.update_item(
                    TableName=self._table,
                    Key=key,
                    UpdateExpression="SET #expires = :expires ADD #set :edges",
                    ConditionExpression="NOT contains(taken, :edge) AND NOT contains(skipped, :edge)",
                    ExpressionAttributeNames={"#expires": "expires", "#set": "taken" if taken else "skipped"},
                    ExpressionAttributeValues={":edges": {"SS": [edge]}, ":edge": {"S": edge}, ":expires": _expiry()},
                    ReturnValues="ALL_NEW",
                ),
            )
        except client.exceptions.ConditionalCheckFailedException:
            return _state(got(client, region, self._table, key) or {})
        return _state(answer["Attributes"])

    def read(self, region: str, run_id: str, node: str) -> SyncInputs:
        """Read the state and all payloads, page by page."""
        rows = queried(self._clients.dynamodb(region), region, self._table, _key(run_id, node, "")["id"])
        items = {item["part"]["S"]: item for item in rows}
        payloads = {part.removeprefix(_EDGE): _payload(item) for part, item in items.items() if part.startswith(_EDGE)}
        return SyncInputs(_state(items.get(_STATE, {})), payloads)


class SqsFailures:
    """The failure queues, by their functions' fixed names. Two forms lie in them.

    Lambda's on-failure destination wraps the event and the error; a subscription's dead-letter queue has SNS's
    notification of a function that is not there.
    """

    def __init__(self, clients: Clients, names: WorkflowNames) -> None:
        self._clients, self._names = clients, names
        self._urls: dict[tuple[str, str], str] = {}

    def receive(self, region: str, function: str) -> tuple[FailedEvent, ...]:
        """Receive up to ten; none from a region that has no such queue."""
        url, client = self._url(region, function), self._clients.sqs(region)
        answer = reaching(
            region,
            lambda: client.receive_message(
                QueueUrl=url, MaxNumberOfMessages=_EVENTS_A_CALL, VisibilityTimeout=_HIDDEN_S
            ),
        )
        return tuple(
            failed_event(region, function, self._names.topic(function), message)
            for message in answer.get("Messages", ())
        )

    def delete(self, event: FailedEvent) -> None:
        """Delete it."""
        url, client = self._url(event.region, event.function), self._clients.sqs(event.region)
        reaching(event.region, lambda: client.delete_message(QueueUrl=url, ReceiptHandle=event.handle))

    def _url(self, region: str, function: str) -> str:
        if (region, function) not in self._urls:
            client, name = self._clients.sqs(region), self._names.failure_queue(function)
            self._urls[region, function] = reaching(region, lambda: client.get_queue_url(QueueName=name))["QueueUrl"]
        return self._urls[region, function]


def failed_event(region: str, function: str, topic: str, message: Mapping[str, Any]) -> FailedEvent:
    """What lies in a failure queue, read as far as it can be; anything else is its own message, without an id."""
    body, handle = message["Body"], message["ReceiptHandle"]
    try:
        data = json.loads(body)
        if "requestPayload" in data:
            return FailedEvent(region, function, *_request_of(data, topic), *_error_of(data), handle)
        return FailedEvent(region, function, data["Message"], data["MessageId"], None, "not delivered", handle)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return FailedEvent(region, function, body, "", None, "not readable", handle)


def _request_of(data: Mapping[str, Any], topic: str) -> tuple[str, str]:
    """Message and id of what the function was invoked with: its topic's, or the event that came past the topic."""
    delivery = unpack(data["requestPayload"], topic=topic, request_id=data["requestContext"]["requestId"])
    if delivery.from_topic:
        return data["requestPayload"]["Records"][0]["Sns"]["Message"], delivery.id
    return json.dumps(data["requestPayload"]), delivery.id


def _error_of(data: Mapping[str, Any]) -> tuple[str | None, str]:
    """Type and text of the error in an on-failure record; no type if the function was never started.

    A process that was killed (a timeout, memory) may leave no type: `responseContext` still tells of it.
    """
    response, context = data.get("responsePayload") or {}, data.get("responseContext") or {}
    kind = response.get("errorType") or context.get("functionError")
    return kind, response.get("errorMessage") or data["requestContext"]["condition"]


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
        with suppress(client.exceptions.ConditionalCheckFailedException):
            reaching(
                self._home,
                lambda: client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(id) OR attempt < :attempt",
                    ExpressionAttributeValues={":attempt": attempt},
                ),
            )

    def parked(self, run_id: str) -> tuple[Parked, ...]:
        """The items of a run."""
        rows = queried(self._clients.dynamodb(self._home), self._home, self._table, _parking_key(run_id, "")["id"])
        return tuple(
            Parked(run_id, row["part"]["S"], int(row["attempt"]["N"]), row["message"]["S"], row["reason"]["S"])
            for row in rows
        )

    def unpark(self, parked: Parked) -> None:
        """Delete the message's item, unless it is of another attempt by now."""
        client, key = self._clients.dynamodb(self._home), _parking_key(parked.run_id, parked.node)
        with suppress(client.exceptions.ConditionalCheckFailedException):
            reaching(
                self._home,
                lambda: client.delete_item(
                    TableName=self._table,
                    Key=key,
                    ConditionExpression="attempt = :attempt",
                    ExpressionAttributeValues={":attempt": {"N": str(parked.attempt)}},
                ),
            )


def _key(run_id: str, node: str, part: str) -> dict[str, Any]:
    return {"id": {"S": f"{run_id}#{node}"}, "part": {"S": part}}


def _expiry() -> Any:  # noqa: ANN401 - DynamoDB's typed value
    """When an item may go: well after any run's deadline, so that late duplicates still find it."""
    return {"N": str(int(time.time()) + 14 * _DAY_S)}


def _parking_key(run_id: str, node: str) -> dict[str, Any]:
    """Of no node's items, whatever the run is called: a node has a name."""
    return {"id": {"S": f"{run_id}#"}, "part": {"S": node}}


def _payload_attributes(payload: StoredPayload) -> dict[str, Any]:
    if payload.pointer is not None:
        return {"pointer": {"S": json.dumps(pointer_to_json(payload.pointer))}}
    return {"payload": {"S": payload.text or ""}}


def _payload(item: Mapping[str, Any]) -> StoredPayload:
    if "pointer" in item:
        return StoredPayload(pointer=Pointer(**json.loads(item["pointer"]["S"])))
    return StoredPayload(text=item["payload"]["S"])


def _state(item: Mapping[str, Any]) -> SyncState:
    return SyncState(
        taken=frozenset(item.get("taken", {}).get("SS", ())), skipped=frozenset(item.get("skipped", {}).get("SS", ()))
    )
