"""Which placement a deployment gets: the one asked for, else the committed one, else home."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from caribou.model.errors import InvalidPlacementError
from caribou.model.names import DEFAULT_STAGE
from caribou.model.placement import Placement
from caribou.model.project.workflow import Workflow
from caribou.model.schema.placement import read_placement

HOME = "home"
"""What asks for everything at home, in place of a file."""


def asked_for(choice: str, path: Path, workflow: Workflow, now: datetime) -> Placement:
    """The placement that is asked for: `home`, or a file that must be for this workflow and still valid at `now`."""
    if choice == HOME:
        return workflow.home
    placement = read_placement(path)
    workflow.check(placement, str(path))
    if placement.is_expired(now):
        raise InvalidPlacementError(
            "has expired", where=str(path), found=placement.expires_at, fix="collect and solve again, or place at home"
        )
    return placement


def committed(workflow: Workflow) -> Placement:
    """The workflow's committed placement, or home if it has none. An expired one counts: its runs stay home."""
    path, unread = workflow.committed_placement, workflow.folder / f".caribou/placement.{DEFAULT_STAGE}.json"
    if workflow.stage == DEFAULT_STAGE and os.path.lexists(unread):
        fix = f"call it {path.name}, or remove it"
        raise InvalidPlacementError(f"is not where the placement of {DEFAULT_STAGE} is", where=str(unread), fix=fix)
    if not os.path.lexists(path):
        return workflow.home
    if not path.is_file():  # it would be waited for, or never end; home must not be taken for what was committed
        raise InvalidPlacementError(
            "is no file that can be read", where=str(path), fix="put the placement there, or remove it for home"
        )
    placement = read_placement(path)
    workflow.check(placement, str(path))
    return placement
