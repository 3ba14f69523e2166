"""Sync nodes, seen from an edge into one: it reports, taken or skipped, and the last report fires the node or skips it.

    edge 1, taken:    payload ── report ── taken {1}              one of two: nothing to do
    edge 2, skipped:             report ── taken {1} skipped {2}  complete, some taken: fire
                                 report ── skipped {1, 2}         complete, none taken: its own edges are skipped

Whoever makes the state complete fires, and whoever reports again and finds it complete fires again, since the first one
may have died in between; the claim of the sync node drops the second message.
"""

from __future__ import annotations

from collections.abc import Callable

from caribou.model.graph import Edge, Graph, Node
from caribou.model.run.envelope import Run, StoredPayload
from caribou.model.run.item import ITEM_PAYLOAD_LIMIT_BYTES, SyncState
from caribou.model.run.skips import Skips, reach_of_skipped, reach_of_skipped_node
from caribou.runtime.ports import Ports


class SyncReports:
    """The reports of one run's edges to sync nodes. Every step may be repeated: the first report of an edge stands.

    `fire` starts a sync node by a message, `end` notes leaves that will not run.
    """

    def __init__(
        self,
        run: Run,
        graph: Graph,
        home_region: str,
        ports: Ports,
        *,
        fire: Callable[[Node], None],
        end: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._run, self._graph, self._home_region, self._ports = run, graph, home_region, ports
        self._fire, self._end = fire, end

    def join(self, edge: Edge, payload: str) -> str:
        """Report that an edge was taken, after its encoded payload; the region that has them."""
        region, run_id = self._region(edge), self._run.run_id
        self._ports.syncs.put_payload(region, run_id, edge.target, edge.id, self._stored(region, edge, payload))
        state = self._ports.syncs.report(region, run_id, edge.target, edge.id, taken=True)
        self._fire_if_complete(edge.target, state)
        return region

    def skip(self, edge: Edge) -> None:
        """Let everyone know who waits for something behind an edge that it will not come."""
        self._skip(reach_of_skipped((edge,), self._graph))

    def _skip(self, skips: Skips) -> None:
        """Report that edges will not be taken, and note the leaves that will not run."""
        for edge in skips.sync_edges:
            state = self._ports.syncs.report(self._region(edge), self._run.run_id, edge.target, edge.id, taken=False)
            self._fire_if_complete(edge.target, state)
        self._end(skips.leaves)

    def _stored(self, region: str, edge: Edge, payload: str) -> StoredPayload:
        if len(payload.encode()) <= ITEM_PAYLOAD_LIMIT_BYTES:
            return StoredPayload(text=payload)
        return StoredPayload(pointer=self._ports.stored(region, (self._run.run_id, edge.target, edge.id), payload))

    def _fire_if_complete(self, node: str, state: SyncState) -> None:
        if state.reported() < len(self._graph.in_edges(node)):
            return
        if state.taken:
            self._fire(self._graph.node(node))
        else:
            self._skip(reach_of_skipped_node(node, self._graph))

    def _region(self, edge: Edge) -> str:
        return self._run.region_of(edge.target, self._home_region)
