"""What the runtime needs of the world, as small Protocols. `caribou.runtime.aws` has the real forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from caribou.model.envelope import Pointer, Run, StoredPayload


class UnreachableError(Exception):
    """A region could not be reached, or would not take a message: home can be tried instead."""


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
    """All that a sync node has been told: its state, and the payload of each edge that reported one."""

    state: SyncState = field(default_factory=SyncState)
    payloads: Mapping[str, StoredPayload] = field(default_factory=dict)


class Bus(Protocol):
    """Starts functions in any region by a message, at least once, in any order."""

    def publish(self, region: str, function: str, message: str) -> None:
        """Hand over a message; raises UnreachableError if the region does not take it."""


class Claims(Protocol):
    """Decides which delivery of a message to a node counts."""

    def claim(self, run_id: str, node: str, owner: str) -> int | None:
        """The number of this owner's attempts, from 1, or None if another delivery owns the node of this run."""


class SyncStore(Protocol):
    """State of sync nodes, in the region of each."""

    def put_payload(self, region: str, run_id: str, node: str, edge: str, payload: StoredPayload) -> None:
        """Keep an edge's payload, unless it has one: the first stands."""

    def report(self, region: str, run_id: str, node: str, edge: str, *, taken: bool) -> SyncState:
        """Note that an edge has reported, unless it has; the state after that."""

    def read(self, region: str, run_id: str, node: str) -> SyncInputs:
        """Everything reported so far."""


class RunStore(Protocol):
    """Run items, at home."""

    def begin(self, run: Run) -> Run:
        """Write the run item, unless there is one; the run as the item has it."""

    def end_leaves(self, run_id: str, leaves: tuple[str, ...]) -> frozenset[str]:
        """Note that leaves have run or will not; all leaves noted so far."""

    def succeed(self, run_id: str, at: float) -> None:
        """Set the state of an open run to SUCCEEDED."""

    def fail(self, run_id: str, at: float, node: str, error: str) -> None:
        """Set the state of an open run to FAILED, with the failing node and its error."""


class PayloadStore(Protocol):
    """Payloads too large for a message or an item."""

    def put(self, region: str, key: str, text: str) -> Pointer:
        """Keep an encoded payload under a key in a region's bucket."""

    def get(self, pointer: Pointer) -> str:
        """The payload at the pointer, its digest checked."""


class Clock(Protocol):
    """Tells the time."""

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

    def text_of(self, payload: StoredPayload) -> str:
        """An encoded payload's text, fetched from where it rests; none is null."""
        if payload.pointer is not None:
            return self.payloads.get(payload.pointer)
        return payload.text if payload.text is not None else "null"
