"""A module's source as a tree: what Python would refuse when it imports the module is refused here."""

from __future__ import annotations

import ast
import sys
import warnings
from pathlib import Path

from caribou.model.errors import InvalidWorkflowError

_HERE = (sys.version_info.major, sys.version_info.minor)
MAX_SOURCE_BYTES = 10 * 1024 * 1024


def parsed(path: Path, python_version: str | None = None) -> ast.Module:
    """The tree of a file, which is compiled too: only that finds a `break` outside a loop. Nothing is run.

    `python_version` is the Python that will run it, if that is not this one. Raises InvalidWorkflowError.
    """
    wanted = _HERE if python_version is None else min(_HERE, _numbers(python_version))
    try:
        source = _content(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is legal but doubtful, Python itself warns
            tree = ast.parse(source, filename=str(path), feature_version=wanted)
            compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise InvalidWorkflowError(
            f"this is not Python: {error.msg}",
            where=f"{path}:{error.lineno or 1}",
            found=(error.text or "").strip() or None,
            fix=f"correct the syntax, which is read as that of Python {'.'.join(map(str, wanted))}",
        ) from None
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidWorkflowError(
            f"this can't be read as Python: {error}", where=f"{path}:1", fix="correct the file"
        ) from None
    return tree


def is_older(python_version: str) -> bool:
    """Whether it is a Python that reads less than this one."""
    return _numbers(python_version) < _HERE


def _content(path: Path) -> bytes:
    """Raises OSError, or ValueError if the file is too large to be source."""
    if (size := path.stat().st_size) > MAX_SOURCE_BYTES:
        raise ValueError(f"it has {size} bytes")
    return path.read_bytes()


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)
