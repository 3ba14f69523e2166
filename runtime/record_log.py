"""Run records into the function's log, past whatever user code does to logging and to its streams.

Lambda makes log events of the lines that a process writes to its standard streams. User code may configure `logging`,
disable it or set a level in the environment, replace `sys.stdout`, or close it; the file descriptor, duplicated before
user code is imported, stays. It is that of standard error: on standard output the local cloud's workers speak to it.
"""

from __future__ import annotations

import json
import os
import select
from contextlib import suppress
from dataclasses import replace

from caribou.model.run.record import RECORD_KEY, RunRecord

STANDARD_ERROR = 2
MAX_LINE_BYTES = 200_000
"""A log event has up to 256 KB. A node that calls 500 others of the longest names stays below."""
_PATIENCE_S = 1.0
"""How long to wait for a full pipe that user code has made non-blocking."""


class RecordLog:
    """Writes records to a descriptor, which is duplicated when this is made."""

    def __init__(self, descriptor: int = STANDARD_ERROR) -> None:
        self._descriptors = (os.dup(descriptor), descriptor)
        self._log = _file_of(descriptor)

    def emit(self, record: RunRecord) -> None:
        """Write a record as one line. Never raises: a run goes on without its record, and is counted as such."""
        self.write(record_line(record))

    def write(self, line: bytes) -> None:
        """Write a line, which has its end. Never raises."""
        for descriptor in self._descriptors:  # user code that closes what it did not open may have closed ours
            with suppress(OSError):
                if _file_of(descriptor) == self._log:
                    _write(descriptor, line)
                    return


def record_line(record: RunRecord) -> bytes:
    """A record as its line of the log, in ASCII; without its successors if it would be too long with them."""
    line = _line(record)
    return line if len(line) <= MAX_LINE_BYTES else _line(replace(record, successors=()))


def _line(record: RunRecord) -> bytes:
    return json.dumps({RECORD_KEY: record.to_json()}, separators=(",", ":")).encode() + b"\n"


def _file_of(descriptor: int) -> tuple[int, int]:
    """Which file, pipe or terminal a descriptor is open on: a closed one's number is soon somebody else's."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _write(descriptor: int, line: bytes) -> None:
    """Write all of a line, of which a pipe may take a part at a time."""
    rest = memoryview(line)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            if not select.select([], [descriptor], [], _PATIENCE_S)[1]:
                return
