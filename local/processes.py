"""Whether a server lives, and how it is ended together with everything it started."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

_POLL_S = 0.02


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
    """Ask the leader to end its process group; kill the group if it has not after `limit_s`."""
    _signal(os.kill, leader, signal.SIGTERM)
    if not _becomes_false(is_alive, limit_s):
        _signal(os.killpg, leader, signal.SIGKILL)
        _becomes_false(is_alive, limit_s)


def _signal(send: Callable[[int, int], None], target: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        send(target, number)


def _becomes_false(condition: Callable[[], bool], limit_s: float) -> bool:
    give_up = time.monotonic() + limit_s
    while condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(_POLL_S)
    return True
