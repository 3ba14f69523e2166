"""What verbs write: lines of text, which are escaped here (tables: `caribou.cli.console`), and files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from caribou.cli.hints import staged
from caribou.model.errors import OperationFailedError
from caribou.model.printable import printable


def say(text: str = "") -> None:
    """Print what was asked for, on standard output."""
    click.echo(printable(text))


def notify(message: str) -> None:
    """Print a message on standard error: standard output is for what was asked for, which programs may read.

    Commands in it are at this one's stage.
    """
    click.echo(printable(staged(message)), err=True)


def write_whole(path: Path, content: str | bytes | Iterable[str]) -> None:
    """Write a file whole or not at all, so that a reader never sees half of it. Raises OperationFailedError.

    What a link leads to is written, not the link; what is no file, such as a pipe, is written to as it is. Texts that
    are made one by one are never all in memory.
    """
    target = Path(os.path.realpath(path))
    parts = [content] if isinstance(content, str | bytes) else content
    written = (part if isinstance(part, bytes) else part.encode() for part in parts)
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                file.writelines(written)
        else:
            _replace(target, written)
    except OSError as error:
        raise OperationFailedError(
            f"{path} can't be written: {error.strerror}. Check the folder and its rights"
        ) from error


def _replace(path: Path, content: Iterable[bytes]) -> None:
    with NamedTemporaryFile("wb", dir=path.parent, prefix=".caribou-", delete=False) as file:
        draft = Path(file.name)
        try:
            file.writelines(content)
        except BaseException:
            draft.unlink()
            raise
    try:
        draft.chmod(0o644)
        draft.replace(path)  # at once, as POSIX guarantees
    except OSError:
        draft.unlink()
        raise
