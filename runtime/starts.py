"""Starts that are sent on: a client's message may grow past what a topic takes, since its text becomes part of ours."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from caribou.model.run.envelope import Start, event_bytes
from caribou.model.run.publication import start_key
from caribou.runtime.ports import Ports
from caribou.runtime.settings import Settings


def sendable(start: Start, settings: Settings, ports: Ports) -> Start:
    """The start as a message can carry it: a payload that is too large is put into home's bucket, by its digest.

    Raises UnreachableError where home does not take it.
    """
    if start.payload is None or event_bytes(start.to_text()) <= settings.runs.message_limit_bytes:
        return start
    key = start_key(hashlib.sha256(start.payload.encode()).hexdigest())
    pointer = ports.payloads.put(settings.home_region, key, start.payload)
    return replace(start, payload=None, pointer=pointer)
