"""Marks where the log of an invocation ends. Its text stands in front of the script of the emulator's Python processes.

Standard library only.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress

_PATIENCE_S = 1.0


def marker(mark: str, descriptor: int = 2) -> Callable[[str], None]:
    """What writes the mark and a request's id to the log that is open on a descriptor now.

    User code may replace or close its streams later, or make them non-blocking: then the mark goes where the log still
    is, or is not written. What user code has not ended with a newline is in front of the mark.
    """
    descriptors, log = (os.dup(descriptor), descriptor), _file_of(descriptor)

    def end_log(request_id: str) -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        for one in descriptors:
            with suppress(OSError):
                if _file_of(one) == log:
                    select.select([], [one], [], _PATIENCE_S)
                    os.write(one, f"{mark}{request_id}\n".encode())
                    return

    return end_log


def _file_of(descriptor: int) -> tuple[int, int]:
    """What a descriptor is open on: a closed one's number is soon somebody else's."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino
