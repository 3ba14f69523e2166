"""The envelope: what travels from node to node, and the message that starts a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from caribou.model.errors import InvalidEnvelopeError
from caribou.model.graph import Graph

ENVELOPE_SCHEMA = "caribou.envelope/1"
START_SCHEMA = "caribou.start/1"
MAX_RUN_ID_BYTES = 256
"""So that a run's keys fit into DynamoDB (2048 bytes) and S3 (1024 bytes) with all that is added to them."""
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
    """

    run_id: str | None
    payload: str | None
    pointer: Pointer | None = None
    attempt: int = 0

    def to_text(self) -> str:
        """The message that starts the run."""
        content = {
            "schema": START_SCHEMA,
            "run_id": self.run_id,
            "payload": self.payload,
            "pointer": None if self.pointer is None else pointer_to_json(self.pointer),
            "attempt": self.attempt,
        }
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


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
        return json.dumps(
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
            },
            separators=(",", ":"),
            ensure_ascii=False,
        )


def pointer_to_json(pointer: Pointer) -> dict[str, Any]:
    """The pointer as a JSON object; `Pointer(**…)` reads it back."""
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
    if not isinstance(data, Mapping) or not str(data.get("schema", "")).startswith(_SCHEMAS):
        return None
    try:
        if data["schema"] == START_SCHEMA:
            return _parsed_start(data)
        if data["schema"] == ENVELOPE_SCHEMA:
            return _parsed_envelope(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidEnvelopeError(f"A message of {data['schema']} is damaged: {error!r}") from error
    raise InvalidEnvelopeError(f"This version does not read messages of {data['schema']}")


def _parsed_start(data: Mapping[str, Any]) -> Start:
    run_id, payload = data["run_id"], data["payload"]
    if run_id is not None and len(run_id.encode()) > MAX_RUN_ID_BYTES:
        raise ValueError(f"a run id has at most {MAX_RUN_ID_BYTES} bytes")
    if payload is not None and not isinstance(payload, str):
        raise ValueError("the payload is encoded text")
    return Start(run_id, payload, _parsed_pointer(data["pointer"]), int(data["attempt"]))


def _parsed_envelope(data: Mapping[str, Any]) -> Envelope:
    return Envelope(
        run=Run(
            run_id=data["run_id"],
            workflow_version=data["workflow_version"],
            graph=data["graph"],
            placement=data["placement"],
            regions={node: region for region, nodes in data["regions"].items() for node in nodes},
            started_at=float(data["started_at"]),
            deadline=float(data["deadline"]),
            stays_home=bool(data["stays_home"]),
        ),
        node=data["node"],
        edge=data["edge"],
        inputs=data["inputs"],
        hop=int(data["hop"]),
        attempt=int(data["attempt"]),
        sent_at=float(data["sent_at"]),
        payload=data["payload"],
        pointer=_parsed_pointer(data["pointer"]),
    )


def _parsed_pointer(data: Mapping[str, Any] | None) -> Pointer | None:
    return None if data is None else Pointer(**data)


def _grouped_by_region(regions: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for node, region in sorted(regions.items()):
        groups.setdefault(region, []).append(node)
    return groups
