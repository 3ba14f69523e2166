"""What a Lambda event carries: a message from the function's own topic, or the event itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery to a function. `content` is the message or the event; `id` names it, the same in every retry.

    `request_id` is Lambda's: the same in its own retries, another one when a message is delivered again.
    """

    content: Any
    id: str
    request_id: str


def unpack(event: Any, *, topic: str, request_id: str) -> Delivery:  # noqa: ANN401 - any event
    """The delivery in an event. `topic` is the name of the function's own topic: only its messages are unpacked."""
    own = _own_message(event, topic)
    if own is None:
        return Delivery(content=event, id=request_id, request_id=request_id)
    return Delivery(content=_json_or_text(own["Message"]), id=own["MessageId"], request_id=request_id)


def _own_message(event: Any, topic: str) -> dict[str, str] | None:  # noqa: ANN401
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or len(records) != 1 or not isinstance(records[0], dict):
        return None
    message = records[0].get("Sns")
    if not isinstance(message, dict) or str(message.get("TopicArn", "")).rpartition(":")[2] != topic:
        return None
    return message


def _json_or_text(text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except ValueError:
        return text
