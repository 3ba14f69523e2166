"""Signals that ask a command to end: they end it as Ctrl-C does, so that what it holds is given back first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit, by which locks are released and what was started is stopped.

    What nobody is to be ended by, as SIGHUP under nohup, stays so.
    """

    def interrupt(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {kind: signal.signal(kind, interrupt) for kind in _ENDS if signal.getsignal(kind) is signal.SIG_DFL}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
