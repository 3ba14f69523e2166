"""A run as values: its item, its sync nodes' state, its messages that failed or are parked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from caribou.model.run.envelope import Run, Start, StoredPayload


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


NO_RESULTS: Mapping[str, str] = MappingProxyType({})


class RunState(StrEnum):
    """How a run stands. Every accepted run comes to one of the last three."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class RunItem:
    """A run and how far it has come. `leaves` are those of the graph it began with, `ended` those that ran or won't.

    `results` has what leaves returned, as payload text by leaf, where it is a payload and small. `begun_by` is the
    `message_id` of the start that began it.
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
    def is_complete(self) -> bool:
        """Whether every leaf has run, or never will."""
        return self.ended >= self.leaves


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
