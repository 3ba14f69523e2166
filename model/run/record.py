"""The run record: what the runtime reports of one execution of a node, as one JSON line in the function's log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from caribou.model.errors import InvalidRecordError

RECORD_SCHEMA = "caribou.record/2"
FIRST_SCHEMA = "caribou.record/1"
"""Records that only say how many bytes went to and fro outside, not where to, and nothing of how a process began."""
RECORD_KEY = "caribou_record"
"""The key under which a log line carries a record."""

UNKNOWN_SERVICE = "unknown"
"""Of an endpoint that nobody named: in records of the first schema."""
_SHOWN_CHARACTERS = 80
_LATER = frozenset({"result_bytes"})
"""What the first records of this schema lack."""


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
    `payload_bytes` the encoded payload's size, `message_bytes` that of the message to a plain node: smaller than the
    payload where this rests in a bucket. Earlier versions did not record it.
    """

    edge: str
    node: str
    region: str | None
    outcome: Outcome
    payload_bytes: int
    offset_s: float
    seconds: float
    message_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """What user code exchanged with one endpoint outside the workflow, through botocore.

    `service` as botocore names it, `region` None where it has none or none is known, `host` without its port. `calls`
    were sent in `attempts`, bytes are of request and response bodies. `seconds` are added up over the calls, reading of
    streamed bodies included; `busy_s` are those in which at least one went on: fewer, if calls ran side by side. `puts`
    are the calls of methods that S3 bills as writes, PUT and POST, `round_trips` those of all tries, whatever the
    bodies' sizes: one to be answered, two of a new connection, one to ask before a body. Both are None in records of
    earlier versions.
    """

    service: str
    region: str | None
    host: str
    calls: int
    attempts: int
    bytes_out: int
    bytes_in: int
    seconds: float
    busy_s: float
    puts: int | None = None
    round_trips: int | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a node. Times are UTC seconds since 1970, sizes bytes, memory MB as configured in Lambda.

    `duration_s` covers the node from the message's arrival to its last send, and `cpu_s` is what the process and the
    children it waited for used meanwhile, user and system. `external` is what user code exchanged through botocore (S3
    and so on), by endpoint; `bytes_in` and `bytes_out` are encoded payloads. `edge` is the edge that brought the
    message (None for the start of a run), `sent_at` when its sender sent it. `redirect` marks the hop of
    the home entry, which ran no user code but forwarded to where the entry node is placed. `stays_home` marks a run of
    the share that always stays home. `error` is the user exception's type and text, as
    `caribou.model.run.text` has it, else None.

    Of a cold start, `init_s` is the time from the process's begin until user code was imported, and `import_s` and
    `import_cpu_s` are what that import took; else, and where it is not known, all three are None. They are not in
    `duration_s` and `cpu_s`. `result_bytes` is what a leaf's result takes in the run item, 0 if it is not kept; None of
    other nodes, and of earlier versions.
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
    external: tuple[EndpointRecord, ...]
    edge: str | None
    sent_at: float | None
    redirect: bool
    stays_home: bool
    error: str | None
    successors: tuple[SuccessorRecord, ...]
    init_s: float | None = None
    import_s: float | None = None
    import_cpu_s: float | None = None
    result_bytes: int | None = None
    schema: str = RECORD_SCHEMA

    @property
    def external_bytes(self) -> int:
        """What was exchanged with all endpoints, both ways."""
        return sum(endpoint.bytes_out + endpoint.bytes_in for endpoint in self.external)

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "run record") -> RunRecord:
        """The record in a JSON object. Raises InvalidRecordError on another schema or missing or unknown fields.

        One of the first schema becomes one of this: what it exchanged outside is with an unknown endpoint.
        """
        if data.get("schema") == FIRST_SCHEMA:
            data = _of_this_schema(data)
        if data.get("schema") != RECORD_SCHEMA:
            raise InvalidRecordError(
                "is of a schema that this version does not read",
                where=where,
                found=_shown(data.get("schema")),
                fix=f"use records of {RECORD_SCHEMA}",
            )
        names = {field.name for field in fields(cls)}
        if wrong := sorted((names ^ set(data)) - _LATER):
            raise InvalidRecordError(
                "has missing or unknown fields",
                where=where,
                found=_shown(", ".join(wrong)),
                fix=f"use {RECORD_SCHEMA} whole",
            )
        for name in ("successors", "external"):
            if not isinstance(data[name], list | tuple):
                found = _shown(data[name])
                raise InvalidRecordError(f"has {name} that are no list", where=where, found=found, fix="leave it out")
        successors = tuple(_successor(successor, where) for successor in data["successors"])
        external = tuple(_endpoint(endpoint, where) for endpoint in data["external"])
        return cls(**{**data, "successors": successors, "external": external})


def _of_this_schema(data: Mapping[str, Any]) -> dict[str, Any]:
    """A record of the first schema as one of this."""
    moved = data.get("external_bytes")
    unknown = EndpointRecord(UNKNOWN_SERVICE, None, "", 0, 0, 0, moved, 0.0, 0.0) if moved else None
    return {
        **{key: value for key, value in data.items() if key != "external_bytes"},
        "external": [asdict(unknown)] if unknown else [],
        **dict.fromkeys(("init_s", "import_s", "import_cpu_s")),
        "schema": RECORD_SCHEMA,
    }


def _shown(value: object) -> str:
    """The beginning of a value, of which nobody knows what it is, in ASCII."""
    return ascii(value).strip("'")[:_SHOWN_CHARACTERS]


def _endpoint(data: Mapping[str, Any], where: str) -> EndpointRecord:
    try:
        return EndpointRecord(**data)
    except TypeError as error:
        raise InvalidRecordError(
            "has an endpoint that can't be read",
            where=where,
            found=ascii(error)[:_SHOWN_CHARACTERS],
            fix=f"use {RECORD_SCHEMA} whole",
        ) from error


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
