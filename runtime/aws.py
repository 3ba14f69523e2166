"""The ports on AWS: SNS topics, DynamoDB tables and S3 buckets of any region, by their deterministic names."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from caribou.model.envelope import Pointer, Run, StoredPayload, pointer_to_json
from caribou.model.errors import InvalidEnvelopeError
from caribou.runtime.ports import Ports, SyncInputs, SyncState, UnreachableError
from caribou.runtime.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient

T = TypeVar("T")
_DAY_S = 24 * 3600
_CONFIG = Config(connect_timeout=3, read_timeout=20, retries={"mode": "standard", "max_attempts": 3})
_NOT_TAKEN = frozenset({"NotFound", "NoSuchBucket", "Throttling", "ThrottlingException", "SlowDown"})
"""Error codes of a region that answers but does not take a message: retired, or too busy."""
_TOO_MANY = 429
_OPEN, _SUCCEEDED, _FAILED = "RUNNING", "SUCCEEDED", "FAILED"
_CLAIM, _STATE, _EDGE = "claim", "state", "edge#"


def aws_ports(settings: Settings, *, partition: str, account: str) -> Ports:
    """The ports of a function that runs on AWS, or on a local cloud that `AWS_ENDPOINT_URL` names."""
    clients = Clients()
    return Ports(
        bus=SnsBus(clients, lambda region, f: f"arn:{partition}:sns:{region}:{account}:{settings.names.topic(f)}"),
        claims=DynamoClaims(clients.dynamodb(settings.region), settings.names.sync_table),
        syncs=DynamoSyncStore(clients, settings.names.sync_table),
        runs=DynamoRunStore(clients.dynamodb(settings.home_region), settings.names.run_table),
        payloads=S3PayloadStore(clients, lambda region: settings.names.payload_bucket(account, region)),
        clock=SystemClock(),
    )


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()


class Clients:
    """Service clients by region, made once, out of a session of our own: user code's session counts user traffic.

    Sends run on threads; clients may be shared by threads, but a session that makes them may not: hence the lock.
    """

    def __init__(self) -> None:
        self._session = boto3.Session()
        self._lock = Lock()
        self._made: dict[tuple[str, str], Any] = {}

    def dynamodb(self, region: str) -> DynamoDBClient:
        """The region's DynamoDB."""
        client: DynamoDBClient = self._client("dynamodb", region)
        return client

    def sns(self, region: str) -> SNSClient:
        """The region's SNS."""
        client: SNSClient = self._client("sns", region)
        return client

    def s3(self, region: str) -> S3Client:
        """The region's S3."""
        client: S3Client = self._client("s3", region)
        return client

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes
        with self._lock:
            if (service, region) not in self._made:
                client: Any = self._session.client(service, region_name=region, config=_CONFIG)  # type: ignore[call-overload]
                self._made[service, region] = client
            return self._made[service, region]


class SnsBus:
    """Publishes to a function's topic; `topic_arn(region, function)` names it."""

    def __init__(self, clients: Clients, topic_arn: Callable[[str, str], str]) -> None:
        self._clients, self._topic_arn = clients, topic_arn

    def publish(self, region: str, function: str, message: str) -> None:
        """Publish; raises UnreachableError where the region or the topic does not take it."""
        arn = self._topic_arn(region, function)
        _reaching(region, lambda: self._clients.sns(region).publish(TopicArn=arn, Message=message))


class S3PayloadStore:
    """Keeps payloads in each region's bucket, whose lifecycle expires them."""

    def __init__(self, clients: Clients, bucket: Callable[[str], str]) -> None:
        self._clients, self._bucket = clients, bucket

    def put(self, region: str, key: str, text: str) -> Pointer:
        """Put the payload; raises UnreachableError where the region does not take it."""
        body, bucket = text.encode(), self._bucket(region)
        _reaching(region, lambda: self._clients.s3(region).put_object(Bucket=bucket, Key=key, Body=body))
        return Pointer(region, bucket, key, hashlib.sha256(body).hexdigest(), len(body))

    def get(self, pointer: Pointer) -> str:
        """Get the payload; raises InvalidEnvelopeError if it is not what the pointer's digest says."""
        body = self._clients.s3(pointer.region).get_object(Bucket=pointer.bucket, Key=pointer.key)["Body"].read()
        if hashlib.sha256(body).hexdigest() != pointer.sha256:
            raise InvalidEnvelopeError(
                f"The payload at s3://{pointer.bucket}/{pointer.key} is not the one that was sent"
            )
        return body.decode()


class DynamoClaims:
    """Claims in the table of the region that the function runs in.

    delivery A:  claim(owner=A) ── ok, attempt 1 ── user code ── crash
    delivery B:  claim(owner=B) ── refused: A's retries will do it
    A's retry:   claim(owner=A) ── ok, attempt 2 ── user code ── end
    delivery C:  claim(owner=C) ── refused
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def claim(self, run_id: str, node: str, owner: str) -> int | None:
        """Claim a node of a run for a delivery, which Lambda's retries share."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(run_id, node, _CLAIM),
                UpdateExpression="SET #owner = :owner, #expires = :expires ADD #attempts :one",
                ConditionExpression="attribute_not_exists(#owner) OR #owner = :owner",
                ExpressionAttributeNames={"#owner": "owner", "#expires": "expires", "#attempts": "attempts"},
                ExpressionAttributeValues={":owner": {"S": owner}, ":one": {"N": "1"}, ":expires": _expiry()},
                ReturnValues="UPDATED_NEW",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return int(answer["Attributes"]["attempts"]["N"])


class DynamoSyncStore:
    """Sync state: an item a sync node and run with the sets of edges that have reported, and an item a payload."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients, self._table = clients, table

    def put_payload(self, region: str, run_id: str, node: str, edge: str, payload: StoredPayload) -> None:
        """Put the payload's item unless the edge has one."""
        client = self._clients.dynamodb(region)
        item = {**_key(run_id, node, _EDGE + edge), "expires": _expiry(), **_payload_attributes(payload)}
        try:
            client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(id)")
        except client.exceptions.ConditionalCheckFailedException:
            return

    def report(self, region: str, run_id: str, node: str, edge: str, *, taken: bool) -> SyncState:
        """Add the edge to one of the two sets, unless it is in one; both sets as they are then."""
        client = self._clients.dynamodb(region)
        try:
            answer = client.update_item(
                TableName=self._table,
                Key=_key(run_id, node, _STATE),
                UpdateExpression="SET #expires = :expires ADD #set :edges",
                ConditionExpression="NOT contains(taken, :edge) AND NOT contains(skipped, :edge)",
                ExpressionAttributeNames={"#expires": "expires", "#set": "taken" if taken else "skipped"},
                ExpressionAttributeValues={":edges": {"SS": [edge]}, ":edge": {"S": edge}, ":expires": _expiry()},
                ReturnValues="ALL_NEW",
            )
        except client.exceptions.ConditionalCheckFailedException:
            key = _key(run_id, node, _STATE)
            return _state(client.get_item(TableName=self._table, Key=key, ConsistentRead=True)["Item"])
        return _state(answer["Attributes"])

    def read(self, region: str, run_id: str, node: str) -> SyncInputs:
        """Read the state and all payloads, page by page."""
        pages = (
            self._clients.dynamodb(region)
            .get_paginator("query")
            .paginate(
                TableName=self._table,
                KeyConditionExpression="id = :id",
                ExpressionAttributeValues={":id": _key(run_id, node, "")["id"]},
                ConsistentRead=True,
            )
        )
        items = {item["part"]["S"]: item for page in pages for item in page["Items"]}
        payloads = {part.removeprefix(_EDGE): _payload(item) for part, item in items.items() if part.startswith(_EDGE)}
        return SyncInputs(_state(items.get(_STATE, {})), payloads)


class DynamoRunStore:
    """Run items: what was decided at the start, and how far the run has come."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def begin(self, run: Run) -> Run:
        """Put the run item unless there is one, whose run is then the one that counts."""
        try:
            self._client.put_item(
                TableName=self._table, Item=_run_item(run), ConditionExpression="attribute_not_exists(run_id)"
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            key = {"run_id": {"S": run.run_id}}
            return run_of(self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)["Item"])
        return run

    def end_leaves(self, run_id: str, leaves: tuple[str, ...]) -> frozenset[str]:
        """Add leaves to the set of those that have ended."""
        answer = self._client.update_item(
            TableName=self._table,
            Key={"run_id": {"S": run_id}},
            UpdateExpression="ADD ended :leaves",
            ExpressionAttributeValues={":leaves": {"SS": list(leaves)}},
            ReturnValues="ALL_NEW",
        )
        return frozenset(answer["Attributes"]["ended"]["SS"])

    def succeed(self, run_id: str, at: float) -> None:
        """End an open run well."""
        self._end(run_id, at, _SUCCEEDED, {})

    def fail(self, run_id: str, at: float, node: str, error: str) -> None:
        """End an open run with what failed."""
        self._end(run_id, at, _FAILED, {"failed_node": {"S": node}, "error": {"S": error[:2000]}})

    def _end(self, run_id: str, at: float, state: str, details: Mapping[str, Any]) -> None:
        values = {**details, "state": {"S": state}, "ended_at": _number(at)}
        names = {f"#{i}": name for i, name in enumerate(values)}
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"run_id": {"S": run_id}},
                UpdateExpression="SET " + ", ".join(f"#{i} = :{i}" for i in range(len(values))),
                ConditionExpression="#state = :open",
                ExpressionAttributeNames={**names, "#state": "state"},
                ExpressionAttributeValues={
                    ":open": {"S": _OPEN},
                    **{f":{i}": value for i, value in enumerate(values.values())},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return


def run_of(item: Mapping[str, Any]) -> Run:
    """The run in a run item of DynamoDB, as the low-level client gives it."""
    return Run(
        run_id=item["run_id"]["S"],
        workflow_version=item["workflow_version"]["S"],
        graph=item["graph"]["S"],
        placement=item["placement"]["S"],
        regions=json.loads(item["regions"]["S"]),
        started_at=float(item["started_at"]["N"]),
        deadline=float(item["deadline"]["N"]),
        stays_home=item["stays_home"]["BOOL"],
    )


def _run_item(run: Run) -> dict[str, Any]:
    return {
        "run_id": {"S": run.run_id},
        "workflow_version": {"S": run.workflow_version},
        "graph": {"S": run.graph},
        "placement": {"S": run.placement},
        "regions": {"S": json.dumps(dict(run.regions), sort_keys=True)},
        "started_at": _number(run.started_at),
        "deadline": _number(run.deadline),
        "stays_home": {"BOOL": run.stays_home},
        "state": {"S": _OPEN},
        "expires": {"N": str(int(run.deadline) + 30 * _DAY_S)},
    }


def _key(run_id: str, node: str, part: str) -> dict[str, Any]:
    return {"id": {"S": f"{run_id}#{node}"}, "part": {"S": part}}


def _expiry() -> Any:  # noqa: ANN401 - DynamoDB's typed value
    """When an item may go: well after any run's deadline, so that late duplicates still find it."""
    return {"N": str(int(time.time()) + 14 * _DAY_S)}


def _number(value: float) -> Any:  # noqa: ANN401 - DynamoDB's typed value
    return {"N": repr(value)}


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


def _reaching(region: str, call: Callable[[], T]) -> T:
    """The call's answer; UnreachableError where its region is down, gone, or does not take it."""
    try:
        return call()
    except (BotoConnectionError, HTTPClientError) as error:
        raise UnreachableError(f"{region}: {error}") from error
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status == _TOO_MANY or status >= 500 or error.response["Error"]["Code"] in _NOT_TAKEN:
            raise UnreachableError(f"{region}: {error}") from error
        raise
