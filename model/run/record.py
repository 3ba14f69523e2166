"""The run record: what the runtime reports of one execution of a node, as one JSON line in the function's log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from caribou.model.errors import InvalidRecordError

RECORD_SCHEMA = "caribou.record/1"
RECORD_KEY = "caribou_record"
"""The key under which a log line carries a record."""


_SHOWN_CHARACTERS = 80


class Outcome(StrEnum):
    """What became of an edge out of a node that ran."""

    SENT = "sent"
    """A message to a plain node."""
    JOINED = "joined"
    """A report to a sync node, whose last edge fires it."""
    SKIPPED = "skipped"
    """The condition was false, or the function returned before the call."""
    REROUTED = "rerouted"
    """A message to home, because the target's region could not be reached."""


@dataclass(frozen=True, slots=True)
class SuccessorRecord:
    """What became of one edge out of the node.

    `edge` is the edge's id (`<node>#<call>`), `region` where the node's state or message went (None for a skip),
    `offset_s` when the call came, counted from the record's `started_at`, `seconds` how long sending or reporting took,
    `payload_bytes` the encoded payload's size.
    """

    edge: str
    node: str
    region: str | None
    outcome: Outcome
    payload_bytes: int
    offset_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a node. Times are UTC seconds since 1970, sizes bytes, memory MB as configured in Lambda.

    `duration_s` covers the node from the message's arrival to its last send, and `cpu_s` is what the process and the
    children it waited for used meanwhile, user and system. `external_bytes` is what user code moved through its default
    boto3 session (S3 and so on), both ways; `bytes_in` and `bytes_out` are encoded payloads. `edge` is the edge that
    brought the message (None for the start of a run), `sent_at` when its sender sent it. `redirect` marks the hop of
    the home entry, which ran no user code but forwarded to where the entry node is placed. `stays_home` marks a run of
    the share that always stays home. `error` is the user exception's type and text, as
    `caribou.model.run.text` has it, else None.
    """

    run_id: str
    workflow: str
    workflow_version: str
    node: str
    function: str
    region: str
    placement: str
    attempt: int
    cold_start: bool
    started_at: float
    duration_s: float
    cpu_s: float
    memory_mb: int
    bytes_in: int
    bytes_out: int
    external_bytes: int
    edge: str | None
    sent_at: float | None
    redirect: bool
    stays_home: bool
    error: str | None
    successors: tuple[SuccessorRecord, ...]
    schema: str = RECORD_SCHEMA

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "run record") -> RunRecord:
        """The record in a JSON object. Raises InvalidRecordError on another schema or missing or unknown fields."""
        if data.get("schema") != RECORD_SCHEMA:
            raise InvalidRecordError(
                "is of a schema that this version does not read",
                where=where,
                found=_shown(data.get("schema")),
                fix=f"use records of {RECORD_SCHEMA}",
            )
        names = {field.name for field in fields(cls)}
        if wrong := sorted(names ^ set(data)):
            raise InvalidRecordError(
                "has missing or unknown fields",
                where=where,
                found=_shown(", ".join(wrong)),
                fix=f"use {RECORD_SCHEMA} whole",
            )
        if not isinstance(data["successors"], list | tuple):
            raise InvalidRecordError(
                "has successors that are no list", where=where, found=_shown(data["successors"]), fix="leave it out"
            )
        successors = tuple(_successor(successor, where) for successor in data["successors"])
        return cls(**{**data, "successors": successors})


def _shown(value: object) -> str:
    """The beginning of a value, of which nobody knows what it is, in ASCII."""
    return ascii(value).strip("'")[:_SHOWN_CHARACTERS]


def _successor(data: Mapping[str, Any], where: str) -> SuccessorRecord:
    try:
        return SuccessorRecord(**{**data, "outcome": Outcome(data["outcome"])})
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRecordError(
            "has a successor that can't be read",
            where=where,
            found=ascii(error)[:_SHOWN_CHARACTERS],
            fix=f"use {RECORD_SCHEMA} whole",
        ) from error
