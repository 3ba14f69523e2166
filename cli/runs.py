"""`caribou runs`, `trace`, `redrive` and `cancel`: what became of runs, going on with one, and ending one."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from typing import Any

import click

from caribou.cli.choices import Named
from caribou.cli.console import console
from caribou.cli.numbers import Finite
from caribou.cli.output import notify, say
from caribou.cli.run_end import SETTLE_S, end, show_trace
from caribou.cli.run_lookup import found_run
from caribou.cli.seen_runs import saw_runs
from caribou.cli.session import session
from caribou.cli.trace_view import runs_table
from caribou.control.runs.cancel import cancel as cancel_run
from caribou.control.runs.evidence import Wanted
from caribou.control.runs.redrive import redrive as redrive_run
from caribou.control.runs.runs import RunItem, RunState
from caribou.model.errors import InvalidInputError
from caribou.model.run.order import RedriveAnswer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

_workflow = click.option("-w", "--workflow", help="The workflow it is a run of. Default: looked for in all of them.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("runs")
@click.argument("workflow")
@click.option(
    "--state", type=Named([str(state) for state in RunState], case_sensitive=False), help="Only runs in this state."
)
@click.option("--since", help="Only runs begun within this time: 90s, 30m, 1h, 7d.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most.")
@_json
def runs_(workflow: str, state: str | None, since: str | None, limit: int, *, as_json: bool) -> None:
    """List the runs of WORKFLOW, the newest first."""
    since_s = 0.0 if since is None else time.time() - seconds_of(since)
    wanted = Wanted(None if state is None else RunState(state), since_s, limit)
    with session() as here:
        runs = here.runs_of(here.workflow(workflow))
        listing = runs.recent(wanted)
        saw_runs(here.root, [item.run.run_id for item in listing.items])
    if not listing.is_complete:
        notify("warning: the table has too many runs to look at all; these are the newest of some")
    if listing.broken:
        notify(f"warning: {listing.broken} items of the run table can't be read, and are passed over")
    if as_json:
        say(json.dumps([run_json(item) for item in listing.items], indent=1))
        return
    terminal = console()
    terminal.print(runs_table(listing.items, f"Runs of {runs.graph.workflow}", terminal.width), soft_wrap=True)


@click.command()
@click.argument("run_id", metavar="RUN")
@_workflow
@_json
def trace(run_id: str, workflow: str | None, *, as_json: bool) -> None:
    """Show what became of each node of the run RUN."""
    with session() as here:
        found = found_run(run_id, workflow, here)
        shown = found.runs.trace(found.item, settle_s=SETTLE_S)
        failure = found.runs.failure(found.item)
    show_trace(shown, failure, as_json=as_json)


@click.command()
@click.argument("run_id", metavar="RUN")
@_workflow
@click.option("--home", is_flag=True, help="Go on at home, without the regions of the run that do not answer.")
@click.option("--wait", is_flag=True, help="Wait for the run's end; exit code 1 if it does not succeed.")
@click.option(
    "--timeout", "limit_s", type=Finite(min=0), default=900.0, show_default=True, help="Seconds to wait at most."
)
@_json
def redrive(run_id: str, workflow: str | None, *, home: bool, wait: bool, limit_s: float, as_json: bool) -> None:
    """Go on with the run RUN, which failed or expired, where its messages are parked."""
    with session() as here:
        found = found_run(run_id, workflow, here)
        run_id = found.run_id
        answer = redrive_run(here.sweeper_of(found.workflow), run_id, home=home)
        if as_json and not wait:
            say(json.dumps({"run_id": run_id, "sent": [message.node for message in answer.sent]}))
        show_redriven(answer)
        if wait:
            end(found.runs, run_id, limit_s=limit_s, as_json=as_json)


@click.command()
@click.argument("run_id", metavar="RUN")
@_workflow
@_json
def cancel(run_id: str, workflow: str | None, *, as_json: bool) -> None:
    """End the open run RUN: nothing of it begins any more, and what runs already ends by itself."""
    with session() as here:
        found = found_run(run_id, workflow, here)
        answer = cancel_run(here.sweeper_of(found.workflow), found.run_id)
    for problem in answer.problems:
        notify(f"warning: nodes may begin there still, until the sweeper has got through: {problem}")
    if as_json:
        say(json.dumps({"run_id": found.run_id, "state": RunState.CANCELLED, "problems": list(answer.problems)}))
    else:
        say(f"{found.run_id} is CANCELLED: nothing of it begins any more.")
        say("What runs in Lambda already can't be stopped: it ends, and nothing follows.")
    if not found.workflow.manifest.runs.deduplicate:
        notify("warning: with `deduplicate: false` plain nodes go on, as far as the next sync node")


def show_redriven(answer: RedriveAnswer) -> None:
    """Say what a redrive has sent, and of what it knows nothing."""
    for problem in answer.problems:
        notify(f"warning: it is not known what lies in a failure queue: {problem}")
    for message in answer.sent:
        notify(f"sent again: {message.node}, for {message.reason}")
    if answer.has_ended:
        notify("nothing was left to do: all of it had ended after its deadline, and it has SUCCEEDED now")


def seconds_of(text: str) -> float:
    """A time such as 90s, 30m, 1h or 7d, in seconds. Raises InvalidInputError."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd])", text)
    if match is None:
        raise InvalidInputError("is no time", where="--since", found=text, fix="write such as 90s, 30m, 1h or 7d")
    return timedelta(**{_UNITS[match[2]]: float(match[1])}).total_seconds()


def run_json(item: RunItem) -> dict[str, Any]:
    """A run item as a JSON object."""
    run = item.run
    return {
        "run_id": run.run_id,
        "state": item.state,
        "started_at": run.started_at,
        "deadline": run.deadline,
        "seconds": item.seconds,
        "workflow_version": run.workflow_version,
        "placement": run.placement,
        "regions": dict(run.regions),
        "stays_home": run.stays_home,
        "failed_node": item.failed_node,
        "error": item.error,
    }
