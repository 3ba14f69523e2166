"""What goes out of an execution: messages that start nodes, where they are placed or at home, and the end of leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from caribou.model.errors import UnreachableError
from caribou.model.graph import Edge, Node
from caribou.model.health.metrics import HealthMetric
from caribou.model.run.envelope import Envelope, Run, StoredPayload, event_bytes
from caribou.model.run.item import NO_RESULTS
from caribou.model.run.record import Outcome
from caribou.runtime.ports import Ports
from caribou.runtime.settings import Settings


class Handover(NamedTuple):
    """How a successor got what it was sent: the outcome, the region that took it, or None, and the message's size.

    A named tuple, since functions make the class at each cold start: a dataclass takes four times as long.
    """

    outcome: Outcome
    region: str | None
    message_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Outbox:
    """Sends what follows from one execution of a node. Every step may be repeated: receivers drop what they have."""

    run: Run
    hop: int
    settings: Settings
    ports: Ports

    def send(self, edge: Edge, payload: str) -> Handover:
        """Send an encoded payload to an edge's target, a plain node."""
        return self._send_to(self.settings.graph.node(edge.target), edge.id, payload)

    def forward(self, payload: str) -> Handover:
        """Hand the start of the run to where its entry node is placed."""
        return self._send_to(self.settings.graph.entry, None, payload)

    def fire(self, node: Node) -> None:
        """Start a sync node where its state is, or at home if its function is gone from there; its state stays."""
        region, home = self._region(node.name), self.settings.home_region
        try:
            self._publish(self.run, region, node, None, None)
        except UnreachableError:
            if region == home:
                raise
            self._publish(self.run, home, node, None, None)
            self._note_rerouted()

    def end(self, leaves: tuple[str, ...], results: Mapping[str, str] = NO_RESULTS) -> None:
        """Note in the run item that leaves have run, and their results, or will not; the last of them ends the run.

        A run of another graph, whose leaves may be others, is left to the sweeper, who reads them in its item.
        """
        if not leaves:
            return
        ended, graph = self.ports.runs.end_leaves(self.run.run_id, leaves, results), self.settings.graph
        if ended.issuperset(graph.leaves) and self.run.graph == graph.digest:
            self.ports.runs.succeed(self.run.run_id, self.ports.clock.now())

    def _send_to(self, node: Node, edge: str | None, payload: str) -> Handover:
        region = self._region(node.name)
        try:
            size_bytes = self._publish(self.run, region, node, edge, payload)
        except UnreachableError:
            if region == self.settings.home_region:
                raise
            size_bytes = self._publish(self.run.at_home(node.name), self.settings.home_region, node, edge, payload)
            self._note_rerouted()
            return Handover(Outcome.REROUTED, self.settings.home_region, size_bytes)
        return Handover(Outcome.SENT, region, size_bytes)

    def _note_rerouted(self) -> None:
        self.ports.metrics.put({HealthMetric.REROUTED: 1})

    def _publish(self, run: Run, region: str, node: Node, edge: str | None, payload: str | None) -> int:
        """Publish the message, its payload put into the region's bucket if it is too large; the message's size."""
        envelope = self._envelope(run, node, edge, StoredPayload(text=payload))
        message = envelope.to_text()
        if payload is not None and event_bytes(message) > self.settings.runs.message_limit_bytes:
            pointer = self.ports.stored(region, (run.run_id, node.name, edge or "start"), payload)
            message = self._envelope(run, node, edge, StoredPayload(pointer=pointer)).to_text()
        self.ports.bus.publish(region, node.function, message)
        return len(message.encode())

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

    def _region(self, node: str) -> str:
        return self.run.region_of(node, self.settings.home_region)
