"""Whether a server lives, which processes are in its group, and how it is ended together with all of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_POLL_S = 0.02
_PROC = Path("/proc")


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock on the file. The system lets go of it when the process ends in any way."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def end_group(leader: int, is_alive: Callable[[], bool], limit_s: float) -> None:
    """End a process group, and come back when none of its processes lives.

    The leader is asked to end it; what has not ended after `limit_s`, or outlives the leader, is killed.
    """
    _signal(os.kill, leader, signal.SIGTERM)
    if not _becomes_false(is_alive, limit_s) or members(leader):
        _signal(os.killpg, leader, signal.SIGKILL)
    _becomes_false(lambda: bool(members(leader)), limit_s)


def members(group: int) -> list[int]:
    """Ids of the living processes of a group; those that have ended and wait to be reaped don't count."""
    rows = _rows_of_proc() if (_PROC / "self" / "stat").exists() else _rows_of_ps()
    return [pid for pid, pgid, state in rows if pgid == group and state != "Z"]


def _rows_of_proc() -> Iterator[tuple[int, int, str]]:
    """Id, group and state of each process, on Linux."""
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            state, _parent, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            yield int(folder.name), int(group), state


def _rows_of_ps() -> Iterator[tuple[int, int, str]]:
    """Id, group and state of each process, elsewhere."""
    listed = subprocess.run(["ps", "-axo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    for pid, group, state in (row.split() for row in listed.splitlines()):
        yield int(pid), int(group), state[0]


def _signal(send: Callable[[int, int], None], target: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: only processes that wait to be reaped
        send(target, number)


def _becomes_false(condition: Callable[[], bool], limit_s: float) -> bool:
    give_up = time.monotonic() + limit_s
    while condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(_POLL_S)
    return True
