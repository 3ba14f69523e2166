"""Waiting for the end of a run, and showing its trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from caribou.cli.console import console, print_view
from caribou.cli.output import notify, say
from caribou.cli.trace_view import failure_lines, trace_view
from caribou.control.runs.failure import FailureLog
from caribou.control.runs.runs import Runs, RunState
from caribou.control.runs.trace import Trace
from caribou.model.errors import OperationFailedError

_INTERRUPTED = 128 + 2
"""As a shell has it of a command that SIGINT ended."""
SETTLE_S = 5.0
"""How long to wait for the last records of a run that has ended."""


@contextmanager
def goes_on(run_id: str) -> Iterator[None]:
    """Within it, an interruption ends the command and not the run: exit code 130, and how to look at the run."""
    try:
        yield
    except KeyboardInterrupt:
        notify(f"Run {run_id} goes on, if it has been started.")
        notify(f"To look at it: caribou trace {run_id}")
        notify(f"To end it:     caribou cancel {run_id}")
        raise SystemExit(_INTERRUPTED) from None


def end(runs: Runs, run_id: str, *, limit_s: float, as_json: bool) -> None:
    """Wait for a run's end and show it. Raises OperationFailedError if it did not succeed."""
    with goes_on(run_id), console(stderr=True).status(f"Run {run_id}"):
        ended = runs.wait(run_id, limit_s=limit_s)
        ended_trace = runs.trace(ended, settle_s=SETTLE_S)
        failure = runs.failure(ended)
    show_trace(ended_trace, failure, as_json=as_json)
    if ended.state is RunState.EXPIRED:
        raise OperationFailedError(f"Run {run_id} expired. To go on: caribou redrive {run_id}")
    if ended.state is RunState.CANCELLED:
        raise OperationFailedError(f"Run {run_id} was cancelled")
    if ended.state is RunState.FAILED:
        raise OperationFailedError(f"Run {run_id} failed at {ended.failed_node}: {ended.error}")


def show_trace(shown: Trace, failure: FailureLog | None = None, *, as_json: bool) -> None:
    """Print a trace, with what the log has of where it failed."""
    if as_json:
        said = {} if failure is None else {"failure": failure.to_json()}
        say(json.dumps({**shown.to_json(), **said}, indent=1))
        return
    print_view(trace_view(shown), console())
    if failure is not None:
        for line in failure_lines(failure):
            say(line)
