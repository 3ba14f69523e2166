"""The ports on AWS: SNS topics, DynamoDB tables and S3 buckets of any region, by their deterministic names."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from caribou.model.errors import InvalidEnvelopeError, InvalidPayloadError
from caribou.model.names import WorkflowNames
from caribou.model.run.envelope import Pointer
from caribou.model.run.item import FailedEvent
from caribou.model.run.text import storable
from caribou.runtime.clients import Clients
from caribou.runtime.event import published, start_of, topic_of, unpack
from caribou.runtime.ports import Ports
from caribou.runtime.record_log import RecordLog
from caribou.runtime.run_items import DynamoRunStore
from caribou.runtime.settings import Settings
from caribou.runtime.signals import EventBridgeNotifier, LoggedMetrics
from caribou.runtime.sync_items import DynamoClaims, DynamoParking, DynamoSyncStore

_HIDDEN_S = 120
_ASIDE_S = 3600
"""How long an event that nobody can read stays out of sight of the sweeps: those behind it have their turn."""
_EVENTS_A_CALL: Literal[10] = 10
_MAX_TYPE_CHARACTERS = 200
_NOT_READABLE = (
    *(ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError),
    *(InvalidPayloadError, InvalidEnvelopeError),
)
"""What reading an event raises that is none of ours."""


def aws_ports(
    settings: Settings,
    *,
    partition: str,
    account: str,
    clients: Clients | None = None,
    log: RecordLog | None = None,
) -> Ports:
    """The ports of a function that runs on AWS, or on a local cloud that `AWS_ENDPOINT_URL` names.

    Without `clients`, those of a deployed function; who calls from outside has a profile, say, and gives his own.
    Metrics are lines of `log`, which is this process's unless it is given.
    """
    clients = clients or Clients.deployed(settings.home_region)
    return Ports(
        bus=SnsBus(clients, lambda region, f: f"arn:{partition}:sns:{region}:{account}:{settings.names.topic(f)}"),
        claims=DynamoClaims(clients, settings.names.sync_table),
        syncs=DynamoSyncStore(clients, settings.names.sync_table),
        runs=DynamoRunStore(clients, settings.names.run_table, settings.home_region),
        payloads=S3PayloadStore(clients, settings.names, account),
        clock=SystemClock(),
        failures=SqsFailures(clients, settings.names),
        parking=DynamoParking(clients, settings.names.sync_table, settings.home_region),
        notifier=EventBridgeNotifier(clients, settings),
        metrics=LoggedMetrics(settings.names, log.write if log else _write),
    )


def _write(line: bytes) -> None:
    RecordLog().write(line)


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
        with self._clients.reaching(region):
            self._clients.sns(region).publish(TopicArn=arn, Message=message)


class S3PayloadStore:
    """Keeps payloads in each region's bucket, whose lifecycle expires them.

    Anyone may have taken a bucket's name: each call says that the account must own it, else S3 refuses.
    """

    def __init__(self, clients: Clients, names: WorkflowNames, account: str) -> None:
        self._clients, self._names, self._account = clients, names, account

    def put(self, region: str, key: str, text: str) -> Pointer:
        """Put the payload; raises UnreachableError where the region does not take it."""
        body, bucket = text.encode(), self._bucket(region)
        with self._clients.reaching(region):
            self._clients.s3(region).put_object(Bucket=bucket, Key=key, Body=body, ExpectedBucketOwner=self._account)
        return Pointer(region, bucket, key, hashlib.sha256(body).hexdigest(), len(body))

    def _bucket(self, region: str) -> str:
        return self._names.payload_bucket(self._account, region)

    def get(self, pointer: Pointer) -> str:
        """Get the payload.

        Raises InvalidEnvelopeError for another bucket than the region's, if it is gone, and for another digest or size:
        a client says what its payload's size is, by which runs are weighed.
        """
        if pointer.bucket != self._bucket(pointer.region):
            raise InvalidEnvelopeError(f"s3://{pointer.bucket} keeps no payloads of this workflow in {pointer.region}")
        client = self._clients.s3(pointer.region)
        try:
            with self._clients.reaching(pointer.region):
                answer = client.get_object(Bucket=pointer.bucket, Key=pointer.key, ExpectedBucketOwner=self._account)
                body = answer["Body"].read()
        except client.exceptions.NoSuchKey as error:
            raise InvalidEnvelopeError(f"The payload at s3://{pointer.bucket}/{pointer.key} is gone") from error
        if hashlib.sha256(body).hexdigest() != pointer.sha256 or len(body) != pointer.size_bytes:
            raise InvalidEnvelopeError(
                f"The payload at s3://{pointer.bucket}/{pointer.key} is not the one that was sent"
            )
        return body.decode()


class SqsFailures:
    """The failure queues, by their functions' fixed names. Two forms lie in them.

    Lambda's on-failure destination wraps the event and the error; a subscription's dead-letter queue has SNS's
    notification of a function that is not there.
    """

    def __init__(self, clients: Clients, names: WorkflowNames) -> None:
        self._clients, self._names = clients, names
        self._urls: dict[tuple[str, str], str] = {}

    def receive(self, region: str, function: str) -> tuple[FailedEvent, ...]:
        """Receive up to ten; none if the region has no such queue, as where the function is not placed."""
        client = self._clients.sqs(region)
        try:
            url = self._url(region, function)
            with self._clients.reaching(region):
                answer = client.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=_EVENTS_A_CALL, VisibilityTimeout=_HIDDEN_S
                )
        except client.exceptions.QueueDoesNotExist:
            self._urls.pop((region, function), None)
            return ()
        return tuple(failed_event(region, function, self._names, message) for message in answer.get("Messages", ()))

    def set_aside(self, event: FailedEvent) -> None:
        """Hide it for an hour."""
        url, client = self._url(event.region, event.function), self._clients.sqs(event.region)
        with self._clients.reaching(event.region):
            client.change_message_visibility(QueueUrl=url, ReceiptHandle=event.handle, VisibilityTimeout=_ASIDE_S)

    def delete(self, event: FailedEvent) -> None:
        """Delete it."""
        url, client = self._url(event.region, event.function), self._clients.sqs(event.region)
        with self._clients.reaching(event.region):
            client.delete_message(QueueUrl=url, ReceiptHandle=event.handle)

    def _url(self, region: str, function: str) -> str:
        if (region, function) not in self._urls:
            client, name = self._clients.sqs(region), self._names.failure_queue(function)
            with self._clients.reaching(region):
                self._urls[region, function] = client.get_queue_url(QueueName=name)["QueueUrl"]
        return self._urls[region, function]


def failed_event(region: str, function: str, names: WorkflowNames, message: Mapping[str, Any]) -> FailedEvent:
    """What lies in a failure queue, read as far as it can be; anything else is its own message, without an id."""
    body, handle = message["Body"], message["ReceiptHandle"]
    try:
        data = json.loads(body)
        if "requestPayload" in data:
            return FailedEvent(region, function, *_request_of(data, names, function), *_error_of(data), handle)
        return FailedEvent(region, function, *_undelivered(data, names), None, "not delivered", handle)
    except _NOT_READABLE:
        return FailedEvent(region, function, body, "", None, "not readable", handle)


def _request_of(data: Mapping[str, Any], names: WorkflowNames, function: str) -> tuple[str, str]:
    """Message and id of what the function was invoked with: a topic's, or the event that came past it."""
    request_id = _text(data["requestContext"]["requestId"])
    delivery = unpack(data["requestPayload"], names=names, function=function, request_id=request_id)
    if delivery.from_topic:
        return _message_in(data["requestPayload"]["Records"][0]["Sns"], names), delivery.id
    return start_of(data["requestPayload"], delivery.id).to_text(), delivery.id


def _undelivered(data: Mapping[str, Any], names: WorkflowNames) -> tuple[str, str]:
    """Message and id of a notification that SNS could not hand over."""
    return _message_in({"TopicArn": "", **data}, names), _text(data["MessageId"])


def _message_in(notification: Mapping[str, Any], names: WorkflowNames) -> str:
    """The message that a notification is to the function: what clients publish is a start by then."""
    message = _text(notification["Message"])
    return published(notification).to_text() if topic_of(notification) == names.start_topic else message


def _error_of(data: Mapping[str, Any]) -> tuple[str | None, str]:
    """Type and text of the error in an on-failure record; no type if the function was never started.

    A process that was killed (a timeout, memory) may leave no type: `responseContext` still has it.
    """
    response, context = data.get("responsePayload") or {}, data.get("responseContext") or {}
    kind = response.get("errorType") or context.get("functionError")
    text = response.get("errorMessage") or data["requestContext"]["condition"]
    return None if kind is None else storable(_text(kind), _MAX_TYPE_CHARACTERS), storable(_text(text))


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
