"""A run as values: its item, its sync nodes' state, its messages that failed or are parked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from caribou.model.run.envelope import Run, Start, StoredPayload, pointer_to_json

ITEM_PAYLOAD_LIMIT_BYTES = 300_000
"""Payloads up to this size rest in the sync table: a DynamoDB item holds 400 KB, its other attributes are small."""


@dataclass(frozen=True, slots=True)
class SyncState:
    """Which edges have reported to a sync node, by edge id; the first report of an edge stands."""

    taken: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()

    def reported(self) -> int:
        """How many edges have reported."""
        return len(self.taken) + len(self.skipped)


@dataclass(frozen=True, slots=True)
class SyncInputs:
    """All that has been reported to a sync node: its state, and the payload of each edge that reported one."""

    state: SyncState = field(default_factory=SyncState)
    payloads: Mapping[str, StoredPayload] = field(default_factory=dict)


class Claim(NamedTuple):
    """Which attempt of a node's message was claimed last, and the note of the code that ran (`model.run.code`)."""

    attempt: int
    code: str = ""


NO_RESULTS: Mapping[str, str] = MappingProxyType({})


class RunState(StrEnum):
    """How a run stands. Every accepted run comes to one of the last four."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class RunItem:
    """A run and how far it has come. `leaves` are those of the graph it began with, `ended` those that ran or won't.

    `results` has what leaves returned, as payload text by leaf, where it is a payload and small. `begun_by` is the
    `message_id` of the start that began it, `input` what it began with, if that is kept: see `kept_input`; else
    `input_digest` is there. A run of an earlier version has no digest. `notified_end` is the `ended_at` of which an
    event was sent; a run that a redrive opened may end badly again.
    """

    run: Run
    leaves: frozenset[str]
    state: RunState = RunState.RUNNING
    ended: frozenset[str] = frozenset()
    ended_at: float | None = None
    failed_node: str | None = None
    error: str | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    begun_by: str | None = None
    input: StoredPayload | None = None
    input_digest: str | None = None
    notified_end: float | None = None

    @property
    def begun_with(self) -> str | None:
        """The digest of what it began with, as `payload_digest` has it; None if the item does not say."""
        return self.input_digest if self.input is None else payload_digest(self.input)

    def is_of(self, start: Start) -> bool:
        """Whether it is the start's own run: a start of the same name that is another's has no say in it.

        An earlier version noted no `begun_by`. Its client's content, which is delivered again after an upgrade, is the
        run of its own message; every other start of it has no `message_id`.
        """
        if self.begun_by is None and start.message_id == self.run.run_id:
            return True
        return start.message_id is None or start.message_id == self.begun_by

    @property
    def seconds(self) -> float | None:
        """How long the run took; None if it has not ended, or goes on after a redrive."""
        if self.ended_at is None or self.state is RunState.RUNNING:
            return None
        return self.ended_at - self.run.started_at

    @property
    def has_ended_badly(self) -> bool:
        """Whether it failed or expired."""
        return self.state in (RunState.FAILED, RunState.EXPIRED)

    @property
    def is_notified(self) -> bool:
        """Whether an event was sent of how it ended."""
        return self.ended_at is not None and self.notified_end == self.ended_at

    @property
    def is_complete(self) -> bool:
        """Whether every leaf has run, or never will."""
        return self.ended >= self.leaves


_WRITE_UNIT_BYTES = 1024
_DIGEST_DIGITS = 16
NOTED_DIGEST_BYTES = len("input_digest") + _DIGEST_DIGITS
_OTHER_BYTES = 320
"""Of a run item: names of attributes, numbers, states, the message that began it, and what sets add."""
_RESULTS_BYTES = 256
"""What is left for results of leaves."""


def kept_input(run: Run, leaves: frozenset[str], payload: StoredPayload | None) -> StoredPayload | None:
    """A run's input, if it costs nothing to keep it with the run: if all writes of the item stay within one unit.

    An item is written and paid for as a whole, twice, since its index has it too. One that rests in a bucket is kept by
    its pointer. The leaves count twice: they are noted again as they end; and there is room for small results.
    """
    if payload is None:
        return None
    pointer = payload.pointer
    said = (payload.text or "") if pointer is None else json.dumps(pointer_to_json(pointer))
    return payload if len(said.encode()) <= largest_input_bytes(run, leaves) else None


def payload_digest(payload: StoredPayload) -> str:
    """By which payloads are known as the same: the first digits of the SHA-256 of the encoded text, in hex."""
    pointer = payload.pointer
    digest = hashlib.sha256((payload.text or "").encode()).hexdigest() if pointer is None else pointer.sha256
    return digest[:_DIGEST_DIGITS]


def noted_digest(run: Run, leaves: frozenset[str], payload: StoredPayload | None) -> str | None:
    """The digest of a run's input that is not kept with it: a few bytes, for who starts it again by its name."""
    if payload is None or kept_input(run, leaves, payload) is not None:
        return None
    return payload_digest(payload)


def largest_input_bytes(run: Run, leaves: Iterable[str]) -> int:
    """How large an input may be that is kept with a run; below 0 if there is no room for any."""
    leaves = tuple(leaves)
    texts = (run.run_id, run.workflow_version, run.graph, run.placement, *leaves, *leaves)
    taken = len(json.dumps(dict(run.regions)).encode()) + sum(len(text.encode()) + 1 for text in texts)
    return _WRITE_UNIT_BYTES - _OTHER_BYTES - _RESULTS_BYTES - taken - 1


class Listed(NamedTuple):
    """The sweeper's list: the items on it, and how many are there that nobody can read.

    A named tuple, since functions make the class at each cold start: a dataclass takes four times as long.
    """

    items: tuple[RunItem, ...]
    broken: int = 0


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """An event that Lambda gave up, or SNS could not hand over, as it lies in a function's failure queue.

    `message` is what was published, `message_id` its id; or the event that came past the topic, and its request's.
    `error_type` is the exception's class (None: the function was never started).
    """

    region: str
    function: str
    message: str
    message_id: str
    error_type: str | None
    error: str
    handle: str


START_NODE = "(start)"


@dataclass(frozen=True, slots=True)
class Parked:
    """A message that waits for a person: the node it is for, the message and its attempt, and why it is here.

    A start is no node's (`START_NODE`): where the entry is placed elsewhere, both of them may be parked.
    """

    run_id: str
    node: str
    attempt: int
    message: str
    reason: str
