"""A file for a picture: its ending says of which kind it is, and what can't be drawn is refused before the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from caribou.cli.output import write_whole
from caribou.cli.output_file import OutputFile
from caribou.model.errors import InvalidInputError

ENDINGS = (".svg", ".png")


class PictureFile(OutputFile):
    """A file that ends in .svg, or in .png where that can be drawn, and can be written."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # noqa: ANN401 - click's
        """The path. Raises InvalidInputError."""
        path = super().convert(value, param, ctx)
        if path.suffix.lower() not in ENDINGS:
            raise InvalidInputError(
                "has no ending of a picture", where="--picture", found=path, fix=f"end it in {' or '.join(ENDINGS)}"
            )
        if path.suffix.lower() == ".png":
            _check_png(path)
        return path


def write_picture(path: Path, svg: str) -> None:
    """Write a picture as its file's ending says, whole or not at all. Raises OperationFailedError."""
    if path.suffix.lower() == ".png":
        from caribou.report.png import png  # noqa: PLC0415 - an extra

        write_whole(path, png(svg))
    else:
        write_whole(path, svg)


def _check_png(path: Path) -> None:
    from caribou.report.png import why_no_png  # noqa: PLC0415 - an extra

    if why := why_no_png():
        raise InvalidInputError("can't be drawn here", where="--picture", found=path, fix=why)
