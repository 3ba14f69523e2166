"""Run records out of text: lines of a log, and of a file of records. What is no record ends in one clear error.

Logs and files are outside data: anyone who may write to a function's log decides what stands there. So every field has
its type and range here, and what is made of it later needs to ask no more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from caribou.model.errors import InvalidRecordError
from caribou.model.run.record import RECORD_KEY, RunRecord

_PLAIN = re.compile(rf'"{RECORD_KEY}"\s*:\s*(?=\{{)')
_QUOTED = re.compile(rf'\\"{RECORD_KEY}\\"\s*:\s*\{{')
_DECODER = json.JSONDecoder()
_SHOWN = 60


def record_in(line: str) -> RunRecord | None:
    """The run record in a log line, None if it has none. Raises InvalidRecordError at a broken one.

    The record stands under its key: in JSON alone or after some text, inside another JSON object, or as text inside
    the `message` of one, as Lambda's JSON log format and Managed Instances write what a process prints.
    """
    where = f"log line {line[:_SHOWN]!r}"
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
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise InvalidRecordError(
            "is not a JSON object", where=where, found=line[:80], fix="use a file that `caribou log_sync -o` wrote"
        )
    return parse_record(data, where)


def parse_record(data: Mapping[str, Any], where: str) -> RunRecord:
    """The record in a JSON object, whatever is wrong with it an InvalidRecordError."""
    try:
        record = RunRecord.from_json(data, where)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidRecordError("is damaged", where=where, found=repr(error), fix="leave the record out") from error
    if wrong := _wrong_numbers(record):
        raise InvalidRecordError("has a wrong number", where=where, found=wrong, fix="leave the record out")
    return record


def _wrong_numbers(record: RunRecord) -> str | None:
    """What of a record is no number of the range that arithmetic on it needs, or None."""
    numbers: dict[str, Any] = {
        "started_at": record.started_at,
        "duration_s": record.duration_s,
        "cpu_s": record.cpu_s,
        "memory_mb": record.memory_mb,
        "bytes_in": record.bytes_in,
        "external_bytes": record.external_bytes,
    }
    for successor in record.successors:
        numbers[f"{successor.edge}.offset_s"] = successor.offset_s
        numbers[f"{successor.edge}.seconds"] = successor.seconds
        numbers[f"{successor.edge}.payload_bytes"] = successor.payload_bytes
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            return f"{name} = {value!r}"
    return None


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
            "is not JSON", where=where, found=f"{error}"[:_SHOWN], fix="look at the function's log"
        ) from error
