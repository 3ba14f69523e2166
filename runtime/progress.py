"""How far a run has come: what its item, its claims and its sync states say of nodes and edges.

Everything is read when it is asked for, and once. A claim is looked for where the run's map has the node, and at home,
where it may have been run instead; sync state is in the region of the map.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

from caribou.model.graph import Edge, Graph
from caribou.model.run.item import Claim, RunItem, SyncState
from caribou.runtime.ports import Ports


@dataclass(frozen=True)
class Progress:
    """Reads one run's tables. Methods raise UnreachableError for a region that can't be asked.

    `waiting` are nodes whose messages are known to wait: they have arrived, though nobody may have claimed them.
    """

    item: RunItem
    graph: Graph
    home_region: str
    ports: Ports
    waiting: frozenset[str] = frozenset()
    _claims: dict[str, Claim | None] = field(default_factory=dict)
    _states: dict[str, SyncState] = field(default_factory=dict)

    def region(self, node: str) -> str:
        """Where the run's map has a node."""
        return self.item.run.region_of(node, self.home_region)

    def claim(self, node: str) -> Claim | None:
        """The node's claim, of the latest attempt if there are two; None if it was never claimed."""
        if node not in self._claims:
            regions = {self.region(node), self.home_region}
            found = [self.ports.claims.claimed(region, self.item.run.run_id, node) for region in sorted(regions)]
            self._claims[node] = max((claim for claim in found if claim), key=lambda c: c.attempt, default=None)
        return self._claims[node]

    def state(self, node: str) -> SyncState:
        """Which edges have reported to a sync node."""
        if node not in self._states:
            self._states[node] = self.ports.syncs.read(self.region(node), self.item.run.run_id, node).state
        return self._states[node]

    @cached_property
    def passed(self) -> frozenset[str]:
        """The nodes that have nothing more to do: leaves that ended, and others of which all has arrived that follows.

        Of a node that was skipped that is so, too, once everyone behind it knows.
        """
        passed: set[str] = set()
        for node in reversed(self.graph.nodes):
            edges = self.graph.out_edges(node.name)
            has_ended = all(self._has_arrived(edge, passed) for edge in edges) if edges else False
            if has_ended or node.name in self.item.ended:
                passed.add(node.name)
        return frozenset(passed)

    def is_ready(self, node: str) -> bool:
        """Whether a sync node has heard of all its edges, and has to run."""
        state = self.state(node)
        return bool(state.taken) and state.reported() >= len(self.graph.in_edges(node))

    def _has_arrived(self, edge: Edge, passed: Collection[str]) -> bool:
        """Whether a receiver has what an edge gives it, or everyone knows that it gets nothing."""
        target = edge.target
        if not self.graph.node(target).sync:
            return target in passed or target in self.waiting or self.claim(target) is not None
        state = self.state(target)
        if edge.id not in state.taken | state.skipped:
            return False
        is_skipped = not state.taken and state.reported() >= len(self.graph.in_edges(target))
        return target in passed if is_skipped else True

    def is_made(self, edge: Edge) -> bool:
        """Whether something came of a call: its receiver has begun, or was reported to, or somebody behind it was."""
        stack = [edge]
        while stack:
            current = stack.pop()
            target, onward = current.target, self.graph.out_edges(current.target)
            if self.graph.node(target).sync:
                state = self.state(target)
                if current.id in state.taken | state.skipped:
                    return True
            elif self.claim(target) or target in self.item.ended:
                return True
            else:
                stack.extend(onward)
        return False
