"""Where Caribou keeps what can be made again: tools, bundles."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The cache's folder: `CARIBOU_CACHE_DIR`, else `caribou` in the user's cache folder (XDG)."""
    if named := os.environ.get("CARIBOU_CACHE_DIR"):
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "caribou"
