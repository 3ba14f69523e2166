"""Where the user's project is, and what stands in its `cdk.json`."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from caribou.model.errors import InvalidInputError
from caribou.model.names import (
    CONTROL_REGION_KEY,
    DEFAULT_CONTROL_REGION,
    DEFAULT_STAGE,
    STAGE_KEY,
    checked_control_region,
    checked_stage,
)
from caribou.model.project.folders import workflow_folders


def project_root() -> Path:
    """The project folder: the nearest folder with a `cdk.json`, from the current one upward."""
    here = Path.cwd()
    if (root := nearest_project(here)) is not None:
        return root
    raise InvalidInputError(
        "is not inside a project: no cdk.json here or above",
        where=str(here),
        fix="change to the project folder, or begin one with `caribou new_workflow`",
    )


def nearest_project(start: Path) -> Path | None:
    """The folder of cdk.json, found from `start` upward; None if there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / "cdk.json").is_file()), None)


def workflow_folder(name: str, root: Path | None = None) -> Path:
    """The folder of a workflow, `workflows/<name>/` in the project. Hyphens in the name stand for underscores."""
    root = project_root() if root is None else root
    known = {folder.name: folder for folder in workflow_folders(root)}
    for candidate in (name, name.replace("-", "_")):
        if candidate in known:
            return known[candidate]
    near = difflib.get_close_matches(name, known, n=1)
    raise InvalidInputError(
        "there is no such workflow",
        where=str(root / "workflows"),
        found=name,
        fix=f"did you mean {near[0]}? Known: {', '.join(known)}"
        if near
        else f"use one of: {', '.join(known) or 'none yet, make one with `caribou new_workflow`'}",
    )


def control_region(root: Path) -> str:
    """The region of the control plane: context key `caribou:control_region` of `cdk.json`, else us-west-2."""
    key = CONTROL_REGION_KEY
    region = context_text(root, key, DEFAULT_CONTROL_REGION)
    return checked_control_region(region, f"{root / 'cdk.json'}: context {key}")


def stage(root: Path) -> str:
    """The stage: context key `caribou:stage` of `cdk.json`, else the default one."""
    key = STAGE_KEY
    return checked_stage(context_text(root, key, DEFAULT_STAGE), f"{root / 'cdk.json'}: context {key}")


def context_text(root: Path, key: str, default: str) -> str:
    """The text at a context key of the project's `cdk.json`, else the default. InvalidInputError if it is no text."""
    path = root / "cdk.json"
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            "can't be read as JSON", where=str(path), found=str(error), fix="mend the file"
        ) from error
    context = data.get("context", {}) if isinstance(data, dict) else {}
    value = context.get(key, default) if isinstance(context, dict) else default
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"has no text at {key}", where=f"{path}: context", found=value, fix=f"write {default}")
    return value
