"""How a process began: what Lambda bills as INIT, and what the import of user code took of it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_STATUS = Path("/proc/self/stat")
_UPTIME = Path("/proc/uptime")
_STARTED_FIELD = 19
"""Of what follows the process's name: when it started, in clock ticks after the machine did (proc_pid_stat(5), 22)."""


class Startup(NamedTuple):
    """Seconds from the process's begin until user code was imported, and what that took: on the clock, and of CPU."""

    init_s: float | None
    import_s: float | None
    import_cpu_s: float | None


NO_STARTUP = Startup(None, None, None)
"""Where nobody has looked."""


def cpu_s() -> float:
    """User and system time of this process, with all its threads, and of its child processes that have ended."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def process_age_s() -> float | None:
    """Seconds since this process began, to a hundredth; None where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        started = int(_STATUS.read_text().rpartition(")")[2].split()[_STARTED_FIELD]) / os.sysconf("SC_CLK_TCK")
        return max(float(_UPTIME.read_text().split()[0]) - started, 0.0)
    return None
