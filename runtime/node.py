"""From a function's event to an ended node: start a run, or run the node that an envelope names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property, partial
from typing import Any, NamedTuple

from caribou.model.errors import InvalidEnvelopeError, UnreachableError
from caribou.model.placement import Placement
from caribou.model.run import payload as payloads
from caribou.model.run.code import code_note
from caribou.model.run.envelope import Envelope, Run, Start, StoredPayload
from caribou.model.run.item import RunState, SyncInputs
from caribou.model.run.record import RunRecord, SuccessorRecord
from caribou.model.run.text import error_text
from caribou.runtime.event import Delivery, message_of, start_of
from caribou.runtime.execution import Execution, threads, wants_metadata
from caribou.runtime.external import Exchanges, exchanged
from caribou.runtime.outbox import Outbox
from caribou.runtime.placement import new_run
from caribou.runtime.ports import Ports
from caribou.runtime.programming_model import running
from caribou.runtime.settings import Settings
from caribou.runtime.starts import sendable
from caribou.runtime.startup import NO_STARTUP, Startup, cpu_s

MAX_ATTEMPTS = 3
"""An asynchronous invocation and its two retries: what Lambda gives at most."""


class Answer(StrEnum):
    """What became of a delivery, for callers that invoke a function directly."""

    ACCEPTED = "accepted"
    """A start that was handed to the topic."""
    FORWARDED = "forwarded"
    """A start that was sent on to where the entry node is placed."""
    RAN = "ran"
    DUPLICATE = "duplicate"
    """Another delivery owns the node, another start has begun a run of this name, or the run was cancelled."""
    CANCELLED = "cancelled"
    """The run was cancelled before this start of it came."""
    EARLY = "early"
    """Not all edges of a sync node have reported."""


class Meter(NamedTuple):
    """What the meters said when an execution began: the clock, this process's CPU time, user code's exchanges."""

    started_at: float
    cpu_started_s: float
    external_started: Exchanges


@dataclass(frozen=True)
class NodeRunner:
    """Runs the nodes of one function in one process."""

    settings: Settings
    ports: Ports
    placement: Placement
    user_function: Callable[..., Any]
    memory_mb: int
    emit: Callable[[RunRecord], None]
    exchanges: Callable[[], Exchanges]
    startup: Startup = NO_STARTUP
    pool: Callable[[], Executor] = threads

    def handle(self, delivery: Delivery, *, cold_start: bool) -> Mapping[str, str]:
        """Do what a delivery asks for; which run it was, and what became of it."""
        if not delivery.from_topic:
            self._refuse_elsewhere()
            return self._accept(start_of(delivery.content, delivery.id))
        message = message_of(delivery.content, delivery.id)
        if isinstance(message, Envelope):
            return self._receive(message, delivery, cold_start=cold_start)
        self._refuse_elsewhere()
        return self._start(message, delivery, cold_start=cold_start)

    def _refuse_elsewhere(self) -> None:
        entry = self.settings.graph.entry
        if entry.function != self.settings.function or self.settings.region != self.settings.home_region:
            raise InvalidEnvelopeError(f"A run of {self.settings.graph.workflow} starts at its home entry only")

    def _accept(self, start: Start) -> Mapping[str, str]:
        """Hand a start that came past the topic to the topic: from there on, Lambda's retries and queues hold it."""
        message = sendable(start, self.settings, self.ports).to_text()
        self.ports.bus.publish(self.settings.home_region, self.settings.function, message)
        return {"run_id": start.run_id or "", "state": Answer.ACCEPTED}

    def _start(self, start: Start, delivery: Delivery, *, cold_start: bool) -> Mapping[str, str]:
        graph, meter = self.settings.graph, self._meter()
        wished = new_run(start.run_id or "", meter.started_at, self.placement, self.settings)
        stored = StoredPayload(start.payload, start.pointer)
        item = self.ports.runs.begin(wished, frozenset(graph.leaves), start.message_id, stored)
        run = item.run
        if not item.is_of(start):
            return _answer(run, Answer.DUPLICATE)
        if item.state is RunState.CANCELLED:  # else an entry that claims nothing would run
            return _answer(run, Answer.CANCELLED)
        entry = graph.entry.name
        envelope = Envelope(
            run=run,
            node=entry,
            edge=None,
            inputs=graph.inputs_digest(entry),
            hop=0,
            sent_at=meter.started_at,
            payload=start.payload,
            pointer=start.pointer,
            attempt=start.attempt,
        )
        if run.region_of(entry, self.settings.home_region) == self.settings.home_region:
            return self._run(envelope, delivery, meter, cold_start=cold_start)
        Outbox(run, 0, self.settings, self.ports).forward(self.ports.text_of(envelope.stored))
        self._record(envelope, meter, _Ended(attempt=1, cold_start=cold_start, redirect=True))
        return _answer(run, Answer.FORWARDED)

    def _receive(self, envelope: Envelope, delivery: Delivery, *, cold_start: bool) -> Mapping[str, str]:
        graph, run = self.settings.graph, envelope.run
        if not graph.has_node(envelope.node) or graph.node(envelope.node).function != self.settings.function:
            raise InvalidEnvelopeError(f"{self.settings.function} has no node {envelope.node} (run {run.run_id})")
        if envelope.inputs != graph.inputs_digest(envelope.node):
            raise InvalidEnvelopeError(
                f"{envelope.node} has other predecessors in version {graph.version} than in {run.workflow_version}, "
                f"which run {run.run_id} began with"
            )
        if envelope.hop > self.settings.hop_limit:
            raise InvalidEnvelopeError(f"Run {run.run_id} made {envelope.hop} hops: more than its graph has")
        return self._run(envelope, delivery, self._meter(), cold_start=cold_start)

    def _run(self, envelope: Envelope, delivery: Delivery, meter: Meter, *, cold_start: bool) -> Mapping[str, str]:
        run = envelope.run
        inputs = self._inputs(envelope)
        if inputs is not None and not self._may_run(envelope, inputs):
            return _answer(run, Answer.EARLY)
        tries = self._claim(envelope, delivery.request_id)
        if tries is None:
            return _answer(run, Answer.DUPLICATE)
        attempt = envelope.attempt * MAX_ATTEMPTS + tries
        outbox = Outbox(run, envelope.hop, self.settings, self.ports)
        with Execution(envelope.node, outbox, meter.started_at, self.pool, inputs) as execution:
            try:
                with running(execution):
                    returned = self._call(payloads.received(self.ports.text_of(envelope.stored)), execution)
                successors = execution.finish(returned)
            except Exception as error:
                failed = _Ended(
                    attempt,
                    cold_start,
                    successors=execution.handed_over(),
                    error=error_text(error),
                    joined_bytes=execution.joined_bytes,
                )
                self._record(envelope, meter, failed)
                if tries >= MAX_ATTEMPTS and not isinstance(error, UnreachableError):
                    with suppress(Exception):  # what user code raised is what Lambda and the sweeper must see
                        self.ports.runs.fail(run.run_id, self.ports.clock.now(), envelope.node, error_text(error))
                raise
        ended = _Ended(
            attempt,
            cold_start,
            successors=successors,
            joined_bytes=execution.joined_bytes,
            result_bytes=execution.result_bytes,
        )
        self._record(envelope, meter, ended)
        return _answer(run, Answer.RAN)

    def _inputs(self, envelope: Envelope) -> SyncInputs | None:
        """What a sync node's edges have left for it, which user code asks for in a moment; None for a plain node."""
        if not self.settings.graph.node(envelope.node).sync:
            return None
        region = envelope.run.region_of(envelope.node, self.settings.home_region)
        return self.ports.syncs.read(region, envelope.run.run_id, envelope.node)

    def _may_run(self, envelope: Envelope, inputs: SyncInputs) -> bool:
        """Whether all edges have reported, by the sync node's own state: nobody's word is taken for it.

        If not, somebody else than the last edge has sent this, and that one will send its own. But what is sent again
        was complete once: its state is gone, with its region say, and nobody waits for it. Raises InvalidEnvelopeError.
        """
        edges, reported = self.settings.graph.in_edges(envelope.node), inputs.state.reported()
        if not edges or (inputs.state.taken and reported >= len(edges)):
            return True
        if envelope.attempt == 0:
            return False
        raise InvalidEnvelopeError(
            f"{envelope.node} is sent again, but its state has {reported} of {len(edges)} reports (run "
            f"{envelope.run.run_id}): what its predecessors had sent is gone, so the run can't go on"
        )

    def _call(self, event: Any, execution: Execution) -> Any:  # noqa: ANN401 - user code takes and returns anything
        if self._wants_metadata:
            return self.user_function(event, execution.metadata())
        return self.user_function(event)

    @cached_property
    def _wants_metadata(self) -> bool:
        return wants_metadata(self.user_function)

    def _claim(self, envelope: Envelope, owner: str) -> int | None:
        """The tries of this delivery, or None if another owns the node. A sync node is always claimed."""
        if not self.settings.runs.deduplicate and not self.settings.graph.node(envelope.node).sync:
            return 1
        region = envelope.run.region_of(envelope.node, self.settings.home_region)
        run_id, node = envelope.run.run_id, envelope.node
        return self.ports.claims.claim(region, run_id, node, owner, envelope.attempt, code=self._code_of(node))

    @cached_property
    def _code_of(self) -> Callable[[str], str]:
        """The note of a node's code, made once a process."""
        return cache(partial(code_note, self.settings.graph))

    def _meter(self) -> Meter:
        return Meter(self.ports.clock.now(), cpu_s(), self.exchanges())

    def _record(self, envelope: Envelope, meter: Meter, outcome: _Ended) -> None:
        run, arrived = envelope.run, envelope.hop > 0
        payload = envelope.stored
        self.emit(
            RunRecord(
                run_id=run.run_id,
                workflow=self.settings.graph.workflow,
                workflow_version=run.workflow_version,
                node=envelope.node,
                function=self.settings.function,
                region=self.settings.region,
                placement=run.placement,
                attempt=outcome.attempt,
                cold_start=outcome.cold_start,
                started_at=meter.started_at,
                duration_s=self.ports.clock.now() - meter.started_at,
                cpu_s=cpu_s() - meter.cpu_started_s,
                memory_mb=self.memory_mb,
                bytes_in=payload.size_bytes + outcome.joined_bytes,
                bytes_out=sum(successor.payload_bytes for successor in outcome.successors),
                external=exchanged({} if outcome.cold_start else meter.external_started, self.exchanges()),
                edge=envelope.edge,
                sent_at=envelope.sent_at if arrived else None,
                redirect=outcome.redirect,
                stays_home=run.stays_home,
                error=outcome.error,
                successors=outcome.successors,
                result_bytes=outcome.result_bytes,
                **(self.startup._asdict() if outcome.cold_start else {}),
            )
        )


class _Ended(NamedTuple):
    """How an execution ended."""

    attempt: int
    cold_start: bool
    redirect: bool = False
    successors: tuple[SuccessorRecord, ...] = ()
    error: str | None = None
    joined_bytes: int = 0
    result_bytes: int | None = None


def _answer(run: Run, state: Answer) -> Mapping[str, str]:
    return {"run_id": run.run_id, "state": state}
