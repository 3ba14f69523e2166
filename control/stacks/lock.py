"""The lock of a workflow: deploying, retiring and removing exclude each other.

An item of the control plane's table of locks, by the workflow's name: no role of a workflow reaches that table. Its
holder writes a heartbeat into it; one that has died loses it.

    A:  put(owner=A) ── ok ── beat ── beat ── beat ──────── delete(owner=A)
    B:        put(owner=B) ── refused: "A has held …"              put(owner=B) ── ok
    A:  put(owner=A) ── ok ── beat ── killed
    B:        put(owner=B) ── overdue ── watches: no beat comes ── put(owner=B, over A's last beat) ── ok

Two machines' clocks may differ, so who finds a lock overdue watches for a heartbeat before it takes it. A process of
the same machine is known at once to have ended.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from caribou.control.aws import Aws, aws_errors_as, out_of_reach
from caribou.control.stacks.deployed import find_stack
from caribou.control.stacks.lock_item import BEAT_S, LEASE_S, LockItem, read, this_process, written
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.names import CONTROL_PLANE_STACK_ID, stack_name
from caribou.model.registration import ControlNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WATCH_S = BEAT_S + 5.0
"""How long a heartbeat is waited for before an overdue lock is taken."""
_TRIES = 3


@dataclass(frozen=True)
class DeployLock:
    """A lock on a workflow. `is_held` is False where there is nothing to hold it in.

    That is where there is no control plane yet, or where its region is `silent`, which says how. `notify` is given
    what is said of a lock that is taken over.
    """

    aws: Aws
    target: Target
    workflow: str
    notify: Callable[[str], None]
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    is_held: bool = True
    silent: str = ""

    @property
    def warning(self) -> str | None:
        """What is to be said before something is done without a lock; None if there is one, or none is needed."""
        if not self.silent:
            return None
        return (
            f"warning: the control region {self.target.control_region} is out of reach ({self.silent}), so "
            f"{self.workflow} is not locked: see that nobody else deploys, migrates or removes it now"
        )

    @property
    def table(self) -> str:
        """The table of locks."""
        return ControlNames(self.target.stage).lock_table

    def take(self, purpose: str) -> DeployLock:
        """Take it; the lock that then holds, which is none if there is no control plane, or no answer from it.

        Raises OperationFailedError, which says who holds it, or that the control plane has no table of locks.
        """
        with aws_errors_as(f"Taking the lock in {self.table}"):
            try:
                return self._taken(purpose)
            except self._client.exceptions.ResourceNotFoundException:
                return self._without_table()
            except (ClientError, BotoCoreError) as error:
                if (why := out_of_reach(error)) is None:
                    raise
                return replace(self, is_held=False, silent=why)

    def renew(self) -> None:
        """Hold it anew, before a step that must not meet another's. Raises OperationFailedError if it was lost."""
        if not self.is_held:
            return
        with aws_errors_as(f"Renewing the lock in {self.table}"):
            try:
                now = self.clock()
                self._client.update_item(
                    TableName=self.table,
                    Key=self._key,
                    UpdateExpression="SET lock_until = :until, beat = :beat",
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={
                        ":owner": {"S": self.owner},
                        ":beat": {"N": repr(now)},
                        ":until": {"N": repr(now + LEASE_S)},
                    },
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                raise self._lost() from None

    def release(self) -> None:
        """Give it back, if it is still ours; the table may be gone."""
        if self.is_held:
            self._delete("#owner = :owner", {":owner": {"S": self.owner}})

    def found(self) -> LockItem | None:
        """The lock that stands in the table, whosever it is; None if there is none. Raises OperationFailedError."""
        with aws_errors_as(f"Reading the lock of {self.workflow} in {self.table} of {self.target.control_region}"):
            try:
                answer = self._client.get_item(TableName=self.table, Key=self._key, ConsistentRead=True)
            except self._client.exceptions.ResourceNotFoundException:
                return None
        return read(answer["Item"]) if "Item" in answer else None

    def break_open(self, held: LockItem) -> bool:
        """Take a lock away from its holder, unless it has changed since; whether it is gone."""
        return self._delete(*_unchanged(held))

    def is_dead(self, held: LockItem) -> bool:
        """Whether a lock's holder has died: known here, or by a heartbeat that is overdue and does not come."""
        if held.has_ended:
            return True
        if not held.is_overdue(self.clock()):
            return False
        if held.beat_s is None:
            return True
        self.notify(f"{held.text(self.clock())}; waiting {WATCH_S:.0f} s for a sign of life")
        self.sleep(WATCH_S)
        return self.found() in (None, held)

    def _taken(self, purpose: str) -> DeployLock:
        holder = this_process(self.aws.caller(self.target.control_region))
        for _ in range(_TRIES):
            item = written(self.workflow, self.owner, holder, purpose, self.clock())
            if self._put(item, "attribute_not_exists(workflow)", {}):
                return self
            held = self.found()
            if held is None:
                continue
            if not self.is_dead(held):
                break
            condition, values = _unchanged(held)
            if self._put(item | _beat_now(self.clock()), f"attribute_not_exists(workflow) OR ({condition})", values):
                self.notify(f"taken over, as that has ended: {held.text(self.clock())}")
                return self
        raise self._held_by_another()

    def _put(self, item: dict[str, Any], condition: str, values: dict[str, Any]) -> bool:
        names: dict[str, Any] = {"ExpressionAttributeNames": {"#owner": "owner"}} if "#owner" in condition else {}
        named: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        try:
            self._client.put_item(TableName=self.table, Item=item, ConditionExpression=condition, **names, **named)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _delete(self, condition: str, values: dict[str, Any]) -> bool:
        with aws_errors_as(f"Releasing the lock in {self.table}"):
            try:
                self._client.delete_item(
                    TableName=self.table,
                    Key=self._key,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues=values,
                )
            except (
                self._client.exceptions.ConditionalCheckFailedException,
                self._client.exceptions.ResourceNotFoundException,
            ):
                return False
        return True

    @property
    def _client(self) -> DynamoDBClient:
        return self.aws.dynamodb(self.target.control_region)

    @property
    def _key(self) -> dict[str, Any]:
        return {"workflow": {"S": self.workflow}}

    def _without_table(self) -> DeployLock:
        """The lock where there is no table: none is needed before the first control plane, which comes with it."""
        region, stack = self.target.control_region, stack_name(CONTROL_PLANE_STACK_ID, self.target.stage)
        if find_stack(self.aws, stack, region) is None:
            return replace(self, is_held=False)
        raise OperationFailedError(
            f"The control plane has no table of locks ({self.table} in {region}): it is of an earlier version, or just "
            f"being deployed. To bring it up to date: cdk deploy {CONTROL_PLANE_STACK_ID}"
        )

    def _held_by_another(self) -> OperationFailedError:
        held = self.found()
        who = "Another process has just taken it" if held is None else held.text(self.clock())
        return OperationFailedError(
            f"{who}. Wait until that has ended; a process that has died loses it within two minutes, and `caribou "
            f"unlock {self.workflow}` takes it away"
        )

    def _lost(self) -> OperationFailedError:
        held = self.found()
        who = "" if held is None else f": {held.text(self.clock())}"
        return OperationFailedError(
            f"The lock of {self.workflow} was taken from this process{who}. Nothing more is done"
        )


@contextmanager
def deploy_lock(
    aws: Aws, target: Target, workflow: str, purpose: str, notify: Callable[[str], None]
) -> Iterator[DeployLock]:
    """Hold the workflow's lock, if there is a control plane to hold it in; given back however the block ends."""
    lock = DeployLock(aws, target, workflow, notify).take(purpose)
    try:
        with _beating(lock):
            yield lock
    finally:
        try:
            lock.release()
        except OperationFailedError as error:  # what was done is done
            notify(f"warning: {error}. It is free in a minute, by itself")


@contextmanager
def _beating(lock: DeployLock) -> Iterator[None]:
    """Within it, the lock's heartbeat goes on beside whatever is done."""
    if not lock.is_held:
        yield
        return
    over = Event()
    thread = Thread(target=_beat, args=(lock, over), daemon=True, name="caribou-lock")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(lock: DeployLock, over: Event) -> None:
    """Write heartbeats until it is over; one that does not arrive is followed by another."""
    while not over.wait(BEAT_S):
        with suppress(OperationFailedError):
            lock.renew()


def _beat_now(now_s: float) -> dict[str, Any]:
    return {"beat": {"N": repr(now_s)}, "lock_until": {"N": repr(now_s + LEASE_S)}}


def _unchanged(held: LockItem) -> tuple[str, dict[str, Any]]:
    """The condition that a lock is as it was found, and its values: no heartbeat has come since."""
    values = {":seen": {"S": held.owner}, ":until": {"N": repr(held.until_s)}}
    return "#owner = :seen AND lock_until = :until", values
