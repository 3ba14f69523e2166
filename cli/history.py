"""`caribou history`: which placements were deployed, when, and by whom; and one of them, to go back to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from caribou.cli.console import console
from caribou.cli.hints import staged
from caribou.cli.output import notify, say, write_whole
from caribou.cli.session import Session, session
from caribou.control.history import Deployment, History
from caribou.control.placement_bucket import PlacementBox
from caribou.control.stacks.deployed import DeployedWorkflow, deployed_workflow, home_stack
from caribou.model.errors import CaribouError, InvalidInputError

SCHEMA = "caribou.history/1"
NEWEST = 20
_DIGITS = 12


@click.command()
@click.argument("workflow")
@click.option("--limit", type=click.IntRange(min=1), default=NEWEST, show_default=True, help="Show at most so many.")
@click.option("--placement", help="Write the placement whose digest begins so to --output, to go back to it.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def history(workflow: str, limit: int, placement: str | None, output: Path | None, *, as_json: bool) -> None:
    """List which placements of WORKFLOW were deployed, when, and by whom, the newest first."""
    if (placement is None) != (output is None):
        raise InvalidInputError(
            "go together: which one, and where it is written", where="--placement and --output", fix="give both"
        )
    with session() as here:
        known = here.named(workflow)
        name = workflow if known is None else known.name
        found, wrong = History(PlacementBox(here.aws, here.target)).newest(name, limit)
        if known is None and not found:
            raise InvalidInputError(
                "there is no such workflow, and none was deployed", where=workflow, fix="`caribou list` names them"
            )
        serving = _serving(here, name, "" if known is None else known.home_region)
    for message in wrong:
        notify(f"warning: {message}")
    if placement is not None and output is not None:
        _write(found, placement, output, name)
        return
    if as_json:
        say(json.dumps(_to_json(name, found, serving), indent=1))
        return
    _show(name, found, serving)


def _serving(here: Session, workflow: str, home_region: str) -> DeployedWorkflow | None:
    """What serves now; that this can't be read is a warning."""
    if not home_region:
        return None
    try:
        home = home_stack(here.aws, workflow, here.target.stage, home_region)
        return None if home is None else deployed_workflow(here.aws, home)
    except CaribouError as error:
        notify(f"warning: what serves now is not known: {error}")
        return None


def _write(found: Sequence[Deployment], digest: str, output: Path, name: str) -> None:
    chosen = {one.placement.digest: one.placement for one in reversed(found) if one.placement.digest.startswith(digest)}
    if len(chosen) != 1:
        raise InvalidInputError(
            "is the beginning of no digest that is listed, or of several",
            where="--placement",
            found=digest,
            fix=f"use one of {', '.join(dict.fromkeys(one.placement.digest[:_DIGITS] for one in found)) or 'none yet'}",
        )
    [placement] = chosen.values()
    write_whole(output, json.dumps(placement.to_json(), indent=1) + "\n")
    say(staged(f"{output} written. To go back to it: caribou deploy {name} --placement {output}"))


def _to_json(name: str, found: Sequence[Deployment], serving: DeployedWorkflow | None) -> dict[str, Any]:
    now = (
        None if serving is None else {"digest": serving.placement.digest, "since": serving.home.changed_at.isoformat()}
    )
    return {"schema": SCHEMA, "workflow": name, "deployments": [one.to_json() for one in found], "serving": now}


def _show(name: str, found: Sequence[Deployment], serving: DeployedWorkflow | None) -> None:
    if not found:
        say(f"{name}: nothing is noted of its deployments")
    else:
        table = Table("deployed (UTC)", "placement", "regions")
        table.add_column("by, with", overflow="fold")
        for one in found:
            digest, regions = one.placement.digest, "\n".join(sorted(one.placement.regions))
            table.add_row(f"{one.deployed_at:%Y-%m-%d %H:%M}", digest[:_DIGITS], regions, f"{one.by}\n{one.verb}")
        console().print(table)
    if serving is not None and (not found or serving.placement_digest != found[0].placement.digest):
        say(
            f"Serving now: {serving.placement.summary}, deployed at {serving.home.changed_at:%Y-%m-%d %H:%M} (UTC). "
            f"That is not noted here: it was a plain `cdk deploy`, or an earlier version's. CloudTrail knows whose"
        )
