"""Run records out of text: lines of a log, and of a file of records. What is no record ends in one clear error.

What each field may be is `record_fields.py`'s matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from caribou.collectors.record_fields import wrong_field
from caribou.model.errors import InvalidRecordError
from caribou.model.run.record import RECORD_KEY, RunRecord
from caribou.model.run.text import storable

_PLAIN = re.compile(rf'"{RECORD_KEY}"\s*:\s*(?=\{{)')
_QUOTED = re.compile(rf'\\"{RECORD_KEY}\\"\s*:\s*\{{')
_DECODER = json.JSONDecoder()
_SHOWN = 60


def record_in(line: str) -> RunRecord | None:
    """The run record in a log line, None if it has none. Raises InvalidRecordError at a broken one.

    The record stands under its key: in JSON alone or after some text, inside another JSON object, or as text inside
    the `message` of one, as Lambda's JSON log format and Managed Instances write what a process prints.
    """
    where = f"log line {line[:_SHOWN]!a}"
    text = line if _PLAIN.search(line) else _unwrapped(line, where)
    found = _PLAIN.search(text)
    return parse_record(_json(text, found.end(), where), where) if found else None


def read_record_lines(lines: Iterable[str], where: str) -> list[RunRecord]:
    """The records of a JSON lines file, one a line, as `caribou log_sync -o` writes it. Raises InvalidRecordError."""
    return [_record_line(line, f"{where}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def write_record_lines(records: Iterable[RunRecord]) -> str:
    """The records as JSON lines."""
    return "".join(json.dumps(record.to_json(), sort_keys=True) + "\n" for record in records)


def _record_line(line: str, where: str) -> RunRecord:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise no_object(line, where)
    return parse_record(data, where)


def no_object(line: str | bytes, where: str) -> InvalidRecordError:
    """The error of a line that is to be a record, and is not even a JSON object."""
    begin = line[:_SHOWN]
    return InvalidRecordError(
        "is not a JSON object",
        where=where,
        found=ascii(begin.decode("utf-8", "replace") if isinstance(begin, bytes) else begin),
        fix="use a file that `caribou log_sync -o` wrote",
    )


def parse_record(data: Mapping[str, Any], where: str) -> RunRecord:
    """The record in a JSON object, whatever is wrong with it an InvalidRecordError."""
    try:
        record = RunRecord.from_json(data, where)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidRecordError(
            "is damaged", where=where, found=f"{error!a}"[:_SHOWN], fix="leave the record out"
        ) from error
    if wrong := wrong_field(record):
        raise InvalidRecordError("has a wrong field", where=where, found=wrong, fix="leave the record out")
    return record if record.error is None else replace(record, error=storable(record.error))


def _unwrapped(line: str, where: str) -> str:
    """The text that stands in a line's `message`, if it seems to hold a record; else nothing."""
    if not _QUOTED.search(line):
        return ""
    data = _json(line, line.find("{"), where)
    message = data.get("message") if isinstance(data, dict) else None
    return message if isinstance(message, str) else ""


def _json(text: str, start: int, where: str) -> Any:  # noqa: ANN401 - any JSON value
    """The JSON value that begins at a place of a text, whatever follows it."""
    try:
        return _DECODER.raw_decode(text, max(start, 0))[0]
    except (ValueError, RecursionError) as error:
        raise InvalidRecordError(
            "is not JSON", where=where, found=ascii(f"{error}"[:_SHOWN]), fix="look at the function's log"
        ) from error
