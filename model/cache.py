"""Where Caribou keeps what can be made again: tools, bundles."""

from __future__ import annotations

import os
from pathlib import Path

from caribou.model.errors import OperationFailedError


def cache_folder() -> Path:
    """The cache's folder: `CARIBOU_CACHE_DIR`, else `caribou` in the user's cache folder (XDG).

    Raises OperationFailedError for a user who has none.
    """
    if named := os.environ.get("CARIBOU_CACHE_DIR"):
        return Path(named).absolute()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "caribou"
    except RuntimeError as error:  # a container's user may have no home
        raise OperationFailedError(
            "This user has no home folder for Caribou's cache. Set CARIBOU_CACHE_DIR to a folder that you may write to"
        ) from error
