"""Waiting for the end of a run, and showing its trace."""

from __future__ import annotations

import json

from caribou.cli.console import console, wide_console
from caribou.cli.output import say
from caribou.cli.trace_view import trace_view
from caribou.control.runs.runs import Runs, RunState
from caribou.control.runs.trace import Trace
from caribou.model.errors import OperationFailedError

SETTLE_S = 5.0
"""How long to wait for the last records of a run that has ended."""


def end(runs: Runs, run_id: str, *, limit_s: float, as_json: bool) -> None:
    """Wait for a run's end and show it. Raises OperationFailedError if it did not succeed."""
    with console(stderr=True).status(f"Run {run_id}"):
        ended = runs.wait(run_id, limit_s=limit_s)
        ended_trace = runs.trace(ended, settle_s=SETTLE_S)
    show_trace(ended_trace, as_json=as_json)
    if ended.state is RunState.EXPIRED:
        raise OperationFailedError(f"Run {run_id} expired. To go on: caribou redrive {run_id}")
    if ended.state is RunState.CANCELLED:
        raise OperationFailedError(f"Run {run_id} was cancelled")
    if ended.state is RunState.FAILED:
        raise OperationFailedError(f"Run {run_id} failed at {ended.failed_node}: {ended.error}")


def show_trace(shown: Trace, *, as_json: bool) -> None:
    """Print a trace."""
    if as_json:
        say(json.dumps(shown.to_json(), indent=1))
    else:
        wide_console().print(trace_view(shown), soft_wrap=True)
