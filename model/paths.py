"""Paths that users name: asking whether something is there never raises, whatever the name."""

from __future__ import annotations

from pathlib import Path


def is_file(path: Path) -> bool:
    """Whether a plain file is there, links followed; not if its name is longer than any may be."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_there(path: Path) -> bool:
    """Whether anything is there that can be reached, links followed."""
    try:
        return path.exists()
    except OSError:
        return False
