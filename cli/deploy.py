"""`caribou deploy`, `list` and `remove`: what is deployed, and changing it with the CDK."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from caribou.cli.cdk_deployer import CdkDeployer
from caribou.cli.project import control_region, project_root, stage, workflow_folder
from caribou.collectors.registrations import SsmRegistry, registered
from caribou.control.aws import Aws, telling
from caribou.control.deploy.checks import Wanted
from caribou.control.deploy.deploy import deploy as deploy_workflows
from caribou.control.deploy.removal import plan_removal
from caribou.control.deploy.removal import remove as remove_workflow
from caribou.control.inventory import Entry, inventory
from caribou.control.migrate.pending import commit
from caribou.control.stacks.deployed import deployed_workflow, home_stack
from caribou.control.target import Target
from caribou.control.workflows import Subject, subjects
from caribou.model.errors import InvalidInputError
from caribou.model.placement import Placement
from caribou.model.project.placement_choice import HOME, asked_for, committed
from caribou.model.project.workflow import COMMITTED_PLACEMENT, Workflow, read_workflow, workflow_folders

DEPLOYED = "deployed"
_DIGITS = 12


@click.command()
@click.argument("workflow", required=False)
@click.option("--placement", help="The placement: a file, `home`, or `deployed` to keep and commit what is deployed.")
@click.option("--all", "everything", is_flag=True, help="Deploy the control plane and all workflows of the project.")
@click.option("--force", is_flag=True, help="Deploy a changed graph even while runs are open.")
def deploy(workflow: str | None, placement: str | None, *, everything: bool, force: bool) -> None:
    """Deploy WORKFLOW with its committed placement, or at home; the project's only workflow if none is named.

    A change of placement has to be asked for with --placement.
    """
    root = project_root()
    target = target_of(root)
    folders = _folders(workflow, root, placement, everything=everything)
    workflows = [read_workflow(folder) for folder in folders]
    with Aws() as aws:
        if placement == DEPLOYED:
            _keep_deployed(aws, workflows[0], target)
            placement = None
        wanted = [_wanted(one, placement) for one in workflows]
        deploy_workflows(aws, CdkDeployer(root, _tell), wanted, target, force=force, everything=everything)
    for one in wanted:
        click.echo(f"{one.workflow.name} is deployed: {one.placement.summary}")
    if placement is not None:
        _say_how_to_commit(wanted[0], root)


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(*, as_json: bool) -> None:
    """List the workflows: of this project, registered, or with stacks left."""
    root = project_root()
    with Aws() as aws:
        entries = inventory(aws, all_subjects(root), target_of(root), time.time())
    for trouble in filter(None, (entry.trouble for entry in entries)):
        click.echo(f"warning: {trouble}", err=True)
    if as_json:
        click.echo(json.dumps([entry.to_json() for entry in entries], indent=1))
        return
    _show(entries)


@click.command()
@click.argument("workflow")
@click.option("--delete-data", is_flag=True, help="Delete home's tables and bucket too: runs and payloads are lost.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(workflow: str, *, delete_data: bool, yes: bool) -> None:
    """Delete the stacks of WORKFLOW in all regions. Its tables and bucket at home stay, unless told otherwise."""
    root = project_root()
    target = target_of(root)
    with Aws() as aws:
        subject = next((one for one in all_subjects(root) if one.name in (workflow, workflow.replace("-", "_"))), None)
        name = workflow if subject is None else subject.name
        home = None if subject is None else subject.home_region
        removal = plan_removal(aws, name, home, target, delete_data=delete_data, now_s=time.time())
        for line in removal.lines():
            click.echo(line)
        if not yes:
            _consent(name, delete_data=delete_data)
        remove_workflow(aws, removal, target, _tell)
    click.echo(f"{name} is removed")


def target_of(root: Path) -> Target:
    """Where the project in a folder is deployed."""
    return Target(stage(root), control_region(root))


def all_subjects(root: Path) -> tuple[Subject, ...]:
    """The workflows of the project and of the registry. A broken registration is a warning."""
    region = control_region(root)
    with telling(f"Reading the registrations in {region}"):
        registrations, wrong = registered(SsmRegistry(stage(root), region))
    for message in wrong:
        click.echo(f"warning: {message}", err=True)
    return subjects([read_workflow(folder) for folder in workflow_folders(root)], registrations)


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


def _wanted(workflow: Workflow, choice: str | None) -> Wanted:
    """The placement that a deployment gets, by the rules of the stacks."""
    if choice is None:
        return Wanted(workflow, committed(workflow))
    path = Path(choice).absolute()
    placement = asked_for(choice, path, workflow, datetime.now(UTC))
    return Wanted(workflow, placement, HOME if choice == HOME else str(path))


def _keep_deployed(aws: Aws, workflow: Workflow, target: Target) -> None:
    """Make the deployed placement the committed one; home is what is deployed where nothing is committed."""
    home = home_stack(aws, workflow.name, target.stage, workflow.manifest.home_region)
    if home is None:
        raise InvalidInputError("nothing is deployed to keep", where=workflow.name, fix="leave out --placement")
    placement = deployed_workflow(aws, home).placement
    if placement.regions == {workflow.manifest.home_region}:
        (workflow.folder / COMMITTED_PLACEMENT).unlink(missing_ok=True)
        return
    workflow.check(placement, f"the placement deployed with {home.name}")
    commit(workflow, json.dumps(placement.to_json(), indent=1) + "\n")


def _say_how_to_commit(wanted: Wanted, root: Path) -> None:
    """A placement that was asked for is deployed; what the next plain deploy needs to keep it."""
    committed = wanted.workflow.folder / COMMITTED_PLACEMENT
    shown = committed.relative_to(root) if committed.is_relative_to(root) else committed
    if wanted.argument == HOME:
        if committed.is_file():
            click.echo(f"To make it the committed placement, so that plain deploys keep it: rm {shown}")
    elif wanted.argument is not None and Path(wanted.argument).resolve() != committed.resolve():
        click.echo(f"To make it the committed placement, so that plain deploys keep it: cp {wanted.argument} {shown}")


def _consent(name: str, *, delete_data: bool) -> None:
    if delete_data:
        typed = click.prompt(f"This destroys data. Type the workflow's name to go on ({name})", default="")
        if typed != name:
            raise InvalidInputError("is not the workflow's name, so nothing was removed", where="answer", fix="type it")
        return
    click.confirm("Remove it?", abort=True)


def _show(entries: Sequence[Entry]) -> None:
    table = Table("workflow", "placement", "stacks", "updated", show_lines=True)
    for entry in entries:
        table.add_row(
            f"{entry.name}\n{entry.version}",
            _placed(None if entry.deployed is None else entry.deployed.placement),
            "\n".join(_stacks(entry)),
            f"{entry.deployed.home.changed_at:%Y-%m-%d\n%H:%MZ}" if entry.deployed else "",
        )
    Console(highlight=False).print(table)


def _placed(placement: Placement | None) -> str:
    if placement is None:
        return "not deployed"
    lines = (placement.digest[:_DIGITS], *sorted(placement.regions), _expiry(placement))
    return "\n".join(lines)


def _stacks(entry: Entry) -> list[str]:
    """A line each region's stack, and one for the runs that are open."""
    idle = entry.idle_regions
    stacks = [f"{s.region}, to be retired" if s.region in idle else s.region for s in entry.regions]
    return [f"{entry.home_region}, home", *stacks, *([f"{entry.open_runs} open runs"] if entry.open_runs else [])]


def _expiry(placement: Placement) -> str:
    return f"until {placement.expires_at:%Y-%m-%d %H:%MZ}" if placement.expires_at else "never expires"


def _tell(message: str) -> None:
    click.echo(message, err=True)
