"""What a Lambda event carries: here a client's content and our messages part, by the way that they came.

A function's own topic, to which the workflow's roles alone publish, brings messages of ours. What the workflow's start
topic brings, and any other event, is a payload, whatever it looks like.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from caribou.model.errors import InvalidPayloadError
from caribou.model.names import WorkflowNames
from caribou.model.run import payload as payloads
from caribou.model.run.envelope import Envelope, Start, parse_message
from caribou.model.run.fields import is_run_name
from caribou.model.run.publication import name_in, pointer_in

_OWN = ("TopicArn", "MessageId", "Message")
"""What a notification has, each a text."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery to a function. `content` is the message or the event; `id` names it, the same in every retry.

    `request_id` is Lambda's: the same in its own retries, another one when a message is delivered again. `from_topic`
    says that it came through a topic, so that Lambda retries it and keeps it if that is in vain, and that the content
    is a message of ours: what the start topic brings is made one here.
    """

    content: Any
    id: str
    request_id: str
    from_topic: bool


def unpack(event: Any, *, names: WorkflowNames, function: str, request_id: str) -> Delivery:  # noqa: ANN401 - any event
    """The delivery in an event to a function: only what its own topic and the start topic bring is unpacked.

    Raises InvalidPayloadError, and InvalidEnvelopeError for attributes that are no run's name or payload's place.
    """
    notification = _notification(event)
    topic = None if notification is None else topic_of(notification)
    if notification is None or topic not in (names.topic(function), names.start_topic):
        return Delivery(event, _event_id(event) or request_id, request_id, from_topic=False)
    is_public = topic == names.start_topic
    content = published(notification).to_json() if is_public else json_or_text(notification["Message"])
    return Delivery(content, notification["MessageId"], request_id, from_topic=True)


def published(notification: Mapping[str, Any]) -> Start:
    """The start that somebody has published to the start topic: he decides the payload, and may name the run.

    Raises InvalidPayloadError and InvalidEnvelopeError.
    """
    message_id, pointer = notification["MessageId"], pointer_in(notification)
    payload = payloads.encode(json_or_text(notification["Message"])) if pointer is None else None
    return Start(name_in(notification) or message_id, payload, pointer, message_id=message_id)


def topic_of(notification: Mapping[str, Any]) -> str:
    """The name of the topic that a notification came through."""
    return str(notification["TopicArn"]).rpartition(":")[2]


def message_of(content: Any, name: str) -> Envelope | Start:  # noqa: ANN401 - any event
    """The message in what a topic delivered: what is none of ours is the payload of a start, which the delivery names.

    Raises InvalidEnvelopeError and InvalidPayloadError.
    """
    message = parse_message(content) or start_of(content, name)
    return message if isinstance(message, Envelope) else replace(message, run_id=message.run_id or name)


def start_of(content: Any, name: str) -> Start:  # noqa: ANN401 - any event
    """The start of a run with some content, whatever that looks like. Raises InvalidPayloadError."""
    return Start(run_id=name, payload=payloads.encode(content), message_id=name)


def json_or_text(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The value in a message's text: a text that someone typed is one too.

    Raises InvalidPayloadError if it is nested too deeply to be any function's.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise InvalidPayloadError(
            "is nested too deeply", where="a message", fix="send values of fewer levels, or a text that has them"
        ) from error
    except ValueError:
        return text


def _notification(event: Any) -> Mapping[str, Any] | None:  # noqa: ANN401
    """The one notification of a topic in an event."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or len(records) != 1 or not isinstance(records[0], dict):
        return None
    message = records[0].get("Sns")
    if not isinstance(message, dict) or not all(isinstance(message.get(name), str) for name in _OWN):
        return None
    return message if is_run_name(message["MessageId"]) else None


def _event_id(event: Any) -> str | None:  # noqa: ANN401
    """A name for the records of a polled event source (SQS, Kinesis, DynamoDB streams), whose retries are new requests.

    None for other events, which Lambda retries under the same request id, or the caller under none.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        return None
    ids = [record.get("messageId") or record.get("eventID") for record in records]
    if not ids or not all(isinstance(one, str) and one for one in ids):
        return None
    return hashlib.sha256("\n".join(ids).encode(errors="backslashreplace")).hexdigest()[:32]
