"""A file as text, whatever stands at its path: nothing that never ends, nothing that waits, no half-read letters."""

from __future__ import annotations

import codecs
import stat
from pathlib import Path

from caribou.model.errors import InvalidInputError

LARGEST_BYTES = 256 * 2**20
"""The largest file that is read at all, unless a kind of file has a limit of its own: a device never ends."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text_file(
    path: Path,
    error: type[InvalidInputError],
    *,
    largest_bytes: int = LARGEST_BYTES,
    regular: bool = False,
    fix: str = "check the path",
) -> str:
    """The text in a file of UTF-8; a mark of byte order in front is left out. Raises `error`.

    With `regular` only a file proper is opened, behind links too: a pipe in a folder would be waited for, but one that
    is named in a command is meant.
    """
    try:
        if regular and not stat.S_ISREG(path.stat().st_mode):
            raise error("is no file that can be read", where=str(path), fix="put a file of text there")
        with path.open("rb") as file:
            content = file.read(largest_bytes + 1)
    except (OSError, ValueError) as cause:
        why = cause.strerror if isinstance(cause, OSError) else cause
        raise error("can't be read", where=str(path), found=why, fix=fix) from cause
    if len(content) > largest_bytes:
        raise error(f"is larger than {largest_bytes:,} bytes", where=str(path), fix="shorten the file")
    return _decoded(content, path, error)


def _decoded(content: bytes, path: Path, error: type[InvalidInputError]) -> str:
    if content.startswith(_UTF_16):
        fix = "save it as UTF-8 (PowerShell: `| Out-File -Encoding utf8`)"
        raise error("is UTF-16, not UTF-8", where=str(path), fix=fix)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = content.count(b"\n", 0, cause.start) + 1
        raise error("is not UTF-8 text", where=f"{path}:{line}", fix="save it as UTF-8") from cause
