"""`caribou runs`, `trace` and `redrive`: what became of runs, and going on with one that failed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click

from caribou.cli.console import wide_console
from caribou.cli.numbers import Finite
from caribou.cli.output import notify, say
from caribou.cli.run_end import SETTLE_S, end, show_trace
from caribou.cli.session import Session, session
from caribou.cli.trace_view import runs_table
from caribou.control.runs.evidence import Wanted
from caribou.control.runs.redrive import redrive as redrive_run
from caribou.control.runs.runs import RunItem, Runs, RunState
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.project.workflow import Workflow, workflow_folders
from caribou.model.run.fields import is_run_name
from caribou.model.run.order import RedriveAnswer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

_workflow = click.option("-w", "--workflow", help="The workflow it is a run of. Default: looked for in all of them.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@dataclass(frozen=True)
class Found:
    """A run, and the workflow that it is of."""

    workflow: Workflow
    runs: Runs
    item: RunItem


@click.command("runs")
@click.argument("workflow")
@click.option("--state", type=click.Choice(list(RunState), case_sensitive=False), help="Only runs in this state.")
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
    if not listing.is_complete:
        notify("warning: the table has too many runs to look at all; these are the newest of some")
    if listing.broken:
        notify(f"warning: {listing.broken} items of the run table can't be read, and are passed over")
    if as_json:
        say(json.dumps([run_json(item) for item in listing.items], indent=1))
        return
    wide_console().print(runs_table(listing.items, f"Runs of {runs.graph.workflow}"))


@click.command()
@click.argument("run_id")
@_workflow
@_json
def trace(run_id: str, workflow: str | None, *, as_json: bool) -> None:
    """Show what became of each node of the run RUN_ID."""
    with session() as here:
        found = found_run(run_id, workflow, here)
        shown = found.runs.trace(found.item, settle_s=SETTLE_S)
    show_trace(shown, as_json=as_json)


@click.command()
@click.argument("run_id")
@_workflow
@click.option("--wait", is_flag=True, help="Wait for the run's end; exit code 1 if it does not succeed.")
@click.option(
    "--timeout", "limit_s", type=Finite(min=0), default=900.0, show_default=True, help="Seconds to wait at most."
)
@_json
def redrive(run_id: str, workflow: str | None, *, wait: bool, limit_s: float, as_json: bool) -> None:
    """Go on with the run RUN_ID, which failed or expired, where its messages are parked."""
    with session() as here:
        found = found_run(run_id, workflow, here)
        answer = redrive_run(here.sweeper_of(found.workflow), run_id)
        if as_json and not wait:
            say(json.dumps({"run_id": run_id, "sent": [message.node for message in answer.sent]}))
        show_redriven(answer)
        if wait:
            end(found.runs, run_id, limit_s=limit_s, as_json=as_json)


def show_redriven(answer: RedriveAnswer) -> None:
    """Say what a redrive has sent, and of what it knows nothing."""
    for problem in answer.problems:
        notify(f"warning: it is not known what lies in a failure queue: {problem}")
    for message in answer.sent:
        notify(f"sent again: {message.node}, for {message.reason}")
    if answer.has_ended:
        notify("nothing was left to do: all of it had ended after its deadline, and it has SUCCEEDED now")


def found_run(run_id: str, workflow: str | None, here: Session) -> Found:
    """The run of that id, in the workflow that is named, or in the project's only one that has it.

    Raises InvalidInputError.
    """
    if not is_run_name(run_id):
        raise InvalidInputError(
            "is no name of a run", where="RUN_ID", found=ascii(run_id)[:80], fix="see `caribou runs`"
        )
    definitions, broken = _looked_in(workflow, here)
    found: list[Found] = []
    silent: list[str] = []
    for definition in definitions:
        runs = here.runs_of(definition)
        try:
            item = runs.state(run_id)
        except OperationFailedError:
            if workflow is not None:
                raise
            silent.append(definition.name)
            continue
        if item is not None:
            found.append(Found(definition, runs, item))
    unanswered = {"not deployed": silent, "can't be read": broken}
    return _only(found, run_id, [definition.name for definition in definitions], unanswered)


def _looked_in(workflow: str | None, here: Session) -> tuple[Sequence[Workflow], Sequence[str]]:
    """The workflows in which a run is looked for, and the names of those that are broken: no warning is hidden."""
    if workflow is not None:
        return [here.workflow(workflow)], []
    definitions, broken = here.read_each(workflow_folders(here.root))
    return definitions, list(broken)


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


def _only(found: Sequence[Found], run_id: str, known: Sequence[str], unanswered: Mapping[str, Sequence[str]]) -> Found:
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInputError(
            "several workflows have a run of that name",
            where=f"run {run_id}",
            found=", ".join(one.workflow.name for one in found),
            fix="name one with --workflow",
        )
    fix = f"see `caribou runs`; looked for in {', '.join(known) or 'no workflow'}"
    more = "".join(f"; {why}: {', '.join(names)}" for why, names in unanswered.items() if names)
    raise InvalidInputError("there is no such run", where=f"run {run_id}", fix=fix + more)
