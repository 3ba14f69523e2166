"""The ports in memory: what `caribou.runtime.testing` puts in place of a cloud."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from threading import Lock
from typing import Any

from caribou.model.errors import InvalidEnvelopeError, UnknownRunError, UnreachableError
from caribou.model.health.metrics import HealthMetric
from caribou.model.run.envelope import Pointer, Run, StoredPayload
from caribou.model.run.item import (
    NO_RESULTS,
    Claim,
    FailedEvent,
    Listed,
    Parked,
    RunItem,
    RunState,
    SyncInputs,
    SyncState,
    kept_input,
    noted_digest,
)
from caribou.model.run.text import storable
from caribou.runtime.ports import Ports
from caribou.runtime.testing.limits import MAX_OBJECT_KEY_BYTES, check_item, check_key, check_message

_EVENTS_A_CALL = 10


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
        check_message(message)
        with self._lock:
            self._messages.append(Message(region, function, message))

    def take(self) -> tuple[Message, ...]:
        """The messages published since the last time, in an order that does not depend on threads."""
        with self._lock:
            taken, self._messages = self._messages, []
        return tuple(sorted(taken, key=lambda message: (message.region, message.function, message.text)))


class InMemoryClaims:
    """The claims of all regions."""

    def __init__(self, unreachable: set[str] | None = None) -> None:
        self._unreachable = set() if unreachable is None else unreachable
        self._lock = Lock()
        self._owners: dict[tuple[str, str, str], tuple[str, int, int]] = {}
        self._codes: dict[tuple[str, str, str], str] = {}
        self._stopped: set[tuple[str, str, str]] = set()

    def claim(self, region: str, run_id: str, node: str, owner: str, attempt: int, *, code: str = "") -> int | None:
        """Claim a node of a run for a delivery."""
        check_item(f"{run_id}#{node}", "claim", (owner, code), (attempt,))
        with self._lock:
            if (region, run_id, node) in self._stopped:
                return None
            holder, held, tries = self._owners.get((region, run_id, node), (owner, attempt, 0))
            if holder != owner and held >= attempt:
                return None
            tries = tries + 1 if held == attempt else 1
            self._owners[region, run_id, node] = (owner, attempt, tries)
            self._codes[region, run_id, node] = code
            return tries

    def stop(self, region: str, run_id: str, node: str) -> None:
        """Let nobody claim a node of a run any more."""
        _reach(region, self._unreachable)
        with self._lock:
            self._stopped.add((region, run_id, node))

    def claimed(self, region: str, run_id: str, node: str) -> Claim | None:
        """The node's claim."""
        _reach(region, self._unreachable)
        with self._lock:
            key = (region, run_id, node)
            return Claim(self._owners[key][1], self._codes[key]) if key in self._owners else None


class InMemorySyncStore:
    """The sync state of all regions."""

    def __init__(self, unreachable: set[str] | None = None) -> None:
        self._unreachable = set() if unreachable is None else unreachable
        self._lock = Lock()
        self._inputs: dict[tuple[str, str, str], SyncInputs] = {}

    def put_payload(self, region: str, run_id: str, node: str, edge: str, payload: StoredPayload) -> None:
        """Keep an edge's payload, unless it has one."""
        _reach(region, self._unreachable)
        check_item(f"{run_id}#{node}", f"edge#{edge}", (payload.text or "", repr(payload.pointer)))
        with self._lock:
            inputs = self._inputs.get((region, run_id, node), SyncInputs())
            kept = {edge: payload, **inputs.payloads}
            self._inputs[region, run_id, node] = replace(inputs, payloads=kept)

    def report(self, region: str, run_id: str, node: str, edge: str, *, taken: bool) -> SyncState:
        """Note that an edge has reported, unless it has; the state after that."""
        _reach(region, self._unreachable)
        check_item(f"{run_id}#{node}", "state", (edge,))
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
        _reach(region, self._unreachable)
        with self._lock:
            return self._inputs.get((region, run_id, node), SyncInputs())


class InMemoryRunStore:
    """Run items; `items` has them by run id."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listed: set[str] = set()
        self.items: dict[str, RunItem] = {}

    def begin(
        self, run: Run, leaves: frozenset[str], begun_by: str | None = None, payload: StoredPayload | None = None
    ) -> RunItem:
        """Keep the run, unless there is one; the run as kept."""
        with self._lock:
            if run.run_id not in self.items:
                kept = kept_input(run, leaves, payload)
                digest = noted_digest(run, leaves, payload)
                item = RunItem(run, leaves, begun_by=begun_by, input=kept, input_digest=digest)
                self.items[run.run_id] = _checked(item)
                self._listed.add(run.run_id)
            return self.items[run.run_id]

    def end_leaves(
        self, run_id: str, leaves: tuple[str, ...], results: Mapping[str, str] = NO_RESULTS
    ) -> frozenset[str]:
        """Note that leaves have ended."""
        with self._lock:
            if run_id not in self.items:
                raise UnknownRunError(run_id)
            item = self.items[run_id]
            ended, kept = item.ended | set(leaves), {**item.results, **results}
            self.items[run_id] = _checked(replace(item, ended=ended, results=kept))
            return ended

    def succeed(self, run_id: str, at: float) -> None:
        """End a run well."""
        if self._change(run_id, (RunState.RUNNING, RunState.FAILED), state=RunState.SUCCEEDED, ended_at=at):
            self._listed.discard(run_id)

    def fail(self, run_id: str, at: float, node: str, error: str) -> None:
        """End an open run with what failed."""
        said = {"state": RunState.FAILED, "ended_at": at, "failed_node": node, "error": storable(error)}
        self._change(run_id, (RunState.RUNNING,), **said)

    def expire(self, run_id: str, at: float) -> None:
        """End an open run that is past its deadline."""
        if (item := self.items.get(run_id)) and item.run.deadline <= at:
            self._change(run_id, (RunState.RUNNING,), state=RunState.EXPIRED, ended_at=at)

    def cancel(self, run_id: str, at: float) -> None:
        """End an open run for good."""
        self._change(run_id, (RunState.RUNNING,), state=RunState.CANCELLED, ended_at=at)

    def halt(self, run_id: str, at: float) -> None:
        """End an open run as its deadline would."""
        self._change(run_id, (RunState.RUNNING,), state=RunState.EXPIRED, ended_at=at)

    def reopen(self, run_id: str, deadline: float, regions: Mapping[str, str] | None = None) -> None:
        """Go on with a run that had ended badly."""
        item = self.items.get(run_id)
        if item is None:
            return
        run = replace(item.run, deadline=deadline, regions=item.run.regions if regions is None else dict(regions))
        if self._change(run_id, (RunState.FAILED, RunState.EXPIRED), state=RunState.RUNNING, run=run):
            self._listed.add(run_id)

    def notified(self, run_id: str, ended_at: float) -> None:
        """Note of which end an event was sent."""
        if (item := self.items.get(run_id)) and item.ended_at == ended_at:
            self._change(run_id, (RunState.FAILED, RunState.EXPIRED), notified_end=ended_at)

    def close(self, run_id: str) -> None:
        """Take a run off the list."""
        with self._lock:
            item = self.items.get(run_id)
            if item is None:
                return
            if item.state is RunState.CANCELLED or (item.has_ended_badly and item.is_notified):
                self._listed.discard(run_id)

    def get(self, run_id: str) -> RunItem | None:
        """The item, or None."""
        return self.items.get(run_id)

    def listed(self) -> Listed:
        """The list."""
        return Listed(tuple(self.items[run_id] for run_id in sorted(self._listed)))

    def _change(self, run_id: str, before: tuple[RunState, ...], **said: Any) -> bool:  # noqa: ANN401
        with self._lock:
            if run_id not in self.items or self.items[run_id].state not in before:
                return False
            self.items[run_id] = _checked(replace(self.items[run_id], **said))
            return True


class InMemoryFailures:
    """The failure queues; whoever plays Lambda puts events into them."""

    def __init__(self, unreachable: set[str] | None = None) -> None:
        self._unreachable = set() if unreachable is None else unreachable
        self._lock = Lock()
        self._events: dict[str, FailedEvent] = {}
        self._hidden: set[str] = set()

    def put(self, event: FailedEvent) -> None:
        """Lambda gives an event up."""
        with self._lock:
            self._events[event.handle] = event

    def show(self) -> None:
        """What was received and not deleted can be received again."""
        with self._lock:
            self._hidden.clear()

    @property
    def events(self) -> tuple[FailedEvent, ...]:
        """All events, hidden ones too."""
        return tuple(self._events.values())

    def receive(self, region: str, function: str) -> tuple[FailedEvent, ...]:
        """Some of what is not hidden."""
        _reach(region, self._unreachable)
        with self._lock:
            there = (
                event
                for event in self._events.values()
                if (event.region, event.function) == (region, function) and event.handle not in self._hidden
            )
            found = tuple(islice(there, _EVENTS_A_CALL))
            self._hidden.update(event.handle for event in found)
            return found

    def set_aside(self, event: FailedEvent) -> None:
        """It stays hidden until `show`."""

    def delete(self, event: FailedEvent) -> None:
        """Take an event out."""
        with self._lock:
            self._events.pop(event.handle, None)
            self._hidden.discard(event.handle)


class InMemoryParking:
    """Parked messages."""

    def __init__(self) -> None:
        self._parked: dict[tuple[str, str], Parked] = {}

    def park(self, parked: Parked) -> None:
        """Keep a message, unless the node has one of the same or a later attempt."""
        key = parked.run_id, parked.node
        check_item(f"{parked.run_id}#", parked.node, (parked.message, parked.reason), (parked.attempt,))
        if key not in self._parked or self._parked[key].attempt < parked.attempt:
            self._parked[key] = parked

    def parked(self, run_id: str) -> tuple[Parked, ...]:
        """The messages of a run."""
        return tuple(self._parked[key] for key in sorted(self._parked) if key[0] == run_id)

    def unpark(self, parked: Parked) -> None:
        """Forget a message; one of another attempt stays."""
        key = parked.run_id, parked.node
        if key in self._parked and self._parked[key].attempt == parked.attempt:
            del self._parked[key]


class InMemoryPayloadStore:
    """The payload buckets of all regions; `objects` has the texts by bucket and key."""

    def __init__(self, unreachable: set[str] | None = None) -> None:
        self._unreachable = set() if unreachable is None else unreachable
        self._lock = Lock()
        self.objects: dict[tuple[str, str], str] = {}

    def put(self, region: str, key: str, text: str) -> Pointer:
        """Keep a payload; raises UnreachableError if the region is unreachable."""
        _reach(region, self._unreachable)
        check_key(key, MAX_OBJECT_KEY_BYTES)
        bucket, body = _bucket(region), text.encode()
        with self._lock:
            self.objects[bucket, key] = text
        return Pointer(region, bucket, key, hashlib.sha256(body).hexdigest(), len(body))

    def get(self, pointer: Pointer) -> str:
        """Get a payload.

        Raises InvalidEnvelopeError for another bucket than the region's, if it is gone, and for another digest or size.
        """
        if pointer.bucket != _bucket(pointer.region):
            raise InvalidEnvelopeError(f"{pointer.bucket} keeps no payloads of this workflow in {pointer.region}")
        with self._lock:
            text = self.objects.get((pointer.bucket, pointer.key))
        if text is None:
            raise InvalidEnvelopeError(f"The payload at {pointer.bucket}/{pointer.key} is gone")
        if (hashlib.sha256(text.encode()).hexdigest(), len(text.encode())) != (pointer.sha256, pointer.size_bytes):
            raise InvalidEnvelopeError(f"The payload at {pointer.bucket}/{pointer.key} is not the one that was sent")
        return text


def _bucket(region: str) -> str:
    return f"payloads-{region}"


class InMemoryNotifier:
    """Keeps what it was given: each end by itself, in `ends`."""

    def __init__(self) -> None:
        self.ends: list[RunItem] = []

    def notify(self, ended: Sequence[RunItem]) -> tuple[RunItem, ...]:
        """Keep them."""
        self.ends += ended
        return tuple(ended)


class InMemoryMetrics:
    """Keeps what was put; `values` has it in order."""

    def __init__(self) -> None:
        self.values: list[tuple[HealthMetric, float]] = []

    def put(self, values: Mapping[HealthMetric, float]) -> None:
        """Keep them."""
        self.values += values.items()


class InMemoryCloud:
    """What is outside a function's process. Regions in `unreachable` take neither messages nor payloads."""

    def __init__(self, now_s: float | None = None) -> None:
        self.unreachable: set[str] = set()
        self.clock = InMemoryClock(now_s)
        self.bus = InMemoryBus(self.unreachable)
        self.syncs = InMemorySyncStore(self.unreachable)
        self.runs = InMemoryRunStore()
        self.payloads = InMemoryPayloadStore(self.unreachable)
        self.failures = InMemoryFailures(self.unreachable)
        self.parking = InMemoryParking()
        self.claims = InMemoryClaims(self.unreachable)
        self.notifier = InMemoryNotifier()
        self.metrics = InMemoryMetrics()

    def ports(self, region: str) -> Ports:
        """The ports of a function in a region: the same everywhere, since each port reaches all regions."""
        del region
        return Ports(
            bus=self.bus,
            claims=self.claims,
            syncs=self.syncs,
            runs=self.runs,
            payloads=self.payloads,
            clock=self.clock,
            failures=self.failures,
            parking=self.parking,
            notifier=self.notifier,
            metrics=self.metrics,
        )


def _checked(item: RunItem) -> RunItem:
    """The item, if DynamoDB would keep it."""
    run, leaves = item.run, [*item.leaves, *item.ended]
    texts = (run.workflow_version, run.graph, run.placement, *run.regions, *run.regions.values(), *leaves)
    said = (item.failed_node or "", item.error or "", *item.results, *item.results.values())
    check_item(run.run_id, None, (*texts, *said), (run.started_at, run.deadline, item.ended_at or 0))
    return item


def _reach(region: str, unreachable: set[str]) -> None:
    if region in unreachable:
        raise UnreachableError(f"{region} is unreachable")
