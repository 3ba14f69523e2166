"""`caribou deploy` and `remove`: changing what is deployed with the CDK."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from caribou.cli.cdk_deployer import CdkDeployer
from caribou.cli.cdk_synthesiser import CdkSynthesiser
from caribou.cli.consent import Ask, asker, consent, consent_to_removal
from caribou.cli.control_removal import remove_control
from caribou.cli.next_step import after_deploy, after_upload
from caribou.cli.output import notify, say
from caribou.cli.placing import placed_as_asked
from caribou.cli.plan_view import check_json, show_plan
from caribou.cli.project import workflow_folder
from caribou.cli.review_view import reviews, reviews_json, show_reviews
from caribou.cli.session import Session, session
from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.deploy import Rollout
from caribou.control.deploy.difference import stack_changes
from caribou.control.deploy.planning import DeployPlan, moves, plan_deploy
from caribou.control.deploy.removal import Removal, plan_removal
from caribou.control.deploy.removal import remove as remove_workflow
from caribou.control.stacks.deployed import deployed_workflow, home_stack, said_of
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.names import refuse_reserved_name
from caribou.model.placement import Placement
from caribou.model.project.placement_choice import HOME
from caribou.model.project.workflow import read_workflow, workflow_folders
from caribou.model.verdict import doubt_of, moves_anything


@click.command()
@click.argument("workflow", required=False)
@click.option("--placement", help="The placement: a file, `home`, or `deployed` to keep and commit what is deployed.")
@click.option("--all", "everything", is_flag=True, help="Deploy the control plane and all workflows of the project.")
@click.option(
    "--force", is_flag=True, help="Deploy a changed graph even while runs are open, or under the same version."
)
@click.option("--take-over", is_flag=True, help="Overwrite a workflow of this name that another project has deployed.")
@click.option("--yes", is_flag=True, help="Do not ask: about a move, or a placement that is not known to save.")
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
        chosen = (placed_as_asked(here, read_workflow(folder, here.target.stage), placement) for folder in folders)
        placed = [replace(one, takes_over=take_over) for one in chosen]
        applied, ask, shown = _applied(here, placed), asker(yes=yes or dry_run), None
        if ask is None:
            consent(applied, None)
        if dry_run or _would_move(here, placed):
            shown = plan_deploy(here.aws, placed, here.target, force=force, everything=everything)
            _show_review(here, shown, as_json=as_json, builds=dry_run)
        if ask is not None:
            _ask(applied, ask, moved=shown is not None)
        if dry_run:
            return
        rollout = Rollout(here.aws, here.target, CdkDeployer(here.root, notify), notify)
        rollout.deploy(placed, force=force, everything=everything, shown=shown)
    for one in placed:
        say(f"{one.name} is deployed: {one.placement.summary}")
        _say_how_to_commit(one, here.root)
    if len(placed) == 1:
        next_step = after_deploy if shown is None else after_upload  # what moves was there before
        next_step(placed[0].workflow)


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
            consent_to_removal("workflow", removal.workflow, delete_data=delete_data)
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


def _would_move(here: Session, placed: Sequence[PlacedWorkflow]) -> bool:
    """Whether a placement that is asked for moves nodes of what is deployed."""
    for one in (one for one in placed if one.argument is not None):
        home = home_stack(here.aws, one.name, here.target.stage, one.home_region)
        if home is not None and moves(deployed_workflow(here.aws, home).placement, one.placement):
            return True
    return False


def _show_review(here: Session, plan: DeployPlan, *, as_json: bool, builds: bool) -> None:
    synthesiser, stage = CdkSynthesiser(here.root, notify, builds), here.target.stage
    changes = stack_changes(here.aws, plan, synthesiser)
    if as_json:
        say(reviews_json("deploy", plan, changes, stage))
    elif plan.workflows:
        show_reviews(reviews(plan, changes, stage))
    else:
        show_plan("deploy", plan.steps)


def _ask(applied: Mapping[str, Placement], ask: Ask, *, moved: bool) -> None:
    """Ask once, if there is something to ask: about placements that are not known to save, or else about a move."""
    consent(applied, ask)
    if moved and not any(map(doubt_of, applied.values())):
        ask("Deploy this?")


def _applied(here: Session, placed: Sequence[PlacedWorkflow]) -> dict[str, Placement]:
    """The placements that begin to count: files that are asked for, and committed ones of what is not deployed yet."""
    return {
        one.name: one.placement
        for one in placed
        if not one.commits and moves_anything(one.placement) and (one.argument is not None or _is_new(here, one))
    }


def _is_new(here: Session, placed: PlacedWorkflow) -> bool:
    return home_stack(here.aws, placed.name, here.target.stage, placed.home_region) is None


def _say_how_to_commit(placed: PlacedWorkflow, root: Path) -> None:
    """A placement that was asked for is deployed; what the next plain deploy needs to keep it."""
    committed = placed.workflow.committed_placement
    shown = committed.relative_to(root) if committed.is_relative_to(root) else committed
    if placed.argument == HOME:
        if committed.is_file():
            say(f"To make it the committed placement, so that plain deploys keep it: rm {shown}")
    elif placed.argument is not None and Path(placed.argument).resolve() != committed.resolve():
        say(f"To make it the committed placement, so that plain deploys keep it: cp {placed.argument} {shown}")
