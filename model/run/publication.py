"""What stands beside a payload on a workflow's start topic: the run's name, and where a large payload rests.

A publisher decides what a run works on; of what a run is, he may decide its name alone. So both are attributes of the
message, and nothing inside its text is ever looked at. The client's end and the home entry's stand in this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from caribou.model.errors import InvalidEnvelopeError
from caribou.model.run.envelope import Pointer, parse_pointer, pointer_to_json
from caribou.model.run.text import storable
from caribou.model.template_contract import STARTS_PREFIX

RUN_ID_ATTRIBUTE, POINTER_ATTRIBUTE = "caribou.run_id", "caribou.payload"
MAX_NAME_LENGTH = 80
_NAME = re.compile(rf"(?!\.{{1,2}}$)[A-Za-z0-9_.-]{{1,{MAX_NAME_LENGTH}}}")
"""Not `.` and `..`: the name begins the keys of the run's payloads, in which S3 does not take them."""
_DIGEST = re.compile("[0-9a-f]{64}")


def is_run_name(text: str) -> bool:
    """Whether a client may give a run this name."""
    return _NAME.fullmatch(text) is not None


def start_key(digest: str) -> str:
    """Where a client puts a payload of a SHA-256, in hex: who says that it is there knows what it is."""
    return STARTS_PREFIX + digest


def attributes_of(run_id: str, pointer: Pointer | None) -> dict[str, str]:
    """The attributes of a message to the start topic, by name. The texts are what `name_in` and `pointer_in` read."""
    resting = {} if pointer is None else {POINTER_ATTRIBUTE: json.dumps(pointer_to_json(pointer))}
    return {RUN_ID_ATTRIBUTE: run_id, **resting}


def name_in(notification: Mapping[str, Any]) -> str | None:
    """The run's name in a notification, if it has one. Raises InvalidEnvelopeError for what is no name."""
    name = _attribute(notification, RUN_ID_ATTRIBUTE)
    if name is not None and not is_run_name(name):
        raise InvalidEnvelopeError(f"{RUN_ID_ATTRIBUTE} is no name for a run: {storable(name, MAX_NAME_LENGTH)}")
    return name


def pointer_in(notification: Mapping[str, Any]) -> Pointer | None:
    """Where the payload rests, if that is not the message. Raises InvalidEnvelopeError for any other place.

    Only what clients put there can be pointed to, by whoever knows its content: no payload of another run. It is home,
    as the topic is: another region might be one that never answers, and be asked until the run's deadline.
    """
    text = _attribute(notification, POINTER_ATTRIBUTE)
    if text is None:
        return None
    try:
        pointer = parse_pointer(json.loads(text))
    except (KeyError, ValueError, RecursionError) as error:
        raise InvalidEnvelopeError(f"{POINTER_ATTRIBUTE} is damaged: {error!r}") from error
    is_clients = _DIGEST.fullmatch(pointer.sha256) is not None and pointer.key == start_key(pointer.sha256)
    if not is_clients or [pointer.region] != str(notification.get("TopicArn")).split(":")[3:4]:
        place = storable(f"{pointer.key} in {pointer.region}", 200)
        raise InvalidEnvelopeError(f"{POINTER_ATTRIBUTE} is no place of a payload: {place}")
    return pointer


def _attribute(notification: Mapping[str, Any], name: str) -> str | None:
    """The text of an attribute, as SNS writes it into a notification."""
    attributes = notification.get("MessageAttributes")
    attribute = attributes.get(name) if isinstance(attributes, Mapping) else None
    if attribute is None:
        return None
    value = attribute.get("Value") if isinstance(attribute, Mapping) else None
    if not isinstance(value, str):
        raise InvalidEnvelopeError(f"{name} is no text")
    return value
