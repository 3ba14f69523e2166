"""Where the workflows of a project lie."""

from __future__ import annotations

import os
from pathlib import Path

MANIFEST = Path(".caribou", "config.yml")


def workflow_folders(root: Path) -> tuple[Path, ...]:
    """The folders of all workflows of a project: those below `workflows/` that have a manifest, even one of no use."""
    folders = sorted((root / "workflows").glob("*/"))
    return tuple(folder for folder in folders if os.path.lexists(folder / MANIFEST))
