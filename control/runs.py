"""Runs of a workflow, from outside: start one, and follow it by its run item."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from caribou.model import payload as payloads
from caribou.model.envelope import Run, Start, StoredPayload, event_bytes
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.graph import Graph
from caribou.model.manifest import Manifest
from caribou.model.names import WorkflowNames
from caribou.runtime.aws import Clients, S3PayloadStore, run_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OPEN = "RUNNING"
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_NAME_LENGTH = 80


@dataclass(frozen=True, slots=True)
class RunState:
    """How a run stands: `state` is RUNNING, SUCCEEDED or FAILED; `seconds` since its start, or of the whole run."""

    run: Run
    state: str
    seconds: float
    failed_node: str | None = None
    error: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state == OPEN


@dataclass(frozen=True)
class Runs:
    """The runs of a deployed workflow, at one stage of an account."""

    graph: Graph
    manifest: Manifest
    stage: str
    account: str

    @property
    def _names(self) -> WorkflowNames:
        return WorkflowNames(self.graph.workflow, self.stage)

    def start(self, payload: Any, run_id: str | None = None) -> str:  # noqa: ANN401 - any JSON value or bytes
        """Start a run with a payload, under a name of the client's or a new one; the run's id.

        A name that a run has already is that run: nothing new starts. Raises InvalidInputError for a name that is
        not made of letters, digits, `_`, `.` and `-`, OperationFailedError if the workflow is not deployed.
        """
        run_id = uuid.uuid4().hex if run_id is None else _checked(run_id)
        home = self.manifest.home_region
        topic = f"arn:aws:sns:{home}:{self.account}:{self._names.topic(self.graph.entry.function)}"
        message = self._start(run_id, payloads.encode(payload)).to_text()
        try:
            boto3.client("sns", region_name=home).publish(TopicArn=topic, Message=message)
        except ClientError as error:
            raise self._not_deployed(error) from error
        return run_id

    def state(self, run_id: str) -> RunState | None:
        """How a run stands; None if it has not begun."""
        table: DynamoDBClient = boto3.client("dynamodb", region_name=self.manifest.home_region)
        try:
            answer = table.get_item(TableName=self._names.run_table, Key={"run_id": {"S": run_id}}, ConsistentRead=True)
        except ClientError as error:
            raise self._not_deployed(error) from error
        item = answer.get("Item")
        return None if item is None else _state_of(item)

    def follow(self, run_id: str, *, limit_s: float, poll_s: float = 0.2) -> Iterator[RunState]:
        """The run's state, again and again until it has ended. Raises OperationFailedError after `limit_s` seconds."""
        give_up = time.monotonic() + limit_s
        while time.monotonic() < give_up:
            state = self.state(run_id)
            if state is not None:
                yield state
                if not state.is_open:
                    return
            time.sleep(poll_s)
        raise OperationFailedError(
            f"Run {run_id} did not end in {limit_s:.0f} s. Its functions' logs say more: "
            f"{self._names.log_group(self.graph.entry.function)} in {self.manifest.home_region} is the first"
        )

    def wait(self, run_id: str, *, limit_s: float) -> RunState:
        """The state in which a run ended."""
        *_, last = self.follow(run_id, limit_s=limit_s)
        return last

    def _start(self, run_id: str, text: str) -> Start:
        start = Start(run_id, text)
        if event_bytes(start.to_text()) <= self.manifest.message_limit_bytes:
            return start
        store = S3PayloadStore(Clients(), lambda region: self._names.payload_bucket(self.account, region))
        stored = StoredPayload(pointer=store.put(self.manifest.home_region, f"{run_id}/start", text))
        return Start(run_id, None, stored.pointer)

    def _not_deployed(self, error: ClientError) -> OperationFailedError:
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


def _state_of(item: Any) -> RunState:  # noqa: ANN401 - an item of DynamoDB
    run = run_of(item)
    end = float(item["ended_at"]["N"]) if "ended_at" in item else time.time()
    return RunState(
        run=run,
        state=item["state"]["S"],
        seconds=end - run.started_at,
        failed_node=item.get("failed_node", {}).get("S"),
        error=item.get("error", {}).get("S"),
    )
