"""One execution of a node's function: what the programming model's calls refer to while user code runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from caribou.model.errors import InvalidWorkflowError
from caribou.model.graph import Edge, Graph
from caribou.model.run import payload as payloads
from caribou.model.run.item import SyncInputs
from caribou.model.run.record import Outcome, SuccessorRecord
from caribou.runtime.outbox import Handover, Outbox
from caribou.runtime.settings import Settings
from caribou.runtime.sync_node import SyncReports

_PARALLEL_SENDS = 8
MAX_RESULT_BYTES = 1024
"""Of a leaf. The run item, and its copy in the index of open runs, are written with it each time from then on."""
MAX_RESULTS_BYTES = 4096
"""Of all leaves of a run together."""
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S,%f%z"
_CPU_INFO = Path("/proc/cpuinfo")
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def threads() -> Executor:
    """What sends run on in Lambda."""
    return ThreadPoolExecutor(_PARALLEL_SENDS)


class Execution:
    """Counts the calls of user code, sends each as it comes, and knows at the end what became of every edge.

    Sends run beside user code on a few threads; `finish` waits for them and raises the first error, so that Lambda
    retries the whole node: what arrived twice is dropped by its receiver. The last edge waits until user code has
    returned, so that no run can succeed past a node whose user code fails after its last call. `joined_bytes` is
    the size of the payloads that the predecessors of a sync node left for it, once it has read them; `inputs` is what
    they left, None for a plain node. `result_bytes` is what a leaf's result takes in the run item, else None.
    """

    def __init__(
        self,
        node: str,
        outbox: Outbox,
        started_at: float,
        pool: Callable[[], Executor],
        inputs: SyncInputs | None = None,
    ) -> None:
        self.node = node
        self.run_id = outbox.run.run_id
        self._outbox = outbox
        self._graph: Graph = outbox.settings.graph
        self._reports = SyncReports(
            outbox.run, self._graph, outbox.settings.home_region, outbox.ports, fire=outbox.fire, end=outbox.end
        )
        self._started_at = started_at
        self._edges = self._graph.out_edges(node)
        self._sends: list[Future[SuccessorRecord]] = []
        self._last: Callable[[], SuccessorRecord] | None = None
        self._called = 0
        self._inputs = inputs
        self.joined_bytes = 0
        self.result_bytes: int | None = None
        self._pool = pool() if self._edges else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_sends()

    def call(self, function: str, payload: object, *, conditional: bool) -> None:
        """User code calls a function: the next edge, taken if the condition holds."""
        edge = self._next_edge(function)
        text = payloads.encode(payload) if conditional else None
        self._called += 1
        if self._called == len(self._edges):
            self._last = lambda: self._send(edge, text, self._offset_s())
            return
        offset_s = self._offset_s()
        self._submit(lambda: self._send(edge, text, offset_s))

    def predecessor_data(self) -> list[Any]:
        """The payloads of the taken edges into this sync node, in the order of the graph's edges."""
        if self._inputs is None:
            raise InvalidWorkflowError(
                "get_predecessor_data() is called in a node that is no sync node",
                where=self.node,
                fix="call it in the function's own body, where synth can see it",
            )
        ports, inputs = self._outbox.ports, self._inputs
        taken = [inputs.payloads[edge.id] for edge in self._graph.in_edges(self.node) if edge.id in inputs.state.taken]
        self.joined_bytes = sum(payload.size_bytes for payload in taken)
        return [payloads.received(ports.text_of(payload)) for payload in taken]

    def metadata(self) -> dict[str, Any]:
        """What the reference system gives user code of this execution."""
        return metadata_of(self._outbox.settings, self.run_id, self.node, self._started_at)

    def finish(self, returned: object = None) -> tuple[SuccessorRecord, ...]:
        """User code has returned: skip the edges it never came to, wait for all sends, end a leaf with its result."""
        if self._last is not None:
            self._submit(self._last)
        for edge in self._edges[self._called :]:
            self._submit(lambda edge=edge: self._send(edge, None, self._offset_s()))  # type: ignore[misc]
        successors = tuple(send.result() for send in self._sends)
        if not self._edges:
            result = self._result(returned)
            self._outbox.end((self.node,), result)
            self.result_bytes = sum(len(text.encode()) for text in result.values())
        return successors

    def handed_over(self) -> tuple[SuccessorRecord, ...]:
        """The successors that got something, for the record of an execution that failed; no others will."""
        self._end_sends()
        return tuple(send.result() for send in self._sends if not send.cancelled() and not send.exception())

    def _result(self, returned: object) -> dict[str, str]:
        """What a leaf has returned, to be kept with the run for people: nothing that is no payload, or large."""
        if returned is None:
            return {}
        text = payloads.encode_within(returned, min(MAX_RESULT_BYTES, MAX_RESULTS_BYTES // len(self._graph.leaves)))
        return {} if text is None else {self.node: text}

    def _next_edge(self, function: str) -> Edge:
        called = self._called
        if called < len(self._edges) and self._graph.node(self._edges[called].target).function == function:
            return self._edges[called]
        raise InvalidWorkflowError(
            f"call {called} of {self.node} is not the one that was deployed",
            where=self.node,
            found=function,
            fix="deploy the workflow again, so that its graph follows its source",
        )

    def _end_sends(self) -> None:
        """Wait for the sends that have begun, and drop the others."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, send: Callable[[], SuccessorRecord]) -> None:
        assert self._pool is not None
        self._sends.append(self._pool.submit(send))

    def _send(self, edge: Edge, text: str | None, offset_s: float) -> SuccessorRecord:
        """Send a payload along an edge, or skip the edge if there is none."""
        begun = self._now()
        handover = self._skip(edge) if text is None else self._hand_over(edge, text)
        return SuccessorRecord(
            edge=edge.id,
            node=edge.target,
            region=handover.region,
            outcome=handover.outcome,
            payload_bytes=0 if text is None else len(text.encode()),
            offset_s=offset_s,
            seconds=self._now() - begun,
            message_bytes=handover.message_bytes,
        )

    def _hand_over(self, edge: Edge, text: str) -> Handover:
        """By a message, or by a report if the target is a sync node."""
        if self._graph.node(edge.target).sync:
            return Handover(Outcome.JOINED, self._reports.join(edge, text))
        return self._outbox.send(edge, text)

    def _skip(self, edge: Edge) -> Handover:
        self._reports.skip(edge)
        return Handover(Outcome.SKIPPED, None)

    def _offset_s(self) -> float:
        return self._now() - self._started_at

    def _now(self) -> float:
        return self._outbox.ports.clock.now()


def metadata_of(settings: Settings, run_id: str, node: str, started_at: float) -> dict[str, Any]:
    """The execution of a node in the reference system's words; the node's name is ours."""
    return {
        "workflow_name": f"{settings.graph.workflow}-{settings.graph.version}",
        "run_id": run_id,
        "current_instance_name": node,
        "current_provider": "aws",
        "current_region": settings.region,
        "cpu_model": cpu_model(),
        "function_start_time": datetime.fromtimestamp(started_at, UTC).strftime(_TIME_FORMAT),
    }


def wants_metadata(function: Callable[..., Any]) -> bool:
    """Whether a function has a second parameter that must be given: its first versions got the metadata there."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a callable that Python can't look into
        return False
    return sum(p.kind in _BY_POSITION and p.default is p.empty for p in parameters) > 1


def cpu_model(path: Path = _CPU_INFO) -> str:
    """The processor's name as Linux has it; empty where it doesn't, as on arm64."""
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as lines:
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return ""
