"""What a verb would do, for a person and for programs: the steps of its plan."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from caribou.cli.console import console
from caribou.cli.output import say
from caribou.control.deploy.steps import Action, Step
from caribou.model.errors import InvalidInputError
from caribou.report.hours import hours_text

SCHEMA = "caribou.plan/1"
WIDTH = 80
"""Columns at most: a plan is read in narrow windows, mails and tickets too."""
_REGION_WIDTH = 14
_STYLES = {
    Action.CREATE: "green",
    Action.DELETE: "red",
    Action.RETIRE: "red",
    Action.ABANDON: "red",
    Action.MOVE: "cyan",
    Action.WAIT: "yellow",
    Action.KEEP: "dim",
    Action.SKIP: "dim",
}


def check_json(*, as_json: bool, dry_run: bool) -> None:
    """Raise InvalidInputError for `--json` without `--dry-run`: it is the plan that is printed as JSON."""
    if as_json and not dry_run:
        raise InvalidInputError("prints the plan, and is for a dry run", where="--json", fix="add --dry-run")


def show_plan(verb: str, steps: Sequence[Step], *, as_json: bool = False) -> None:
    """Print a plan: as a table, or as a JSON object."""
    if as_json:
        say(plan_json(verb, steps))
        return
    terminal = console()
    terminal.print(plan_table(steps), width=min(WIDTH, terminal.width))


def plan_json(verb: str, steps: Sequence[Step]) -> str:
    """A plan as the text of a JSON object."""
    return json.dumps({"schema": SCHEMA, "verb": verb, "steps": [step.to_json() for step in steps]}, indent=1)


def plan_table(steps: Sequence[Step]) -> Table:
    """A row a step, in the order in which they are done; 80 columns are enough."""
    title = "The plan: one step" if len(steps) == 1 else f"The plan: {len(steps)} steps"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("action", no_wrap=True)
    table.add_column("what", overflow="fold", ratio=3)
    table.add_column("region", width=_REGION_WIDTH, no_wrap=True)
    table.add_column("why", overflow="fold", ratio=2)
    for step in steps:
        action = Text(step.action, _STYLES.get(step.action, ""))
        table.add_row(action, Text(f"{step.thing}\n{step.name}"), step.region, Text(_why(step)))
    return table


def _why(step: Step) -> str:
    if step.from_region is None:
        return step.why
    return f"from {step.from_region}, {hours_text(step.hours)}: {step.why}"
