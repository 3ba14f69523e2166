"""A file of run records, as `caribou log_sync -o` writes it: read line by line, since it may be larger than memory."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from caribou.collectors.kept_runs import Stored, Texts, kept_runs
from caribou.model.errors import InvalidRecordError
from caribou.model.graph import Graph
from caribou.model.schema.json_text import json_value
from caribou.model.schema.text_files import read_text_file

_FIX = "use a file that `caribou log_sync -o` wrote"
_LINE_BYTES = 2**20
"""A record has 200,000 bytes at most, five characters of JSON a byte at worst."""


def read_record_file(path: Path, graph: Graph) -> Stored:
    """The records that a problem of a graph is made of. Raises InvalidRecordError, which names the line."""
    if _is_regular(path):
        lines: Callable[[], Iterable[str | bytes]] = partial(_lines, path)
    else:  # a pipe can be read once
        whole = read_text_file(path, InvalidRecordError, fix=_FIX).split("\n")
        lines = partial(iter, whole)
    with _errors_as_ours(path):
        return kept_runs(Texts(lines, partial(_where, path), _refuse, json_value), graph)


def _is_regular(path: Path) -> bool:
    with _errors_as_ours(path):
        return stat.S_ISREG(path.stat().st_mode)


@contextmanager
def _errors_as_ours(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidRecordError("can't be read", where=str(path), found=error.strerror, fix=_FIX) from error


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file; one that does not end is cut, and then no JSON."""
    with path.open("rb") as file:
        begin = file.read(len(codecs.BOM_UTF8))
        if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise InvalidRecordError("is UTF-16, not UTF-8", where=str(path), fix="save it as UTF-8")
        if begin != codecs.BOM_UTF8:
            file.seek(0)
        yield from iter(partial(file.readline, _LINE_BYTES), b"")


def _where(path: Path, number: int) -> str:
    return f"{path}, line {number}"


def _refuse(_: int, error: InvalidRecordError) -> None:
    raise error
