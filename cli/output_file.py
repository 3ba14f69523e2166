"""Files that options name to be written: whether they can be is found out before the work, not after it."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import click

from caribou.model.errors import InvalidInputError


class OutputFile(click.Path):
    """A file that can be written; what is there is left as it is."""

    name = "file"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # noqa: ANN401 - click's
        """The path. Raises InvalidInputError."""
        path = Path(value)
        super().convert(value, param, ctx)
        check_output(path, "the output" if param is None else max(param.opts, key=len))
        return path


def check_output(path: Path, where: str) -> None:
    """Find out whether a file can be written; leaves what is there as it is. Raises InvalidInputError."""
    target = Path(os.path.realpath(path))  # a link may lead to where nothing is yet
    try:
        if not (path.parent.is_dir() and target.parent.is_dir()):
            raise InvalidInputError("there is no such folder", where=where, found=path.parent, fix="make it first")
        is_new = not target.exists()
        if is_new or not (target.is_fifo() or target.is_char_device()):
            target.open("ab").close()
            NamedTemporaryFile(dir=target.parent).close()  # the result is written beside it first
        if is_new:
            target.unlink()
    except OSError as error:
        raise InvalidInputError(
            f"can't be written: {error.strerror}", where=where, found=path, fix="name a file that can"
        ) from error
