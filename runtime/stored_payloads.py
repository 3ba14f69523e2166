"""A payload in an item of DynamoDB: its text, or where it rests; and what reading an item raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from caribou.model.run.envelope import StoredPayload, parse_pointer, pointer_to_json

NOT_OURS = (KeyError, ValueError, TypeError, RecursionError)
"""What reading an item raises that somebody else has written."""
SHOWN = 200
"""Characters of what is wrong with an item."""


def payload_attributes(payload: StoredPayload, text: str, pointer: str) -> dict[str, Any]:
    """The payload under the attribute `text`, or where it rests under `pointer`."""
    if payload.pointer is not None:
        return {pointer: {"S": json.dumps(pointer_to_json(payload.pointer))}}
    return {text: {"S": payload.text or ""}}


def payload_of(item: Mapping[str, Any], text: str, pointer: str) -> StoredPayload:
    """The payload that `payload_attributes` gave an item. Raises one of NOT_OURS if it is damaged, or not there."""
    if pointer in item:
        return StoredPayload(pointer=parse_pointer(json.loads(item[pointer]["S"])))
    return StoredPayload(text=item[text]["S"])
