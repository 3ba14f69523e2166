"""Where the user's project is, and what stands in its `cdk.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from caribou.cli.hints import STAGE
from caribou.model.errors import InvalidInputError
from caribou.model.project.folders import PROJECT_FILE, nearest_project, workflow_folders
from caribou.model.project.settings import AskedStage, ProjectSettings, settings_of
from caribou.model.schema.nearest import nearest
from caribou.model.template_contract import STAGE_VARIABLE

if TYPE_CHECKING:
    from caribou.collectors.bodies import Kind
    from caribou.collectors.sources.choice import SourceChoice


def project_root() -> Path:
    """The project folder: the nearest folder with a `cdk.json`, from the current one upward.

    What that says to Caribou is checked here, so by every verb that works on a project.
    """
    here = Path.cwd()
    if (root := nearest_project(here)) is not None:
        settings(root)
        return root
    raise InvalidInputError(
        "is not inside a project: no cdk.json here or above",
        where=str(here),
        fix="change to the project folder, or begin one with `caribou new_workflow`",
    )


def workflow_folder(name: str, root: Path | None = None) -> Path:
    """The folder of a workflow, `workflows/<name>/` in the project. Hyphens in the name stand for underscores."""
    root = project_root() if root is None else root
    known = {folder.name: folder for folder in workflow_folders(root)}
    for candidate in (name, name.replace("-", "_")):
        if candidate in known:
            return known[candidate]
    near = nearest(name, known)
    raise InvalidInputError(
        "there is no such workflow",
        where=str(root / "workflows"),
        found=name,
        fix=f"did you mean {near[0]}? Known: {', '.join(known)}"
        if near
        else f"use one of: {', '.join(known) or 'none yet, make one with `caribou new_workflow`'}",
    )


def control_region(root: Path) -> str:
    """The region of the control plane at the stage that is worked on."""
    return settings(root).control_region


def stage(root: Path) -> str:
    """The stage that is worked on: `--stage`, else `CARIBOU_STAGE`, else `caribou:stage` in `cdk.json`, else `dev`."""
    return settings(root).stage


def settings(root: Path) -> ProjectSettings:
    """What the context of the project's `cdk.json` says, at the stage that is worked on. Raises InvalidInputError."""
    return settings_of(_context(root), f"{root / PROJECT_FILE}: context ", asked_stage())


def asked_stage() -> AskedStage | None:
    """The stage that this command was asked for, by an option or the environment."""
    context = click.get_current_context(silent=True)
    given = None if context is None else context.meta.get(STAGE)
    if given is not None:
        return AskedStage(given, STAGE)
    variable = os.environ.get(STAGE_VARIABLE)
    return AskedStage(variable, STAGE_VARIABLE) if variable else None


def context_text(root: Path, key: str, default: str) -> str:
    """The text at a context key of the project's `cdk.json`, else the default. InvalidInputError if it is no text."""
    value = _context(root).get(key, default)
    if not isinstance(value, str) or not value:
        where = f"{root / PROJECT_FILE}: context"
        raise InvalidInputError(f"has no text at {key}", where=where, found=value, fix=f"write {default}")
    return value


def source_choice(root: Path) -> SourceChoice:
    """Where the project's facts come from. Raises InvalidInputError."""
    from caribou.collectors.sources.choice import read_choice  # noqa: PLC0415 - for few verbs

    return read_choice(_context(root), f"{root / PROJECT_FILE}: context ", root)


def collected_every(root: Path) -> Mapping[Kind, timedelta]:
    """After how long the control plane collects facts again, of each kind, at most. Raises InvalidInputError."""
    from caribou.collectors.bodies import KINDS  # noqa: PLC0415 - for few verbs
    from caribou.model.project.collect_at import collect_at  # noqa: PLC0415 - as above

    live_carbon = source_choice(root).asks_a_service("carbon")
    schedules = collect_at(_context(root), f"{root / PROJECT_FILE}: context ", live_carbon=live_carbon)
    return {kind: schedules[kind].longest for kind in KINDS}


def _context(root: Path) -> dict[str, Any]:
    path = root / PROJECT_FILE
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            "can't be read as JSON", where=str(path), found=str(error), fix="mend the file"
        ) from error
    context = data.get("context", {}) if isinstance(data, dict) else {}
    return context if isinstance(context, dict) else {}
