"""The lock of a workflow: deploying, retiring and removing exclude each other.

An item of the run table, which no run can have: `lock#deploy`. It is put on the condition that there is none, or that
the one that is there has expired; whoever died with it holds it until then.

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
from dataclasses import dataclass, field
from datetime import UTC, datetime

from caribou.control.aws import Aws, aws_errors_as
from caribou.model.errors import OperationFailedError
from caribou.model.names import WorkflowNames

LOCK_ID = "lock#deploy"
LOCK_S = 2 * 3600
"""How long a lock holds unless it is renewed: longer than a deploy takes, as CloudFormation waits for much."""

_DAY_S = 24 * 3600


@dataclass(frozen=True)
class DeployLock:
    """A lock that was taken, or is not needed: `table` is None where there is no run table yet, so nothing to guard."""

    aws: Aws
    table: str | None
    region: str
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    clock: Callable[[], float] = time.time

    def take(self, purpose: str) -> DeployLock:
        """Take it; the lock that then holds, which is none if there is no table.

        Raises OperationFailedError, which says who holds it.
        """
        client, now = self.aws.dynamodb(self.region), self.clock()
        item = {
            "run_id": {"S": LOCK_ID},
            "owner": {"S": self.owner},
            "who": {"S": _who()},
            "purpose": {"S": purpose},
            "taken_at": {"S": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")},
            "lock_until": {"N": repr(now + LOCK_S)},
            "expires": {"N": str(int(now + LOCK_S + _DAY_S))},
        }
        with aws_errors_as(f"Taking the lock in {self.table}"):
            try:
                client.put_item(
                    TableName=str(self.table),
                    Item=item,
                    ConditionExpression="attribute_not_exists(run_id) OR lock_until < :now",
                    ExpressionAttributeValues={":now": {"N": repr(now)}},
                )
            except client.exceptions.ConditionalCheckFailedException:
                raise self._held() from None
            except client.exceptions.ResourceNotFoundException:
                return DeployLock(self.aws, None, self.region, self.owner, self.clock)
        return self

    def renew(self) -> None:
        """Hold it anew, before a step that must not meet another's. Raises OperationFailedError if it was lost."""
        if self.table is None:
            return
        client = self.aws.dynamodb(self.region)
        with aws_errors_as(f"Renewing the lock in {self.table}"):
            try:
                client.update_item(
                    TableName=self.table,
                    Key={"run_id": {"S": LOCK_ID}},
                    UpdateExpression="SET lock_until = :until",
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={
                        ":owner": {"S": self.owner},
                        ":until": {"N": repr(self.clock() + LOCK_S)},
                    },
                )
            except client.exceptions.ConditionalCheckFailedException:
                raise self._held() from None

    def release(self) -> None:
        """Give it back, if it is still ours; the table may be gone."""
        if self.table is None:
            return
        client = self.aws.dynamodb(self.region)
        with aws_errors_as(f"Releasing the lock in {self.table}"):
            try:
                client.delete_item(
                    TableName=self.table,
                    Key={"run_id": {"S": LOCK_ID}},
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": {"S": self.owner}},
                )
            except (
                client.exceptions.ConditionalCheckFailedException,
                client.exceptions.ResourceNotFoundException,
            ):
                return

    def _held(self) -> OperationFailedError:
        key = {"run_id": {"S": LOCK_ID}}
        answer = self.aws.dynamodb(self.region).get_item(TableName=str(self.table), Key=key, ConsistentRead=True)
        item = answer.get("Item", {})
        who, purpose, since = (item.get(name, {}).get("S", "unknown") for name in ("who", "purpose", "taken_at"))
        until = float(item.get("lock_until", {}).get("N", 0.0))
        return OperationFailedError(
            f"{who} has held the lock since {since}, for: {purpose}. Wait until that has ended; a process that died "
            f"holds it until {datetime.fromtimestamp(until, UTC).isoformat(timespec='seconds')}, or delete the item "
            f"{LOCK_ID} of the table {self.table} in {self.region}"
        )


@contextmanager
def deploy_lock(aws: Aws, names: WorkflowNames, home_region: str, purpose: str) -> Iterator[DeployLock]:
    """Hold the workflow's lock, if it has a run table to hold it in; given back however the block ends."""
    lock = DeployLock(aws, names.run_table, home_region).take(purpose)
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
