"""The runs that verbs have shown lately, by project: what a shell offers where a run's id is wanted.

They stand in the user's cache. Nothing rests on them: a cache that can't be read or written is as an empty one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from caribou.cli.output import write_whole
from caribou.model.cache import cache_folder
from caribou.model.errors import OperationFailedError
from caribou.model.run.fields import is_run_name

KEPT = 100


def seen_runs(root: Path) -> Sequence[str]:
    """Ids of runs in the project in a folder, the newest first."""
    try:
        names = _file(root).read_text(encoding="utf-8").split()
    except (OSError, ValueError, OperationFailedError):
        return ()
    return [name for name in names if is_run_name(name)]


def saw_runs(root: Path, run_ids: Iterable[str]) -> None:
    """Keep ids of runs that were shown, the newest first."""
    kept = list(dict.fromkeys((*run_ids, *seen_runs(root))))[:KEPT]
    with suppress(OSError, OperationFailedError):
        file = _file(root)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, "\n".join(kept) + "\n")


def _file(root: Path) -> Path:
    """The project's file in the cache."""
    return cache_folder() / "runs" / hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
