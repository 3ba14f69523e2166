"""Which placement a workflow gets, as it was asked for: what `deploy` and `plan` share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from caribou.cli.session import Session
from caribou.control.deploy.checks import PlacedWorkflow, kept
from caribou.control.stacks.deployed import deployed_workflow, home_stack
from caribou.model.errors import InvalidInputError
from caribou.model.placement import Placement
from caribou.model.project.placement_choice import HOME, asked_for, committed
from caribou.model.project.workflow import Workflow

DEPLOYED = "deployed"


def placed_as_asked(here: Session, workflow: Workflow, choice: str | None) -> PlacedWorkflow:
    """The workflow with the placement that it gets, by the rules of the stacks."""
    if choice is None:
        return PlacedWorkflow(workflow, committed(workflow))
    if choice == DEPLOYED:
        return PlacedWorkflow(workflow, _deployed(here, workflow), commits=True)
    path = Path(choice).absolute()
    placement = asked_for(choice, path, workflow, datetime.now(UTC))
    return PlacedWorkflow(workflow, placement, HOME if choice == HOME else str(path))


def _deployed(here: Session, workflow: Workflow) -> Placement:
    """The deployed placement, which must be one that the workflow of today may have."""
    home = home_stack(here.aws, workflow.name, here.target.stage, workflow.manifest.home_region)
    if home is None:
        raise InvalidInputError("nothing is deployed to keep", where=workflow.name, fix="leave out --placement")
    placement = deployed_workflow(here.aws, home).placement
    return kept(workflow, placement, f"the placement deployed with {home.name}")
