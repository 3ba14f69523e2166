"""`caribou list`: what is deployed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import click
from rich.table import Table

from caribou.cli.console import console
from caribou.cli.output import notify, say
from caribou.cli.session import session
from caribou.control.inventory import LOOKED_AT_RECORDS, LOOKED_AT_RUN_ITEMS, Entry, inventory
from caribou.control.stacks.deployed import said_of
from caribou.model.placement import Placement

_DIGITS = 12


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(*, as_json: bool) -> None:
    """List the workflows: of this project, registered, or with stacks left."""
    with session() as here:
        known = here.known_workflows()
        check = here.record_check(LOOKED_AT_RECORDS, LOOKED_AT_RUN_ITEMS) if here.control_answers else None
        entries = inventory(here.aws, known, here.target, time.time(), check)
    for trouble in filter(None, (entry.trouble for entry in entries)):
        notify(f"warning: {trouble}")
    if unseen := {region: code for entry in entries for region, code in entry.unseen.items()}:
        notify(f"warning: not known what stands in {said_of(unseen)}")
    if as_json:
        say(json.dumps([entry.to_json() for entry in entries], indent=1))
        return
    _show(entries, here.target.project_id)


def _show(entries: Sequence[Entry], project_id: str | None) -> None:
    table = Table("workflow", "placement", "stacks", "updated", show_lines=True)
    for entry in entries:
        table.add_row(
            "\n".join((entry.name, entry.version if entry.broken is None else "broken", *_owner(entry, project_id))),
            _shown(entry),
            "\n".join(_stacks(entry)),
            f"{entry.deployed.home.changed_at:%Y-%m-%d\n%H:%MZ}" if entry.deployed else "",
        )
    console().print(table)


def _owner(entry: Entry, project_id: str | None) -> tuple[str, ...]:
    """Whose it is, if another project has deployed it."""
    return () if entry.project_id in (None, project_id) else (f"of {entry.project_id}",)


def _shown(entry: Entry) -> str:
    """The deployed placement; of a home that was not seen it is not known whether there is one."""
    if entry.deployed is None:
        return "not known" if entry.home_region in entry.unseen else "not deployed"
    placement = entry.deployed.placement
    lines = (placement.digest[:_DIGITS], *sorted(placement.regions), _expiry(placement))
    return "\n".join(lines)


def _stacks(entry: Entry) -> list[str]:
    """A line each region's stack, one for the runs that are open, and one for what ran and has no record."""
    idle = entry.idle_regions
    stacks = [f"{s.region}, to be retired" if s.region in idle else s.region for s in entry.regions]
    runs = [f"{entry.open_runs} open run{'' if entry.open_runs == 1 else 's'}"] if entry.open_runs else []
    missing = 0 if entry.unrecorded is None else entry.unrecorded.executions
    return [
        f"{entry.home_region}, home",
        *stacks,
        *runs,
        *([f"{missing} executions\nwithout record"] if missing else []),
    ]


def _expiry(placement: Placement) -> str:
    return f"until {placement.expires_at:%Y-%m-%d %H:%MZ}" if placement.expires_at else "never expires"
