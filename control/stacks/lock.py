"""The lock of a workflow: deploying, retiring and removing exclude each other.

An item of the control plane's table of locks, by the workflow's name: no role of a workflow reaches that table. It is
put on the condition that there is none, or that the one that is there has expired; whoever died with it holds it until
then.

    A:  put(owner=A) ── ok ───────── renew ── ok ──────── delete(owner=A)
    B:        put(owner=B) ── refused: "held by A since …"                 put(owner=B) ── ok
"""

from __future__ import annotations

import getpass
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from caribou.control.aws import Aws, aws_errors_as
from caribou.control.stacks.deployed import find_stack
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.names import CONTROL_PLANE_STACK_ID, stack_name
from caribou.model.registration import ControlNames

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOCK_S = 2 * 3600
"""How long a lock holds unless it is renewed: longer than a deploy takes, as CloudFormation waits for much."""

_DAY_S = 24 * 3600


@dataclass(frozen=True)
class DeployLock:
    """A lock on a workflow. `is_held` is False where there is no control plane yet, so nothing to hold it in."""

    aws: Aws
    target: Target
    workflow: str
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    clock: Callable[[], float] = time.time
    is_held: bool = True

    @property
    def table(self) -> str:
        """The table of locks."""
        return ControlNames(self.target.stage).lock_table

    def take(self, purpose: str) -> DeployLock:
        """Take it; the lock that then holds, which is none if there is no control plane.

        Raises OperationFailedError, which says who holds it, or that the control plane has no table of locks.
        """
        now = self.clock()
        item = {
            **self._key,
            "owner": {"S": self.owner},
            "who": {"S": _who()},
            "purpose": {"S": purpose},
            "taken_at": {"S": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")},
            "lock_until": {"N": repr(now + LOCK_S)},
            "expires": {"N": str(int(now + LOCK_S + _DAY_S))},
        }
        with aws_errors_as(f"Taking the lock in {self.table}"):
            try:
                self._client.put_item(
                    TableName=self.table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(workflow) OR lock_until < :now",
                    ExpressionAttributeValues={":now": {"N": repr(now)}},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                raise self._held_by_another() from None
            except self._client.exceptions.ResourceNotFoundException:
                return self._without_table()
        return self

    def renew(self) -> None:
        """Hold it anew, before a step that must not meet another's. Raises OperationFailedError if it was lost."""
        if not self.is_held:
            return
        with aws_errors_as(f"Renewing the lock in {self.table}"):
            try:
                self._client.update_item(
                    TableName=self.table,
                    Key=self._key,
                    UpdateExpression="SET lock_until = :until",
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={
                        ":owner": {"S": self.owner},
                        ":until": {"N": repr(self.clock() + LOCK_S)},
                    },
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                raise self._held_by_another() from None

    def release(self) -> None:
        """Give it back, if it is still ours; the table may be gone."""
        if not self.is_held:
            return
        with aws_errors_as(f"Releasing the lock in {self.table}"):
            try:
                self._client.delete_item(
                    TableName=self.table,
                    Key=self._key,
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": {"S": self.owner}},
                )
            except (
                self._client.exceptions.ConditionalCheckFailedException,
                self._client.exceptions.ResourceNotFoundException,
            ):
                return

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
        answer = self._client.get_item(TableName=self.table, Key=self._key, ConsistentRead=True)
        item = answer.get("Item", {})
        who, purpose, since = (item.get(name, {}).get("S", "unknown") for name in ("who", "purpose", "taken_at"))
        until = float(item.get("lock_until", {}).get("N", 0.0))
        return OperationFailedError(
            f"{who} has held the lock of {self.workflow} since {since}, for: {purpose}. Wait until that has ended; a "
            f"process that died holds it until {datetime.fromtimestamp(until, UTC).isoformat(timespec='seconds')}, or "
            f"delete the item {self.workflow} of the table {self.table} in {self.target.control_region}"
        )


@contextmanager
def deploy_lock(aws: Aws, target: Target, workflow: str, purpose: str) -> Iterator[DeployLock]:
    """Hold the workflow's lock, if there is a control plane to hold it in; given back however the block ends."""
    lock = DeployLock(aws, target, workflow).take(purpose)
    try:
        yield lock
    finally:
        lock.release()


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} (process {os.getpid()})"
