"""Runs of a workflow, from outside: start one, follow it by its run item, and trace what became of its nodes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from caribou.collectors.logs import CloudWatchLogReader
from caribou.control.aws import Aws
from caribou.control.runs.evidence import Listing, RunFacts, Wanted, recent_runs
from caribou.control.runs.trace import Evidence, Trace, trace_of
from caribou.model.errors import InvalidInputError, OperationFailedError, UnreachableError
from caribou.model.graph import Graph
from caribou.model.manifest import Manifest
from caribou.model.names import WorkflowNames
from caribou.model.run import payload as payloads
from caribou.model.run.envelope import Start, StoredPayload, event_bytes
from caribou.model.run.item import RunItem, RunState
from caribou.runtime.aws import S3PayloadStore
from caribou.runtime.clients import Clients
from caribou.runtime.run_items import DynamoRunStore
from caribou.runtime.sync_items import DynamoParking

__all__ = ["RunItem", "RunState", "Runs"]

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_NAME_LENGTH = 80
_SETTLE_POLL_S = 0.5
_NO_ANSWER = (ClientError, BotoCoreError, UnreachableError)


@dataclass(frozen=True)
class Runs:
    """The runs of a deployed workflow, at one stage of an account."""

    graph: Graph
    manifest: Manifest
    stage: str
    account: str
    _clients: Clients = field(default_factory=Clients, repr=False, compare=False)

    @property
    def names(self) -> WorkflowNames:
        """The fixed names of the workflow's resources."""
        return WorkflowNames(self.graph.workflow, self.stage)

    def start(self, payload: Any, run_id: str | None = None) -> str:  # noqa: ANN401 - any JSON value or bytes
        """Start a run with a payload, under a name of the client's or a new one; the run's id.

        A name that a run has already is that run: nothing new starts. Raises InvalidInputError for a name that is
        not made of letters, digits, `_`, `.` and `-`, OperationFailedError if the workflow is not deployed, or AWS
        does not take the run or its large payload.
        """
        run_id = uuid.uuid4().hex if run_id is None else _checked(run_id)
        home = self.manifest.home_region
        topic = f"arn:aws:sns:{home}:{self.account}:{self.names.topic(self.graph.entry.function)}"
        text = payloads.encode(payload)
        try:
            self._clients.sns(home).publish(TopicArn=topic, Message=self._start(run_id, text).to_text())
        except _NO_ANSWER as error:
            raise self._not_deployed(error) from error
        return run_id

    def state(self, run_id: str) -> RunItem | None:
        """How a run stands; None if it has not begun."""
        store = DynamoRunStore(self._clients, self.names.run_table, self.manifest.home_region)
        try:
            return store.get(run_id)
        except _NO_ANSWER as error:
            raise self._not_deployed(error) from error

    def follow(self, run_id: str, *, limit_s: float, poll_s: float = 0.2) -> Iterator[RunItem]:
        """The run's state, again and again until it has ended. Raises OperationFailedError after `limit_s` seconds."""
        give_up = time.monotonic() + limit_s
        while time.monotonic() < give_up:
            state = self.state(run_id)
            if state is not None:
                yield state
                if state.state is not RunState.RUNNING:
                    return
            time.sleep(poll_s)
        raise OperationFailedError(
            f"Run {run_id} did not end in {limit_s:.0f} s. Its functions' logs say more: "
            f"{self.names.log_group(self.graph.entry.function)} in {self.manifest.home_region} is the first"
        )

    def wait(self, run_id: str, *, limit_s: float) -> RunItem:
        """The state in which a run ended."""
        *_, last = self.follow(run_id, limit_s=limit_s)
        return last

    def recent(self, wanted: Wanted) -> Listing:
        """The newest runs. Raises OperationFailedError if the workflow is not deployed."""
        try:
            return recent_runs(self._clients.dynamodb(self.manifest.home_region), self.names.run_table, wanted)
        except _NO_ANSWER as error:
            raise self._not_deployed(error) from error

    def trace(self, item: RunItem, *, settle_s: float = 0.0) -> Trace:
        """What became of a run's nodes; of one that has ended, waits so long for records that are on their way."""
        return trace_of(self.evidence(item, settle_s=settle_s))

    def evidence(self, item: RunItem, *, settle_s: float = 0.0) -> Evidence:
        """What is known of a run; of one that has ended, waits so long for records that are on their way."""
        home, give_up = self.manifest.home_region, time.monotonic() + settle_s
        parking = DynamoParking(self._clients, self.names.sync_table, home)
        with Aws() as aws:
            facts = RunFacts(aws, self.graph, self.names, home, CloudWatchLogReader())
            while True:
                parked = parking.parked(item.run.run_id)
                evidence = facts.evidence(item, parked, time.time())
                if trace_of(evidence).is_settled or time.monotonic() > give_up:
                    return evidence
                time.sleep(_SETTLE_POLL_S)

    def _start(self, run_id: str, text: str) -> Start:
        start = Start(run_id, text)
        if event_bytes(start.to_text()) <= self.manifest.runs.message_limit_bytes:
            return start
        store = S3PayloadStore(self._clients, self.names, self.account)
        stored = StoredPayload(pointer=store.put(self.manifest.home_region, f"{run_id}/start", text))
        return Start(run_id, None, stored.pointer)

    def _not_deployed(self, error: Exception) -> OperationFailedError:
        name, home = self.graph.workflow, self.manifest.home_region
        return OperationFailedError(f"{name} does not answer in {home} ({error}). To deploy it: caribou deploy {name}")


def _checked(run_id: str) -> str:
    if not run_id or len(run_id) > _NAME_LENGTH or not set(run_id) <= _NAME_CHARACTERS:
        raise InvalidInputError(
            "is no name for a run",
            where="--name",
            found=run_id,
            fix=f"use up to {_NAME_LENGTH} letters, digits, `_`, `.` and `-`",
        )
    return run_id
