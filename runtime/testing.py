"""Workflows without a cloud: the ports in memory, and a runner that plays a whole workflow in one process.

    folder = Path("workflows/image_processing")
    graph = derive_graph(folder)
    result = run_workflow(graph, load_functions(folder, graph), {"image": "cat.jpg"})
    assert result.state == "SUCCEEDED"

The product's own code routes, joins and skips; only what is outside the process is replaced. For placements,
unreachable regions, and messages that come twice or in any order, make a `LocalRunner` yourself.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from caribou.model import payload as payloads
from caribou.model.envelope import Envelope, Pointer, Run, Start, parse_message
from caribou.model.errors import InvalidEnvelopeError
from caribou.model.graph import Graph
from caribou.model.placement import Placement
from caribou.model.record import RunRecord
from caribou.runtime.event import unpack
from caribou.runtime.node import MAX_ATTEMPTS, NodeRunner
from caribou.runtime.ports import Ports, StoredPayload, SyncInputs, SyncState, UnreachableError
from caribou.runtime.settings import Settings

_ACCOUNT = "000000000000"
_MEMORY_MB = 1769
_DAY_S = 24 * 3600

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


@dataclass(frozen=True, slots=True)
class Disorder:
    """What the bus does to messages: each comes a second time with the probability `duplicates`, in any order if
    `shuffled`. The same seed does the same.
    """

    seed: int = 0
    duplicates: float = 0.0
    shuffled: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of a run: its item's state, a record a node execution, and what went wrong.

    `outputs` has what each node's function returned, by node; the workflow itself makes no use of it.
    """

    run: Run
    state: State
    records: tuple[RunRecord, ...]
    outputs: Mapping[str, Any]
    errors: tuple[Exception, ...]
    failed_node: str | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that ran to their end, in that order."""
        return tuple(record.node for record in self.records if record.error is None and not record.redirect)

    def record(self, node: str) -> RunRecord:
        """The record of the node's last execution; KeyError if it did not run."""
        return {record.node: record for record in self.records if not record.redirect}[node]


@dataclass(frozen=True, slots=True)
class _Invocation:
    """One invocation that waits for its turn."""

    message: Message
    message_id: str
    request_id: str
    attempt: int = 1

    def event(self, topic: str) -> Mapping[str, Any]:
        arn = f"arn:aws:sns:{self.message.region}:{_ACCOUNT}:{topic}"
        return {"Records": [{"Sns": {"TopicArn": arn, "MessageId": self.message_id, "Message": self.message.text}}]}


@dataclass
class LocalRunner:
    """Runs a workflow in this process, one message after the other, each function in each region as if on its own.

    `functions` has the user's functions by their registered names. A function that fails is tried three times, as in
    Lambda. `home_share` is 0 by default, so that a placement is followed by every run.
    """

    graph: Graph
    functions: Mapping[str, Callable[[Any], Any]]
    placement: Placement | None = None
    home_region: str = "us-east-1"
    home_share: float = 0.0
    message_limit_bytes: int = 256 * 1024
    disorder: Disorder = field(default_factory=Disorder)
    cloud: InMemoryCloud = field(default_factory=InMemoryCloud)
    records: list[RunRecord] = field(default_factory=list, init=False)
    _runners: dict[tuple[str, str], NodeRunner] = field(default_factory=dict, init=False)
    _outputs: dict[tuple[str, str], Any] = field(default_factory=dict, init=False)
    _errors: dict[str, list[Exception]] = field(default_factory=dict, init=False)
    _returned: Any = field(default=None, init=False)
    _numbered: int = field(default=0, init=False)

    def run(self, payload: object, run_id: str = "run") -> RunResult:
        """Start a run and deliver messages until there are none."""
        self.start(payload, run_id)
        self.deliver_all()
        return self.result(run_id)

    def start(self, payload: object, run_id: str) -> None:
        """Send the message that starts a run."""
        start = Start(run_id, payloads.encode(payload))
        self.cloud.bus.publish(self.home_region, self.graph.entry.function, start.to_text())

    def deliver_all(self) -> None:
        """Deliver messages until there are none."""
        chance = random.Random(self.disorder.seed)  # noqa: S311 - for tests
        waiting = self._arrived()
        while waiting:
            invocation = waiting.pop(chance.randrange(len(waiting)) if self.disorder.shuffled else 0)
            waiting += self._invoked(invocation)
            if invocation.attempt == 1 and chance.random() < self.disorder.duplicates:
                copy = replace(invocation, request_id=self._new_id("request"), attempt=MAX_ATTEMPTS)
                waiting.append(copy)
            waiting += self._arrived()

    def result(self, run_id: str) -> RunResult:
        """What has become of a run so far; KeyError if it never began."""
        item = self.cloud.runs.items[run_id]
        return RunResult(
            run=item.run,
            state=item.state,
            records=tuple(record for record in self.records if record.run_id == run_id),
            outputs={node: value for (run, node), value in self._outputs.items() if run == run_id},
            errors=tuple(self._errors.get(run_id, ())),
            failed_node=item.failed_node,
        )

    def runner(self, function: str, region: str) -> NodeRunner:
        """The product's runner of a function in a region, made when it is first needed."""
        key = (function, region)
        if key not in self._runners:
            self._runners[key] = NodeRunner(
                settings=self._settings(function, region),
                ports=self.cloud.ports(region),
                placement=self.placement or Placement.at_home(self.graph, self.home_region),
                user_function=self._watched(self.functions[function]),
                memory_mb=_MEMORY_MB,
                emit=self.records.append,
                external_bytes=lambda: 0,
            )
        return self._runners[key]

    def _settings(self, function: str, region: str) -> Settings:
        return Settings(
            graph=self.graph,
            function=function,
            home_region=self.home_region,
            region=region,
            stage="test",
            home_share=self.home_share,
            message_limit_bytes=self.message_limit_bytes,
            run_deadline_s=_DAY_S,
        )

    def _watched(self, function: Callable[[Any], Any]) -> Callable[[Any], None]:
        def watched(payload: object) -> None:
            self._returned = function(payload)

        return watched

    def _arrived(self) -> list[_Invocation]:
        return [_Invocation(m, self._new_id("message"), self._new_id("request")) for m in self.cloud.bus.take()]

    def _new_id(self, kind: str) -> str:
        self._numbered += 1
        return f"{kind}-{self._numbered}"

    def _invoked(self, invocation: _Invocation) -> list[_Invocation]:
        """Invoke; if that fails, the attempts that are left."""
        message = invocation.message
        cold_start = (message.function, message.region) not in self._runners
        runner = self.runner(message.function, message.region)
        topic = runner.settings.names.topic(message.function)
        delivery = unpack(invocation.event(topic), topic=topic, request_id=invocation.request_id)
        run_id, node = self._meant(message, invocation.message_id)
        try:
            answer = runner.handle(delivery, cold_start=cold_start)
        except Exception as error:  # noqa: BLE001 - Lambda's edge: whatever it is, it is tried again
            self._errors.setdefault(run_id, []).append(error)
            return [replace(invocation, attempt=invocation.attempt + 1)] if invocation.attempt < MAX_ATTEMPTS else []
        if answer["state"] == "ran":
            self._outputs[run_id, node] = self._returned
        return []

    def _meant(self, message: Message, message_id: str) -> tuple[str, str]:
        """The run and the node that a message is for."""
        parsed = parse_message(json.loads(message.text))
        if isinstance(parsed, Envelope):
            return parsed.run.run_id, parsed.node
        return (parsed.run_id if parsed else None) or message_id, self.graph.entry.name


def run_workflow(
    graph: Graph,
    functions: Mapping[str, Callable[[Any], Any]],
    payload: object,
    *,
    placement: Placement | None = None,
    home_region: str = "us-east-1",
) -> RunResult:
    """Run a workflow once, from the start to its last message. `placement` None means that every node is at home."""
    return LocalRunner(graph, functions, placement=placement, home_region=home_region).run(payload)


def load_functions(folder: Path, graph: Graph) -> Mapping[str, Callable[[Any], Any]]:
    """The functions of the workflow in a folder, by their registered names; its modules are imported afresh.

    The modules are not left in `sys.modules`, where two workflows' `app` would meet; so an import that happens only
    while a function runs does not find them.
    """
    with _importing_from(folder):
        importlib.import_module("app")  # first, as in Lambda
        modules = {function.module: importlib.import_module(function.module) for function in graph.functions}
    return {function.name: getattr(modules[function.module], function.handler) for function in graph.functions}


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    path = str(folder.resolve())
    names = {entry.stem for entry in folder.iterdir() if entry.suffix == ".py" or entry.is_dir()}
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in names}
    sys.path.insert(0, path)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(path)
        for name in [name for name in sys.modules if name.partition(".")[0] in names]:
            del sys.modules[name]
        sys.modules.update(before)


def _reach(region: str, unreachable: set[str]) -> None:
    if region in unreachable:
        raise UnreachableError(f"{region} is unreachable")
