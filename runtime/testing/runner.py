"""A runner that plays a whole workflow in one process, on the ports in memory."""

from __future__ import annotations

import functools
import importlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from caribou.model.errors import InvalidWorkflowError
from caribou.model.graph import Graph
from caribou.model.placement import Placement
from caribou.model.run import payload as payloads
from caribou.model.run.envelope import Envelope, Run, Start, parse_message
from caribou.model.run.item import FailedEvent, RunState
from caribou.model.run.record import RunRecord
from caribou.model.run_settings import RunSettings
from caribou.model.source.derive import derive_graph
from caribou.runtime.event import unpack
from caribou.runtime.node import MAX_ATTEMPTS, Answer, NodeRunner
from caribou.runtime.settings import Settings
from caribou.runtime.testing.memory import InMemoryCloud, Message

_ACCOUNT = "000000000000"
_HOME_REGION = "us-east-1"
_MEMORY_MB = 1769
_DEFAULT = RunSettings()


@dataclass(frozen=True, slots=True)
class Disorder:
    """What the bus does to messages; the same seed does the same.

    Each comes a second time with the probability `duplicates`, and they come in any order if `shuffled`.
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
    state: RunState
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
    functions: Mapping[str, Callable[..., Any]]
    placement: Placement | None = None
    home_region: str = _HOME_REGION
    home_share: float = 0.0
    message_limit_bytes: int = _DEFAULT.message_limit_bytes
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
                exchanges=dict,
            )
        return self._runners[key]

    def _settings(self, function: str, region: str) -> Settings:
        return Settings(
            graph=self.graph,
            function=function,
            home_region=self.home_region,
            region=region,
            stage="test",
            runs=replace(_DEFAULT, home_share=self.home_share, message_limit_bytes=self.message_limit_bytes),
        )

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*arguments: object) -> object:
            try:
                self._returned = function(*arguments)
            except SystemExit as error:  # it ends the function's process, not that of the test
                raise RuntimeError(f"the function ended its process with {error.code}: Runtime.ExitError") from error
            return self._returned

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
        names = runner.settings.names
        event = invocation.event(names.topic(message.function))
        delivery = unpack(event, names=names, function=message.function, request_id=invocation.request_id)
        run_id, node = self._meant(message, invocation.message_id)
        try:
            answer = runner.handle(delivery, cold_start=cold_start)
        except Exception as error:  # noqa: BLE001 - Lambda's edge: whatever it is, it is tried again
            self._errors.setdefault(run_id, []).append(error)
            if invocation.attempt < MAX_ATTEMPTS:
                return [replace(invocation, attempt=invocation.attempt + 1)]
            self.cloud.failures.put(_failed(invocation, error))
            return []
        if answer["state"] == Answer.RAN:
            self._outputs[run_id, node] = self._returned
        return []

    def _meant(self, message: Message, message_id: str) -> tuple[str, str]:
        """The run and the node that a message is for."""
        parsed = parse_message(json.loads(message.text))
        if isinstance(parsed, Envelope):
            return parsed.run.run_id, parsed.node
        return (parsed.run_id if parsed else None) or message_id, self.graph.entry.name


def _failed(invocation: _Invocation, error: Exception) -> FailedEvent:
    message = invocation.message
    return FailedEvent(
        region=message.region,
        function=message.function,
        message=message.text,
        message_id=invocation.message_id,
        error_type=type(error).__name__,
        error=_text(error),
        handle=invocation.request_id,
    )


def _text(error: Exception) -> str:
    """What an exception says, if it can say anything."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - user code's own method
        return type(error).__name__


def run_folder(folder: Path, payload: object, *, placement: Placement | None = None) -> RunResult:
    """Run the workflow in a folder once, from its source: the graph is read, the functions are imported and called.

    The manifest plays no part: a test sets the environment variables that its functions want. `placement` None means
    that every node is at home. Raises InvalidWorkflowError if the graph can't be read.
    """
    graph = derive_graph(folder)
    home_region = placement.home_region if placement else _HOME_REGION
    functions = load_functions(folder, graph)
    return run_workflow(graph, functions, payload, placement=placement, home_region=home_region)


def run_workflow(
    graph: Graph,
    functions: Mapping[str, Callable[..., Any]],
    payload: object,
    *,
    placement: Placement | None = None,
    home_region: str = _HOME_REGION,
) -> RunResult:
    """Run a workflow once, from the start to its last message. `placement` None means that every node is at home."""
    return LocalRunner(graph, functions, placement=placement, home_region=home_region).run(payload)


def load_functions(folder: Path, graph: Graph) -> Mapping[str, Callable[..., Any]]:
    """The functions of the workflow in a folder, by their registered names; its modules are imported afresh.

    The modules are not left in `sys.modules`, where two workflows' `app` would meet. They are there while a function
    runs, so that it may import at that moment what it alone needs. Raises InvalidWorkflowError if they end it.
    """
    modules = _Modules(folder)
    try:
        with modules.importable():
            importlib.import_module("app")  # first, as in Lambda
            loaded = {function.module: importlib.import_module(function.module) for function in graph.functions}
    except SystemExit as error:
        raise InvalidWorkflowError(
            "ends the process when it is imported",
            where=str(folder / "app.py"),
            found=f"exit code {error.code}",
            fix='put what only a script does under `if __name__ == "__main__":`',
        ) from error
    return {f.name: modules.running(getattr(loaded[f.module], f.handler)) for f in graph.functions}


class _Modules:
    """The modules of a workflow's folder, kept apart from those of other workflows."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder.resolve())
        self._names = {entry.stem for entry in folder.iterdir() if entry.suffix == ".py" or entry.is_dir()}
        self._own: dict[str, ModuleType] = {}

    def running(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its folder importable while it runs."""

        @functools.wraps(function)
        def run(*arguments: object) -> object:
            with self.importable():
                return function(*arguments)

        return run

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Within it, the folder comes first on the path, and no other folder's modules are loaded in its place."""
        others = self._taken_out()
        sys.modules.update(self._own)
        sys.path.insert(0, self._path)
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path.remove(self._path)
            self._own = self._taken_out()
            sys.modules.update(others)

    def _taken_out(self) -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] in self._names]
        return {name: sys.modules.pop(name) for name in names}
