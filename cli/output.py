"""What verbs write: lines of text, which are escaped here (tables: `caribou.cli.console`), and files."""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from caribou.model.errors import OperationFailedError
from caribou.model.printable import printable

STAGE_GIVEN = ContextVar[str | None]("STAGE_GIVEN", default=None)
"""What `--stage` says: not what comes from the environment or the project, which hold for the next command too."""
_COMMAND = re.compile(r"(?<=[: ] )caribou (?=[a-z])|(?<=`)caribou (?=[a-z])")
"""Where a message has a command to copy: in backquotes, after a colon, or set off by spaces."""


def say(text: str = "") -> None:
    """Print what was asked for, on standard output."""
    click.echo(printable(text))


def notify(message: str) -> None:
    """Print a message on standard error: standard output is for what was asked for, which programs may read."""
    click.echo(printable(at_stage(message)), err=True)


def at_stage(message: str) -> str:
    """A message whose commands, as they are copied, work on the stage that this command was given."""
    stage = STAGE_GIVEN.get()
    return message if stage is None else _COMMAND.sub(f"caribou --stage {stage} ", message)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, so that a reader never sees half of it. Raises OperationFailedError.

    What a link leads to is written, not the link; what is no file, such as a pipe, is written to as it is.
    """
    target, written = Path(os.path.realpath(path)), content if isinstance(content, bytes) else content.encode()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(written)
        else:
            _replace(target, written)
    except OSError as error:
        raise OperationFailedError(
            f"{path} can't be written: {error.strerror}. Check the folder and its rights"
        ) from error


def _replace(path: Path, content: bytes) -> None:
    with NamedTemporaryFile("wb", dir=path.parent, prefix=".caribou-", delete=False) as file:
        file.write(content)
    draft = Path(file.name)
    try:
        draft.chmod(0o644)
        draft.replace(path)  # at once, as POSIX guarantees
    except OSError:
        draft.unlink()
        raise
