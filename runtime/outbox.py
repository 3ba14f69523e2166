"""Telling successors: messages to plain nodes, reports to sync nodes, and what follows from skipped edges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from caribou.model.envelope import Envelope, Run, StoredPayload, event_bytes
from caribou.model.errors import UnreachableError
from caribou.model.graph import Edge, Node
from caribou.model.record import JOINED, REROUTED, SENT
from caribou.model.run import NO_RESULTS, SyncState
from caribou.model.skips import Skips, reach_of_skipped, reach_of_skipped_node
from caribou.runtime.ports import Ports
from caribou.runtime.settings import Settings

ITEM_PAYLOAD_LIMIT_BYTES = 300_000
"""Payloads up to this size rest in the sync table: a DynamoDB item holds 400 KB, its other attributes are small."""


@dataclass(frozen=True, slots=True)
class Told:
    """How a successor was told: the outcome, and the region that took it."""

    outcome: str
    region: str


@dataclass(frozen=True, slots=True)
class Outbox:
    """Tells the successors of one execution of a node. Every step may be repeated: receivers drop what they have."""

    run: Run
    hop: int
    settings: Settings
    ports: Ports

    def send(self, edge: Edge, payload: str) -> Told:
        """Tell an edge's target of an encoded payload: by a message, or a report if it is a sync node."""
        node = self.settings.graph.node(edge.target)
        return self._join(edge, payload) if node.sync else self._send_to(node, edge.id, payload)

    def forward(self, payload: str) -> Told:
        """Hand the start of the run to where its entry node is placed."""
        return self._send_to(self.settings.graph.entry, None, payload)

    def skip(self, edges: Iterable[Edge]) -> None:
        """Tell everyone who would have heard of these edges that they will not."""
        self._tell(reach_of_skipped(edges, self.settings.graph))

    def end(self, leaves: tuple[str, ...], results: Mapping[str, str] = NO_RESULTS) -> None:
        """Note in the run item that leaves have run, and their results, or will not; the last of them ends the run."""
        if leaves and self.ports.runs.end_leaves(self.run.run_id, leaves, results).is_complete:
            self.ports.runs.succeed(self.run.run_id, self.ports.clock.now())

    def _send_to(self, node: Node, edge: str | None, payload: str) -> Told:
        region = self._region(node.name)
        try:
            self._publish(self.run, region, node, edge, payload)
        except UnreachableError:
            if region == self.settings.home_region:
                raise
            self._publish(self.run.at_home(node.name), self.settings.home_region, node, edge, payload)
            return Told(REROUTED, self.settings.home_region)
        return Told(SENT, region)

    def _publish(self, run: Run, region: str, node: Node, edge: str | None, payload: str | None) -> None:
        envelope = self._envelope(run, node, edge, StoredPayload(text=payload))
        message = envelope.to_text()
        if payload is not None and event_bytes(message) > self.settings.runs.message_limit_bytes:
            pointer = self.ports.payloads.put(region, _key(run, node, edge, payload), payload)
            message = self._envelope(run, node, edge, StoredPayload(pointer=pointer)).to_text()
        self.ports.bus.publish(region, node.function, message)

    def _envelope(self, run: Run, node: Node, edge: str | None, payload: StoredPayload) -> Envelope:
        return Envelope(
            run=run.as_needed_by(node.name, self.settings.graph),
            node=node.name,
            edge=edge,
            inputs=self.settings.graph.inputs_digest(node.name),
            hop=self.hop + 1,
            sent_at=self.ports.clock.now(),
            payload=payload.text,
            pointer=payload.pointer,
        )

    def _join(self, edge: Edge, payload: str) -> Told:
        region, run_id = self._region(edge.target), self.run.run_id
        self.ports.syncs.put_payload(region, run_id, edge.target, edge.id, self._stored(region, edge, payload))
        state = self.ports.syncs.report(region, run_id, edge.target, edge.id, taken=True)
        self._fire_if_complete(edge.target, state)
        return Told(JOINED, region)

    def _stored(self, region: str, edge: Edge, payload: str) -> StoredPayload:
        if len(payload.encode()) <= ITEM_PAYLOAD_LIMIT_BYTES:
            return StoredPayload(text=payload)
        key = _key(self.run, self.settings.graph.node(edge.target), edge.id, payload)
        return StoredPayload(pointer=self.ports.payloads.put(region, key, payload))

    def _tell(self, skips: Skips) -> None:
        for edge in skips.sync_edges:
            region = self._region(edge.target)
            state = self.ports.syncs.report(region, self.run.run_id, edge.target, edge.id, taken=False)
            self._fire_if_complete(edge.target, state)
        self.end(skips.leaves)

    def _fire_if_complete(self, node: str, state: SyncState) -> None:
        graph = self.settings.graph
        if state.reported() < len(graph.in_edges(node)):
            return
        if state.taken:
            self._fire(graph.node(node))
        else:
            self._tell(reach_of_skipped_node(node, graph))

    def _fire(self, node: Node) -> None:
        """Start a sync node where its state is, or at home if its function is gone from there; its state stays."""
        region, home = self._region(node.name), self.settings.home_region
        try:
            self._publish(self.run, region, node, None, None)
        except UnreachableError:
            if region == home:
                raise
            self._publish(self.run, home, node, None, None)

    def _region(self, node: str) -> str:
        return self.run.region_of(node, self.settings.home_region)


def _key(run: Run, node: Node, edge: str | None, payload: str) -> str:
    """The key of a payload that is too large: a retry whose payload differs must not replace one that is on its way."""
    return f"{run.run_id}/{node.name}/{edge or 'start'}/{hashlib.sha256(payload.encode()).hexdigest()[:16]}"
