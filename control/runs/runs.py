"""Runs of a workflow, from outside: start one, follow it by its run item, and trace what became of its nodes."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from caribou.collectors.logs import CloudWatchLogReader
from caribou.control.aws import Aws, aws_errors_as, error_code
from caribou.control.runs.archive import RecordArchive
from caribou.control.runs.evidence import Listing, RunFacts, Wanted, recent_runs
from caribou.control.runs.failure import FailureLog, failure_log
from caribou.control.runs.run_log import RunLines, RunLog
from caribou.control.runs.trace import Evidence, Trace, trace_of
from caribou.model.errors import InvalidInputError, NotDeployedError, OperationFailedError, UnreachableError
from caribou.model.graph import Graph
from caribou.model.manifest import Manifest
from caribou.model.names import WorkflowNames
from caribou.model.run import payload as payloads
from caribou.model.run.envelope import Start, StoredPayload, event_bytes
from caribou.model.run.item import RunItem, RunState, payload_digest
from caribou.model.run.publication import MAX_NAME_LENGTH, attributes_of, is_run_name, start_key
from caribou.model.run.text import escaped_json
from caribou.runtime.aws import S3PayloadStore
from caribou.runtime.clients import Clients
from caribou.runtime.run_items import DynamoRunStore
from caribou.runtime.sync_items import DynamoParking

__all__ = ["RunItem", "RunState", "Runs"]

_SETTLE_POLL_S = 0.5
_NO_ANSWER = (ClientError, BotoCoreError, UnreachableError)
_NOT_THERE = ("ResourceNotFoundException", "NotFound", "NotFoundException", "NoSuchBucket")
"""What DynamoDB says of a table, SNS of a topic, and S3 of a bucket that is not there."""


@dataclass(frozen=True)
class Runs:
    """The runs of a deployed workflow, at one stage of an account."""

    graph: Graph
    manifest: Manifest
    stage: str
    account: str
    _clients: Clients = field(default_factory=Clients, repr=False, compare=False)
    archive: RecordArchive | None = None

    @property
    def names(self) -> WorkflowNames:
        """The fixed names of the workflow's resources."""
        return WorkflowNames(self.graph.workflow, self.stage)

    def start(self, payload: Any, run_id: str | None = None) -> str:  # noqa: ANN401 - any JSON value or bytes
        """Start a run with a payload, under a name of the client's or a new one; the run's id.

        A name that a run has already is that run: nothing new starts, and nothing of it changes. Raises
        InvalidInputError for a name that is not made of letters, digits, `_`, `.` and `-`, OperationFailedError if the
        workflow is not deployed, or AWS does not take the run or its large payload.
        """
        run_id = uuid.uuid4().hex if run_id is None else _checked(run_id)
        home = self.manifest.home_region
        topic = f"arn:aws:sns:{home}:{self.account}:{self.names.start_topic}"
        text = payloads.encode(payload)
        try:
            message, attributes = self._publication(run_id, payload, text)
            said: Any = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
            self._clients.sns(home).publish(TopicArn=topic, Message=message, MessageAttributes=said)
        except _NO_ANSWER as error:
            raise self._unanswered(error) from error
        return run_id

    def begun(self, payload: Any, run_id: str) -> RunItem | None:  # noqa: ANN401 - any JSON value or bytes
        """The run that has this name already, and began with this payload; None if there is none of that name.

        Raises InvalidInputError for one that began with another payload, or that does not say; and as `start` does.
        """
        item = self.state(_checked(run_id))
        digest = payload_digest(StoredPayload(payloads.encode(payload)))
        if item is None or item.begun_with == digest:
            return item
        known = "began with another payload" if item.begun_with else "does not say what it began with"
        raise InvalidInputError(
            f"a run of this name is there already, and {known}, so nothing is started",
            where="--name",
            found=f"{run_id}, {item.state}",
            fix=f"give another name, or none; `caribou trace {run_id}` shows that run",
        )

    def state(self, run_id: str) -> RunItem | None:
        """How a run stands; None if it has not begun."""
        store = DynamoRunStore(self._clients, self.names.run_table, self.manifest.home_region)
        try:
            return store.get(run_id)
        except _NO_ANSWER as error:
            raise self._unanswered(error) from error

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
            raise self._unanswered(error) from error

    def beginning_with(self, prefix: str, limit: int) -> Listing:
        """Runs whose ids begin so, the newest first. Raises OperationFailedError if the workflow is not deployed."""
        return self.recent(Wanted(limit=limit, prefix=prefix))

    def trace(self, item: RunItem, *, settle_s: float = 0.0) -> Trace:
        """What became of a run's nodes; of one that has ended, waits so long for records that are on their way."""
        return trace_of(self.evidence(item, settle_s=settle_s))

    def evidence(self, item: RunItem, *, settle_s: float = 0.0) -> Evidence:
        """What is known of a run; of one that has ended, waits so long for records that are on their way."""
        home, give_up = self.manifest.home_region, time.monotonic() + settle_s
        parking = DynamoParking(self._clients, self.names.sync_table, home)
        with Aws() as aws:
            facts = RunFacts(aws, self.graph, self.names, home, CloudWatchLogReader(), self.archive)
            while True:
                parked = parking.parked(item.run.run_id)
                evidence = facts.evidence(item, parked, time.time())
                if trace_of(evidence).is_settled or time.monotonic() > give_up:
                    return evidence
                time.sleep(_SETTLE_POLL_S)

    def log(self, item: RunItem, functions: Collection[str] = ()) -> RunLines:
        """What a run's executions have written, of some functions alone if any are named.

        Raises OperationFailedError if home's logs can't be read.
        """
        with Aws() as aws, aws_errors_as(f"Reading the log of run {item.run.run_id}"):
            facts = RunFacts(aws, self.graph, self.names, self.manifest.home_region, CloudWatchLogReader())
            return RunLog(aws, facts).read(item, time.time(), functions)

    def failure(self, item: RunItem) -> FailureLog | None:
        """What the log has of the node at which a run failed; None if it did not, or at a node of another graph."""
        node = item.failed_node if item.state is RunState.FAILED else None
        if node is None or not self.graph.has_node(node):
            return None
        function = self.graph.node(node).function
        region = item.run.region_of(node, self.manifest.home_region)
        group = self.names.log_group(function)
        try:
            return failure_log(node, region, group, self.log(item, {function}).lines)
        except OperationFailedError as error:
            return FailureLog(node, region, group, trouble=str(error))

    def _publication(self, run_id: str, payload: Any, text: str) -> tuple[str, dict[str, str]]:  # noqa: ANN401
        """What is published, with its attributes: the payload as JSON, or where it rests.

        It rests in home's bucket if it has bytes, which JSON has not, or is so large that the sweeper could not send
        it on.
        """
        message = _as_json(payload)
        largest = event_bytes(Start(run_id, text, message_id=str(uuid.UUID(int=0))).to_text())
        if message is not None and largest <= self.manifest.runs.message_limit_bytes:
            return message, attributes_of(run_id, None)
        store = S3PayloadStore(self._clients, self.names, self.account)
        key = start_key(hashlib.sha256(text.encode()).hexdigest())
        return "null", attributes_of(run_id, store.put(self.manifest.home_region, key, text))

    def _unanswered(self, error: Exception) -> OperationFailedError:
        name, home = self.graph.workflow, self.manifest.home_region
        cause = error.__cause__ if isinstance(error, UnreachableError) else error
        if isinstance(cause, ClientError) and error_code(cause) in _NOT_THERE:
            return NotDeployedError(f"{name} is not deployed in {home} ({error}). To deploy it: caribou deploy {name}")
        return OperationFailedError(
            f"{name} does not answer in {home} ({error}). Look at the credentials, their permissions and the region"
        )


def _as_json(payload: Any) -> str | None:  # noqa: ANN401 - any payload
    """The payload as JSON that anyone might publish; None if it has bytes."""
    try:
        return escaped_json(json.dumps(payload, separators=(",", ":"), ensure_ascii=False))
    except TypeError:
        return None


def _checked(run_id: str) -> str:
    if not is_run_name(run_id):
        raise InvalidInputError(
            "is no name for a run",
            where="--name",
            found=run_id,
            fix=f"use up to {MAX_NAME_LENGTH} letters, digits, `_`, `.` and `-`",
        )
    return run_id
