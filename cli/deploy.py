"""`caribou deploy`, `list` and `remove`: what is deployed, and changing it with the CDK."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
from rich.table import Table

from caribou.cli.cdk_deployer import CdkDeployer
from caribou.cli.consent import asker, consent
from caribou.cli.console import console
from caribou.cli.control_removal import remove_control
from caribou.cli.next_step import after_deploy
from caribou.cli.output import notify, say
from caribou.cli.plan_view import check_json, show_plan
from caribou.cli.project import workflow_folder
from caribou.cli.session import Session, session
from caribou.control.deploy.checks import PlacedWorkflow, kept
from caribou.control.deploy.deploy import Rollout
from caribou.control.deploy.planning import plan_deploy
from caribou.control.deploy.removal import Removal, plan_removal
from caribou.control.deploy.removal import remove as remove_workflow
from caribou.control.inventory import LOOKED_AT_RECORDS, LOOKED_AT_RUN_ITEMS, Entry, inventory
from caribou.control.stacks.deployed import deployed_workflow, home_stack, said_of
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.names import refuse_reserved_name
from caribou.model.placement import Placement
from caribou.model.printable import printable
from caribou.model.project.placement_choice import HOME, asked_for, committed
from caribou.model.project.workflow import Workflow, read_workflow, workflow_folders
from caribou.model.verdict import moves_anything

DEPLOYED = "deployed"
_DIGITS = 12


@click.command()
@click.argument("workflow", required=False)
@click.option("--placement", help="The placement: a file, `home`, or `deployed` to keep and commit what is deployed.")
@click.option("--all", "everything", is_flag=True, help="Deploy the control plane and all workflows of the project.")
@click.option(
    "--force", is_flag=True, help="Deploy a changed graph even while runs are open, or under the same version."
)
@click.option("--take-over", is_flag=True, help="Overwrite a workflow of this name that another project has deployed.")
@click.option("--yes", is_flag=True, help="Do not ask about a placement that is not known to save.")
@click.option("--dry-run", is_flag=True, help="Only build, synthesise and show the plan; nothing is changed.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print the plan as JSON.")
def deploy(
    workflow: str | None,
    placement: str | None,
    *,
    everything: bool,
    force: bool,
    take_over: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Deploy WORKFLOW with its committed placement, or at home; the project's only workflow if none is named.

    A change of placement has to be asked for with --placement.
    """
    check_json(as_json=as_json, dry_run=dry_run)
    with session() as here:
        folders = _folders(workflow, here.root, placement, everything=everything)
        for folder in folders:
            refuse_reserved_name(folder.name, str(folder))
        chosen = (_placed(here, read_workflow(folder, here.target.stage), placement) for folder in folders)
        placed = [replace(one, takes_over=take_over) for one in chosen]
        deployer = CdkDeployer(here.root, notify)
        if dry_run:
            plan = plan_deploy(here.aws, placed, here.target, force=force, everything=everything)
            with console(stderr=True).status("Building and synthesising"):
                deployer.check(plan.request)
            show_plan("deploy", plan.steps, as_json=as_json)
        consent(_applied(here, placed), asker(yes=yes or dry_run))
        if dry_run:
            return
        rollout = Rollout(here.aws, here.target, deployer, notify)
        rollout.deploy(placed, force=force, everything=everything)
    for one in placed:
        say(f"{one.name} is deployed: {one.placement.summary}")
        _say_how_to_commit(one, here.root)
    if len(placed) == 1:
        after_deploy(placed[0].workflow)


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
    _show(entries)


@click.command()
@click.argument("workflow", required=False)
@click.option("--control-plane", is_flag=True, help="Delete the control plane, once no workflow needs it.")
@click.option("--delete-data", is_flag=True, help="Delete tables and bucket too: runs and payloads are lost.")
@click.option("--take-over", is_flag=True, help="Remove it even if another project has deployed it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show the plan; nothing is changed.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print the plan as JSON.")
def remove(
    workflow: str | None,
    *,
    control_plane: bool,
    delete_data: bool,
    take_over: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete the stacks of WORKFLOW in all regions. Its tables and bucket at home stay without --delete-data."""
    check_json(as_json=as_json, dry_run=dry_run)
    if (workflow is None) is not control_plane:
        raise InvalidInputError(
            "what to remove is not said, or twice", where="caribou remove", fix="name a workflow, or --control-plane"
        )
    with session() as here:
        if workflow is None:
            remove_control(here, delete_data=delete_data, yes=yes, dry_run=dry_run, as_json=as_json)
            return
        removal = _removal(here, workflow, delete_data=delete_data, take_over=take_over)
        show_plan("remove", removal.steps, as_json=as_json)
        if dry_run:
            return
        if not yes:
            _consent(removal.workflow, delete_data=delete_data)
        remove_workflow(here.aws, removal, here.target, notify)
    if removal.unseen:
        again = f"caribou remove {removal.workflow}{' --delete-data' if delete_data else ''}"
        raise OperationFailedError(
            f"What was seen of {removal.workflow} is removed; not known what is left in {said_of(removal.unseen)}. To "
            f"repeat when that answers: `{again}`. A region in which it never was can be left"
        )
    say(f"{removal.workflow} is removed")


def _removal(here: Session, workflow: str, *, delete_data: bool, take_over: bool) -> Removal:
    known = here.named(workflow)
    plan = partial(plan_removal, here.aws, delete_data=delete_data, now_s=time.time(), take_over=take_over)
    if known is None:
        return plan(workflow, None, here.target)
    if known.broken is not None:
        notify(f"warning: {known.name} can't be read, and is removed all the same: {known.broken}")
    return plan(known.name, known.home_region or None, here.target, regions=known.regions)


def _folders(workflow: str | None, root: Path, placement: str | None, *, everything: bool) -> Sequence[Path]:
    if everything and (workflow or placement):
        raise InvalidInputError("stands alone", where="--all", fix="leave out the workflow and --placement")
    if workflow is not None:
        return [workflow_folder(workflow, root)]
    folders = workflow_folders(root)
    if everything or len(folders) == 1:
        return folders
    raise InvalidInputError(
        "which workflow is not said",
        where="caribou deploy",
        found=", ".join(folder.name for folder in folders) or "none in workflows/",
        fix="name one, or deploy all with --all",
    )


def _placed(here: Session, workflow: Workflow, choice: str | None) -> PlacedWorkflow:
    """The workflow with the placement that it gets, by the rules of the stacks."""
    if choice is None:
        return PlacedWorkflow(workflow, committed(workflow))
    if choice == DEPLOYED:
        return PlacedWorkflow(workflow, _deployed(here, workflow), commits=True)
    path = Path(choice).absolute()
    placement = asked_for(choice, path, workflow, datetime.now(UTC))
    return PlacedWorkflow(workflow, placement, HOME if choice == HOME else str(path))


def _applied(here: Session, placed: Sequence[PlacedWorkflow]) -> dict[str, Placement]:
    """The placements that begin to count: files that are asked for, and committed ones of what is not deployed yet."""
    return {
        one.name: one.placement
        for one in placed
        if not one.commits and moves_anything(one.placement) and (one.argument is not None or _is_new(here, one))
    }


def _is_new(here: Session, placed: PlacedWorkflow) -> bool:
    return home_stack(here.aws, placed.name, here.target.stage, placed.home_region) is None


def _deployed(here: Session, workflow: Workflow) -> Placement:
    """The deployed placement, which must be one that the workflow of today may have."""
    home = home_stack(here.aws, workflow.name, here.target.stage, workflow.manifest.home_region)
    if home is None:
        raise InvalidInputError("nothing is deployed to keep", where=workflow.name, fix="leave out --placement")
    placement = deployed_workflow(here.aws, home).placement
    return kept(workflow, placement, f"the placement deployed with {home.name}")


def _say_how_to_commit(placed: PlacedWorkflow, root: Path) -> None:
    """A placement that was asked for is deployed; what the next plain deploy needs to keep it."""
    committed = placed.workflow.committed_placement
    shown = committed.relative_to(root) if committed.is_relative_to(root) else committed
    if placed.argument == HOME:
        if committed.is_file():
            say(f"To make it the committed placement, so that plain deploys keep it: rm {shown}")
    elif placed.argument is not None and Path(placed.argument).resolve() != committed.resolve():
        say(f"To make it the committed placement, so that plain deploys keep it: cp {placed.argument} {shown}")


def _consent(name: str, *, delete_data: bool) -> None:
    if delete_data:
        typed = click.prompt(f"This destroys data. Type the workflow's name to go on ({printable(name)})", default="")
        if typed != name:
            raise InvalidInputError("is not the workflow's name, so nothing was removed", where="answer", fix="type it")
        return
    click.confirm("Remove it?", abort=True)


def _show(entries: Sequence[Entry]) -> None:
    table = Table("workflow", "placement", "stacks", "updated", show_lines=True)
    for entry in entries:
        table.add_row(
            f"{entry.name}\n{entry.version if entry.broken is None else 'broken'}",
            _shown(entry),
            "\n".join(_stacks(entry)),
            f"{entry.deployed.home.changed_at:%Y-%m-%d\n%H:%MZ}" if entry.deployed else "",
        )
    console().print(table)


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
    runs = [f"{entry.open_runs} open runs"] if entry.open_runs else []
    missing = 0 if entry.unrecorded is None else entry.unrecorded.executions
    return [
        f"{entry.home_region}, home",
        *stacks,
        *runs,
        *([f"{missing} executions\nwithout record"] if missing else []),
    ]


def _expiry(placement: Placement) -> str:
    return f"until {placement.expires_at:%Y-%m-%d %H:%MZ}" if placement.expires_at else "never expires"
