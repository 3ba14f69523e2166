"""What the runtime needs of the world, as small Protocols. `caribou.runtime.aws` has the real forms."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from caribou.model.health.metrics import HealthMetric
from caribou.model.run.envelope import Pointer, Run, StoredPayload
from caribou.model.run.item import NO_RESULTS, Claim, FailedEvent, Listed, Parked, RunItem, SyncInputs, SyncState


class Bus(Protocol):
    """Starts functions in any region by a message, at least once, in any order."""

    def publish(self, region: str, function: str, message: str) -> None:
        """Hand over a message; raises UnreachableError if the region does not take it."""


class Claims(Protocol):
    """Decides which delivery of a message to a node counts."""

    def claim(self, region: str, run_id: str, node: str, owner: str, attempt: int, *, code: str = "") -> int | None:
        """The number of this owner's tries, from 1, or None if another delivery owns the node of this run.

        `region` is the node's by the envelope's map: that of a sync node's state, wherever the sync node was fired to.
        `attempt` is the envelope's: one that was sent again after Lambda had given it up takes the node over. `code` is
        a note of what runs, which the claim keeps.
        """

    def stop(self, region: str, run_id: str, node: str) -> None:
        """Let nobody claim the node of this run from now on: not even its owner, for another try."""

    def claimed(self, region: str, run_id: str, node: str) -> Claim | None:
        """The node's claim; None if nobody has claimed it there, or the region has no such table any more."""


class SyncStore(Protocol):
    """State of sync nodes, in the region of each."""

    def put_payload(self, region: str, run_id: str, node: str, edge: str, payload: StoredPayload) -> None:
        """Keep an edge's payload, unless it has one: the first stands."""

    def report(self, region: str, run_id: str, node: str, edge: str, *, taken: bool) -> SyncState:
        """Note that an edge has reported, unless it has; the state after that."""

    def read(self, region: str, run_id: str, node: str) -> SyncInputs:
        """Everything reported so far."""


class RunStore(Protocol):
    """Run items, at home. Each change is conditional: a state that has been left is not come back to by chance.

    begin ──> RUNNING ──succeed──> SUCCEEDED
               │  ^ └expire, halt> EXPIRED ─┐      (RUNNING ──cancel──> CANCELLED, for good)
               │  └────────reopen───────────┤
               └──fail──> FAILED ───────────┘      (FAILED ──succeed──> SUCCEEDED, if all of it ran after all)
    """

    def begin(
        self, run: Run, leaves: frozenset[str], begun_by: str | None = None, payload: StoredPayload | None = None
    ) -> RunItem:
        """Write the run item, with its input if that is small, unless there is one; the item."""

    def end_leaves(
        self, run_id: str, leaves: tuple[str, ...], results: Mapping[str, str] = NO_RESULTS
    ) -> frozenset[str]:
        """Note that leaves have run or will not, and results of them; all leaves that have by now.

        No more of the item: a function needs no right to read one. UnknownRunError if there is none.
        """

    def succeed(self, run_id: str, at: float) -> None:
        """RUNNING or FAILED to SUCCEEDED."""

    def fail(self, run_id: str, at: float, node: str, error: str) -> None:
        """RUNNING to FAILED, with the failing node and its error. The run stays on the sweeper's list."""

    def expire(self, run_id: str, at: float) -> None:
        """RUNNING to EXPIRED, if its deadline, which a redrive may have moved, has passed by then.

        The run stays on the sweeper's list.
        """

    def cancel(self, run_id: str, at: float) -> None:
        """RUNNING to CANCELLED. The run stays on the sweeper's list, until nothing of it can begin any more."""

    def halt(self, run_id: str, at: float) -> None:
        """RUNNING to EXPIRED before its deadline, so that what comes in is parked. It stays on the sweeper's list."""

    def reopen(self, run_id: str, deadline: float, regions: Mapping[str, str] | None = None) -> None:
        """FAILED or EXPIRED to RUNNING, with a new deadline, and another map if one is given."""

    def notified(self, run_id: str, ended_at: float) -> None:
        """Note that an event was sent of a run's end, if it is FAILED or EXPIRED since then."""

    def close(self, run_id: str) -> None:
        """Take a run off the sweeper's list that has ended and is notified: what is left of it is parked."""

    def get(self, run_id: str) -> RunItem | None:
        """The item, or None. InvalidRunItemError if it is not one that the runtime wrote."""

    def listed(self) -> Listed:
        """The sweeper's list: what runs, what ended badly and is not notified or parked yet, what is not stopped yet.

        A long list comes in parts, one a call, again from the start after the last.
        """


class Failures(Protocol):
    """The failure queues of all functions."""

    def receive(self, region: str, function: str) -> tuple[FailedEvent, ...]:
        """Some events of a function's queue, hidden from others for a while; none if there is no such queue.

        UnreachableError if the region can't be asked.
        """

    def set_aside(self, event: FailedEvent) -> None:
        """Leave an event in its queue, out of sight for longer: there is nothing that a sweep could do with it."""

    def delete(self, event: FailedEvent) -> None:
        """Take an event out of its queue for good."""


class Parking(Protocol):
    """Messages that wait for a redrive, at home."""

    def park(self, parked: Parked) -> None:
        """Keep a message, unless the node has one of the same or a later attempt, whose claim would refuse this one."""

    def parked(self, run_id: str) -> tuple[Parked, ...]:
        """The messages of a run, by node."""

    def unpark(self, parked: Parked) -> None:
        """Forget a message that has been sent again; one of another attempt stays."""


class PayloadStore(Protocol):
    """Payloads too large for a message or an item."""

    def put(self, region: str, key: str, text: str) -> Pointer:
        """Keep an encoded payload under a key in a region's bucket."""

    def get(self, pointer: Pointer) -> str:
        """The payload at the pointer, its digest and size checked."""


class Notifier(Protocol):
    """Notifies others, by events, that runs ended badly: at least once, as who sends may die before that is noted."""

    def notify(self, ended: Sequence[RunItem]) -> tuple[RunItem, ...]:
        """Send an event for each of up to ten runs; those whose event was taken. Raises UnreachableError."""


class Metrics(Protocol):
    """Says numbers to whoever watches. Never raises: no run waits for that."""

    def put(self, values: Mapping[HealthMetric, float]) -> None:
        """Send values of some metrics of the workflow, as of now."""


class Clock(Protocol):
    """Reads the time."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside the process that the runtime talks to."""

    bus: Bus
    claims: Claims
    syncs: SyncStore
    runs: RunStore
    payloads: PayloadStore
    clock: Clock
    failures: Failures
    parking: Parking
    notifier: Notifier
    metrics: Metrics

    def stored(self, region: str, place: tuple[str, str, str], text: str) -> Pointer:
        """Keep an encoded payload that is too large, by its run, node and edge; where it rests.

        Its digest is part of the key: a retry whose payload differs must not replace one that is on its way.
        """
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self.payloads.put(region, "/".join((*place, digest)), text)

    def text_of(self, payload: StoredPayload) -> str:
        """An encoded payload's text, fetched from where it rests; none is null."""
        if payload.pointer is not None:
            return self.payloads.get(payload.pointer)
        return payload.text if payload.text is not None else "null"
