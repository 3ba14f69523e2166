"""The committed placement of a workflow: the file with which plain deploys keep what is deployed."""

from __future__ import annotations

import json

from caribou.control.deploy.checks import PlacedWorkflow
from caribou.model.project.workflow import Workflow


def commit(workflow: Workflow, text: str) -> None:
    """Write the workflow's committed placement, in one step."""
    path = workflow.committed_placement
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def commit_placed(placed: PlacedWorkflow) -> None:
    """Make its placement the committed one; home is what is deployed where nothing is committed."""
    if placed.placement.regions == {placed.home_region}:
        placed.workflow.committed_placement.unlink(missing_ok=True)
    else:
        commit(placed.workflow, json.dumps(placed.placement.to_json(), indent=1) + "\n")
