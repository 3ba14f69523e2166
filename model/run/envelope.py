"""The envelope: what travels from node to node, and the message that starts a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from caribou.model.errors import InvalidEnvelopeError
from caribou.model.graph import Graph
from caribou.model.run import fields
from caribou.model.run.text import escaped_json, storable

ENVELOPE_SCHEMA = "caribou.envelope/1"
START_SCHEMA = "caribou.start/1"
MAX_PAYLOAD_BYTES = 5 * 1024**4
"""The largest object that S3 keeps."""
MAX_ATTEMPTS_SENT, MAX_HOPS = 1_000_000, 10_000
"""More than two years of attempts a minute, and than any graph has nodes: a larger number is nobody's of ours."""
_SCHEMAS = ("caribou.envelope/", "caribou.start/")


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a payload rests that is too large for a message: an S3 object, with the digest of its bytes."""

    region: str
    bucket: str
    key: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """An encoded payload: its text, or where it rests. Neither: there is none."""

    text: str | None = None
    pointer: Pointer | None = None

    @property
    def size_bytes(self) -> int:
        """Size of the encoded payload."""
        return self.pointer.size_bytes if self.pointer else len((self.text or "").encode())


@dataclass(frozen=True, slots=True)
class Start:
    """A client's wish to start a run: its name for it (None: the message's own id), and the encoded payload.

    A payload too large for a message rests at the pointer, in home's payload bucket. `attempt` is as in an envelope.
    `message_id` is that of what the client sent, however often it is sent on: another start of the same name has
    another one. None: an earlier version sent it.
    """

    run_id: str | None
    payload: str | None
    pointer: Pointer | None = None
    attempt: int = 0
    message_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The start as a JSON object; `parse_message` reads it back."""
        return {
            "schema": START_SCHEMA,
            "run_id": self.run_id,
            "message_id": self.message_id,
            "payload": self.payload,
            "pointer": None if self.pointer is None else pointer_to_json(self.pointer),
            "attempt": self.attempt,
        }

    def to_text(self) -> str:
        """The message that starts the run."""
        return _message(self.to_json())


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a workflow, as decided at its start; it never changes.

    `regions` maps nodes to regions, nodes at home left out. Times are seconds since 1970, UTC.
    """

    run_id: str
    workflow_version: str
    graph: str
    placement: str
    regions: Mapping[str, str]
    started_at: float
    deadline: float
    stays_home: bool = False

    def region_of(self, node: str, home_region: str) -> str:
        """Where the node runs, in this run."""
        return self.regions.get(node, home_region)

    def as_needed_by(self, node: str, graph: Graph) -> Run:
        """The run with the part of its map that a node and its descendants need."""
        needed = graph.descendants(node)
        return replace(self, regions={n: region for n, region in self.regions.items() if n in needed})

    def at_home(self, node: str) -> Run:
        """The run with one node moved home, since its region could not be reached."""
        return replace(self, regions={n: region for n, region in self.regions.items() if n != node})


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a node receives: its run, itself, the edge that led to it, and the payload or where it rests.

    `edge` is None where the home entry forwards the start, and where a sync node is fired: its payloads are in its
    sync state. `inputs` is the digest of the edges into the node, as the sender knows them. `hop` counts messages since
    the run's start, `attempt` how often this one was sent again after Lambda had given it up.
    """

    run: Run
    node: str
    edge: str | None
    inputs: str
    hop: int
    sent_at: float
    payload: str | None = None
    pointer: Pointer | None = None
    attempt: int = 0

    @property
    def stored(self) -> StoredPayload:
        """The payload, wherever it is."""
        return StoredPayload(self.payload, self.pointer)

    def to_text(self) -> str:
        """The envelope as a message."""
        run = self.run
        return _message(
            {
                "schema": ENVELOPE_SCHEMA,
                "run_id": run.run_id,
                "workflow_version": run.workflow_version,
                "graph": run.graph,
                "placement": run.placement,
                "regions": _grouped_by_region(run.regions),
                "started_at": run.started_at,
                "deadline": run.deadline,
                "stays_home": run.stays_home,
                "node": self.node,
                "edge": self.edge,
                "inputs": self.inputs,
                "hop": self.hop,
                "attempt": self.attempt,
                "sent_at": self.sent_at,
                "payload": self.payload,
                "pointer": None if self.pointer is None else pointer_to_json(self.pointer),
            }
        )


def pointer_to_json(pointer: Pointer) -> dict[str, Any]:
    """The pointer as a JSON object; `parse_pointer` reads it back."""
    return {
        "region": pointer.region,
        "bucket": pointer.bucket,
        "key": pointer.key,
        "sha256": pointer.sha256,
        "size_bytes": pointer.size_bytes,
    }


def event_bytes(message: str) -> int:
    """Size of a message as the receiver's event carries it, as text inside JSON: quotation marks count twice."""
    return len(json.dumps(message, ensure_ascii=False).encode())


def parse_message(data: Any) -> Envelope | Start | None:  # noqa: ANN401 - whatever an event source sent
    """The envelope or start in a JSON value; None if it is neither, so that it is a payload of its own.

    Raises InvalidEnvelopeError for one of ours that this version does not read.
    """
    schema = data.get("schema") if isinstance(data, Mapping) else None
    if not isinstance(schema, str) or not schema.startswith(_SCHEMAS):
        return None
    try:
        if schema == START_SCHEMA:
            return _parsed_start(data)
        if schema == ENVELOPE_SCHEMA:
            return _parsed_envelope(data)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidEnvelopeError(f"A message of {schema} is damaged: {error!r}") from error
    raise InvalidEnvelopeError(f"This version does not read messages of {storable(schema, 80)}")


def parse_pointer(data: Any) -> Pointer:  # noqa: ANN401 - any JSON value
    """The pointer in a JSON value. Raises KeyError and ValueError for anything else."""
    if not isinstance(data, Mapping):
        raise ValueError("a pointer is an object")  # noqa: TRY004 - one error for all that is wrong in a message
    return Pointer(
        region=fields.region_of(data, "region"),
        bucket=fields.text_of(data, "bucket"),
        key=fields.key_of(data, "key"),
        sha256=fields.text_of(data, "sha256"),
        size_bytes=fields.count_of(data, "size_bytes", MAX_PAYLOAD_BYTES),
    )


def _message(content: Mapping[str, Any]) -> str:
    return escaped_json(json.dumps(content, separators=(",", ":"), ensure_ascii=False))


def _parsed_start(data: Mapping[str, Any]) -> Start:
    return Start(
        run_id=None if data["run_id"] is None else fields.run_name_of(data, "run_id"),
        payload=fields.payload_of(data, "payload"),
        pointer=_parsed_pointer(data),
        attempt=fields.count_of(data, "attempt", MAX_ATTEMPTS_SENT),
        message_id=fields.optional_text_of({"message_id": None, **data}, "message_id", fields.MAX_RUN_ID_BYTES),
    )


def _parsed_envelope(data: Mapping[str, Any]) -> Envelope:
    return Envelope(
        run=Run(
            run_id=fields.run_name_of(data, "run_id"),
            workflow_version=fields.text_of(data, "workflow_version"),
            graph=fields.text_of(data, "graph"),
            placement=fields.text_of(data, "placement"),
            regions=fields.regions_of(data, "regions"),
            started_at=fields.seconds_of(data, "started_at"),
            deadline=fields.seconds_of(data, "deadline"),
            stays_home=fields.truth_of(data, "stays_home"),
        ),
        node=fields.text_of(data, "node"),
        edge=fields.optional_text_of(data, "edge"),
        inputs=fields.text_of(data, "inputs"),
        hop=fields.count_of(data, "hop", MAX_HOPS),
        attempt=fields.count_of(data, "attempt", MAX_ATTEMPTS_SENT),
        sent_at=fields.seconds_of(data, "sent_at"),
        payload=fields.payload_of(data, "payload"),
        pointer=_parsed_pointer(data),
    )


def _parsed_pointer(data: Mapping[str, Any]) -> Pointer | None:
    return None if data["pointer"] is None else parse_pointer(data["pointer"])


def _grouped_by_region(regions: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for node, region in sorted(regions.items()):
        groups.setdefault(region, []).append(node)
    return groups
