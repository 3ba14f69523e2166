"""Where a project lies, and its workflows."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT_FILE = "cdk.json"
MANIFEST = Path(".caribou", "config.yml")


def nearest_project(start: Path) -> Path | None:
    """The nearest folder with a `cdk.json`, from `start` upward; None if there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / PROJECT_FILE).is_file()), None)


def workflow_folders(root: Path) -> tuple[Path, ...]:
    """The folders of all workflows of a project: those below `workflows/` that have a manifest, even one of no use."""
    folders = sorted((root / "workflows").glob("*/"))
    return tuple(folder for folder in folders if os.path.lexists(folder / MANIFEST))
