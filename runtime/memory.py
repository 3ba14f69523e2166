"""The ports in memory: what `caribou.runtime.testing` puts in place of a cloud."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from threading import Lock
from typing import Literal

from caribou.model.envelope import Pointer, Run, StoredPayload
from caribou.model.errors import InvalidEnvelopeError
from caribou.runtime.ports import Ports, SyncInputs, SyncState, UnreachableError

State = Literal["RUNNING", "SUCCEEDED", "FAILED"]


class InMemoryClock:
    """A clock that stands still until it is moved; user code under test may move it to take its time."""

    def __init__(self, now_s: float | None = None) -> None:
        self._now_s = time.time() if now_s is None else now_s

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now_s += seconds


@dataclass(frozen=True, slots=True)
class Message:
    """What was published to a function of a region."""

    region: str
    function: str
    text: str


class InMemoryBus:
    """Keeps messages until they are taken."""

    def __init__(self, unreachable: set[str] | None = None) -> None:
        self._unreachable = set() if unreachable is None else unreachable
        self._lock = Lock()
        self._messages: list[Message] = []

    def publish(self, region: str, function: str, message: str) -> None:
        """Keep the message; raises UnreachableError if the region is unreachable."""
        _reach(region, self._unreachable)
        with self._lock:
            self._messages.append(Message(region, function, message))

    def take(self) -> tuple[Message, ...]:
        """The messages published since the last time, in an order that does not depend on threads."""
        with self._lock:
            taken, self._messages = self._messages, []
        return tuple(sorted(taken, key=lambda message: (message.region, message.function, message.text)))


class InMemoryClaims:
    """The claims of one region."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owners: dict[tuple[str, str], tuple[str, int]] = {}

    def claim(self, run_id: str, node: str, owner: str) -> int | None:
        """Claim a node of a run for a delivery."""
        with self._lock:
            holder, attempts = self._owners.get((run_id, node), (owner, 0))
            if holder != owner:
                return None
            self._owners[run_id, node] = (owner, attempts + 1)
            return attempts + 1


class InMemorySyncStore:
    """The sync state of all regions."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inputs: dict[tuple[str, str, str], SyncInputs] = {}

    def put_payload(self, region: str, run_id: str, node: str, edge: str, payload: StoredPayload) -> None:
        """Keep an edge's payload, unless it has one."""
        with self._lock:
            inputs = self._inputs.get((region, run_id, node), SyncInputs())
            kept = {edge: payload, **inputs.payloads}
            self._inputs[region, run_id, node] = replace(inputs, payloads=kept)

    def report(self, region: str, run_id: str, node: str, edge: str, *, taken: bool) -> SyncState:
        """Note that an edge has reported, unless it has; the state after that."""
        with self._lock:
            inputs = self._inputs.get((region, run_id, node), SyncInputs())
            state = inputs.state
            if edge not in state.taken | state.skipped:
                state = SyncState(
                    taken=state.taken | {edge} if taken else state.taken,
                    skipped=state.skipped if taken else state.skipped | {edge},
                )
                self._inputs[region, run_id, node] = replace(inputs, state=state)
            return state

    def read(self, region: str, run_id: str, node: str) -> SyncInputs:
        """Everything reported so far."""
        with self._lock:
            return self._inputs.get((region, run_id, node), SyncInputs())


@dataclass(frozen=True, slots=True)
class RunItem:
    """A run and how far it has come."""

    run: Run
    state: State = "RUNNING"
    ended_leaves: frozenset[str] = frozenset()
    ended_at: float | None = None
    failed_node: str | None = None
    error: str | None = None


class InMemoryRunStore:
    """Run items; `items` has them by run id."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.items: dict[str, RunItem] = {}

    def begin(self, run: Run) -> Run:
        """Keep the run, unless there is one; the run as kept."""
        with self._lock:
            return self.items.setdefault(run.run_id, RunItem(run)).run

    def end_leaves(self, run_id: str, leaves: tuple[str, ...]) -> frozenset[str]:
        """Note that leaves have ended; all leaves noted so far."""
        with self._lock:
            item = self.items[run_id]
            self.items[run_id] = replace(item, ended_leaves=item.ended_leaves | set(leaves))
            return self.items[run_id].ended_leaves

    def succeed(self, run_id: str, at: float) -> None:
        """End an open run well."""
        with self._lock:
            if self.items[run_id].state == "RUNNING":
                self.items[run_id] = replace(self.items[run_id], state="SUCCEEDED", ended_at=at)

    def fail(self, run_id: str, at: float, node: str, error: str) -> None:
        """End an open run with what failed."""
        with self._lock:
            if self.items[run_id].state == "RUNNING":
                failed = replace(self.items[run_id], state="FAILED", ended_at=at, failed_node=node, error=error)
                self.items[run_id] = failed


class InMemoryPayloadStore:
    """The payload buckets of all regions; `objects` has the texts by bucket and key."""

    def __init__(self, unreachable: set[str] | None = None) -> None:
        self._unreachable = set() if unreachable is None else unreachable
        self._lock = Lock()
        self.objects: dict[tuple[str, str], str] = {}

    def put(self, region: str, key: str, text: str) -> Pointer:
        """Keep a payload; raises UnreachableError if the region is unreachable."""
        _reach(region, self._unreachable)
        bucket, body = f"payloads-{region}", text.encode()
        with self._lock:
            self.objects[bucket, key] = text
        return Pointer(region, bucket, key, hashlib.sha256(body).hexdigest(), len(body))

    def get(self, pointer: Pointer) -> str:
        """Get a payload; raises InvalidEnvelopeError if it is not what the pointer's digest says."""
        with self._lock:
            text = self.objects[pointer.bucket, pointer.key]
        if hashlib.sha256(text.encode()).hexdigest() != pointer.sha256:
            raise InvalidEnvelopeError(f"The payload at {pointer.bucket}/{pointer.key} is not the one that was sent")
        return text


class InMemoryCloud:
    """What is outside a function's process. Regions in `unreachable` take neither messages nor payloads."""

    def __init__(self, now_s: float | None = None) -> None:
        self.unreachable: set[str] = set()
        self.clock = InMemoryClock(now_s)
        self.bus = InMemoryBus(self.unreachable)
        self.syncs = InMemorySyncStore()
        self.runs = InMemoryRunStore()
        self.payloads = InMemoryPayloadStore(self.unreachable)
        self._claims: dict[str, InMemoryClaims] = {}

    def ports(self, region: str) -> Ports:
        """The ports of a function in a region."""
        claims = self._claims.setdefault(region, InMemoryClaims())
        return Ports(self.bus, claims, self.syncs, self.runs, self.payloads, self.clock)


def _reach(region: str, unreachable: set[str]) -> None:
    if region in unreachable:
        raise UnreachableError(f"{region} is unreachable")
