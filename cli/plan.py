"""`caribou plan`: what a move would change, for whoever reviews it. Nothing is changed."""

from __future__ import annotations

import os

import click

from caribou.cli.cdk_synthesiser import CdkSynthesiser
from caribou.cli.next_step import after_plan
from caribou.cli.output import notify, say
from caribou.cli.placing import placed_as_asked
from caribou.cli.project import workflow_folder
from caribou.cli.review_view import reviews, reviews_json, show_reviews
from caribou.cli.session import session
from caribou.control.deploy.difference import stack_changes
from caribou.control.deploy.planning import plan_deploy
from caribou.model.errors import InvalidInputError
from caribou.model.project.placement_choice import HOME
from caribou.model.project.workflow import Workflow, read_workflow


@click.command()
@click.argument("workflow")
@click.option("--placement", help="The placement: a file, or `home`. Default: the committed one, else home.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a comment on a pull request.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(workflow: str, placement: str | None, *, markdown: bool, as_json: bool) -> None:
    """Show what deploying WORKFLOW with a placement would move and change, on one screen; nothing is changed."""
    if markdown and as_json:
        raise InvalidInputError("are two forms of the same plan", where="--markdown and --json", fix="leave out one")
    with session() as here:
        definition = read_workflow(workflow_folder(workflow, here.root), here.target.stage)
        placed = placed_as_asked(here, definition, _asked(definition, placement))
        found = plan_deploy(here.aws, [placed], here.target, force=True, everything=False)  # runs end until then
        changes, stage = stack_changes(here.aws, found, CdkSynthesiser(here.root, notify)), here.target.stage
    if as_json:
        say(reviews_json("plan", found, changes, stage))
        return
    show_reviews(reviews(found, changes, stage), markdown=markdown)
    if found.moves or not found.deployed:  # a committed placement that moves something has to be asked for
        after_plan(definition.name, _asked(definition, placement) if found.moves else placement)


def _asked(workflow: Workflow, placement: str | None) -> str:
    """What is asked for: `deploy` refuses a committed placement that moves something unasked, a plan shows it."""
    committed = workflow.committed_placement
    return placement or (str(committed) if os.path.lexists(committed) else HOME)
