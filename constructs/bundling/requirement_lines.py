"""The lines of requirements files as pip and uv read them: encodings, continued lines, comments, options."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from caribou.model.errors import InvalidInputError

MAX_FILE_BYTES = 10 * 1024 * 1024
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_COMMENT = re.compile(r"(^|\s)#.*")
_OPTION = re.compile(r"(?P<long>--[a-z][a-z-]*)(?:\s*=\s*|\s+|$)(?P<value>.*)|(?P<short>-[a-z])\s*(?P<rest>.*)")
_LONG = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
    "--requirements": "--requirement",
    "--constraints": "--constraint",
    "--pypi-url": "--index-url",
}


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """A line without its comment, the lines that it continues on joined to it, and where it begins: `file:line`."""

    text: str
    where: str


def read_lines(path: Path, shown: str) -> Iterator[RequirementLine]:
    """The lines of a file that say something; `shown` is how errors name it. Raises InvalidInputError."""
    begun, text = 0, ""
    for number, line in enumerate([*_decoded(path, shown).splitlines(), ""], start=1):
        begun = begun or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            text += line[:-1]
            continue
        if whole := _COMMENT.sub("", text + line).strip():
            yield RequirementLine(whole, f"{shown}:{begun}")
        begun, text = 0, ""


def option_of(line: RequirementLine) -> tuple[str, str] | None:
    """The option that a line gives, by its long name, with its value; None for a requirement."""
    match = _OPTION.fullmatch(line.text)
    if match is None:
        return None
    name, value = match["long"] or match["short"], match["value"] or match["rest"] or ""
    return _LONG.get(name, name), value.strip().strip("\"'")


def _decoded(path: Path, shown: str) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInputError(
                "is too large", where=shown, found=f"{path.stat().st_size} bytes", fix="name another file"
            )
        content = path.read_bytes()
        encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
        text = content.decode(encoding)
    except OSError as error:
        raise InvalidInputError(
            f"can't be read: {error.strerror}", where=shown, fix="put a file there that you may read"
        ) from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InvalidInputError(
            "is not text in UTF-8, nor in UTF-16 with its mark", where=shown, fix="save it as UTF-8"
        )
    return text
