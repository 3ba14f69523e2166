"""Whose a lock is, and whether its holder lives: the item that stands in the table of locks, as a value."""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BEAT_S = 15.0
"""How often a holder writes that it lives."""
LEASE_S = 60.0
"""How long a lock holds without that: three heartbeats may be lost on the way."""
_DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock, or would: `caller` is the ARN of its credentials, `machine` knows it from others.

    A machine is one from its start to its end, and a container's processes are another's: ids are compared within it.
    """

    user: str
    host: str
    pid: int
    caller: str
    machine: str

    @property
    def text(self) -> str:
        """It in a few words: `maya@laptop (process 4711, arn:aws:iam::111122223333:user/maya)`."""
        return f"{self.user}@{self.host} (process {self.pid}, {self.caller})"

    @property
    def has_ended(self) -> bool:
        """Whether it is known to be dead: it was on this machine, where no such process is any more."""
        if self.machine != this_machine():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):
            return False
        return False


def this_process(caller: str) -> Holder:
    """This process, with the ARN of its credentials."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return Holder(user, socket.gethostname(), os.getpid(), caller, this_machine())


def this_machine() -> str:
    """This machine since it was started, and on Linux the container: in another one, process ids mean others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()} {uuid.getnode():x}"


@dataclass(frozen=True, slots=True)
class LockItem:
    """A lock as it stands in the table; times in s, UTC, by the holder's clock.

    `holder` and `beat_s` are None in one of an earlier version, whose `who` says whose it is.
    """

    workflow: str
    owner: str
    who: str
    purpose: str
    taken_at: str
    until_s: float
    beat_s: float | None = None
    holder: Holder | None = None

    def age_s(self, now_s: float) -> float | None:
        """How old the heartbeat is."""
        return None if self.beat_s is None else max(now_s - self.beat_s, 0.0)

    def is_overdue(self, now_s: float) -> bool:
        """Whether it should have been renewed by now, as far as clocks agree; by a beat of the future they do not."""
        return self.until_s < now_s or (self.beat_s is not None and self.beat_s > now_s + LEASE_S)

    @property
    def has_ended(self) -> bool:
        """Whether its holder is known to be dead."""
        return self.holder is not None and self.holder.has_ended

    def text(self, now_s: float) -> str:
        """Whose it is, since when, for what, and how old its heartbeat is."""
        age = self.age_s(now_s)
        beat = "no heartbeat, as of an earlier version" if age is None else f"heartbeat {age:.0f} s old"
        dead = ", whose process has ended" if self.has_ended else ""
        return (
            f"{self.who} has held the lock of {self.workflow} since {self.taken_at}, for: {self.purpose} ({beat}{dead})"
        )


def written(workflow: str, owner: str, holder: Holder, purpose: str, now_s: float) -> dict[str, Any]:
    """A lock that is taken now, as DynamoDB's item."""
    return {
        "workflow": {"S": workflow},
        "owner": {"S": owner},
        "who": {"S": holder.text},
        "user": {"S": holder.user},
        "host": {"S": holder.host},
        "pid": {"N": str(holder.pid)},
        "caller": {"S": holder.caller},
        "machine": {"S": holder.machine},
        "purpose": {"S": purpose},
        "taken_at": {"S": datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds")},
        "beat": {"N": repr(now_s)},
        "lock_until": {"N": repr(now_s + LEASE_S)},
        "expires": {"N": str(int(now_s + _DAY_S))},
    }


def read(item: Mapping[str, Any]) -> LockItem:
    """The lock in DynamoDB's item, of an earlier version too."""
    texts = {name: str(value["S"]) for name, value in item.items() if "S" in value}
    numbers = {name: float(value["N"]) for name, value in item.items() if "N" in value}
    holder = None
    if "machine" in texts and "pid" in numbers:
        user, host, caller = (texts.get(name, "unknown") for name in ("user", "host", "caller"))
        holder = Holder(user, host, int(numbers["pid"]), caller, texts["machine"])
    return LockItem(
        workflow=texts["workflow"],
        owner=texts.get("owner", ""),
        who=texts.get("who", "unknown"),
        purpose=texts.get("purpose", "unknown"),
        taken_at=texts.get("taken_at", "unknown"),
        until_s=numbers.get("lock_until", 0.0),
        beat_s=numbers.get("beat"),
        holder=holder,
    )
