"""The local search: nodes that move one by one, at both ends of an edge, or two at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from caribou.solver.search.incumbents import Incumbents
from caribou.solver.search.moves import Nodes, groups, moves
from caribou.solver.simulation.lower_bounds import LowerBounds
from caribou.solver.simulation.random_streams import Floats, Ints

MAX_PAIRS = 400
"""Pairs of nodes that the local search moves at once, at most: those that matter most."""
GOOD = 3  # regions that are good for a node alone
CHUNK = 32  # moves of two nodes that are scored together


@dataclass(frozen=True, slots=True)
class LocalSearch:
    """The local search for one of the criteria."""

    incumbents: Incumbents
    lower_bounds: LowerBounds
    which: int

    def run(self) -> None:
        """Until no move is better."""
        while self._hopeful() and self._moved_any():
            pass

    def run_with_pairs(self) -> None:
        """Until no move is better, two nodes at once included."""
        while self._moved_any() or self._moved_pairs():
            pass

    @property
    def _places(self) -> Ints:
        return np.asarray(self.incumbents.places[self.which].copy())

    def _hopeful(self) -> bool:
        """Whether any move may be better."""
        return len(self._hopes(np.concatenate([self._moves(nodes) for nodes in self._groups]))) > 0

    def _moved_any(self) -> bool:
        """Whether moving some nodes together made it better."""
        better = [self._offer(self._moves(nodes)) for nodes in self._groups]
        return any(better)

    @property
    def _groups(self) -> Iterator[Nodes]:
        return groups(self.incumbents.cache.evaluator)

    def _moves(self, nodes: Nodes) -> Ints:
        """The best placement with these nodes in each region that all of them are allowed in."""
        return moves(self._places, nodes, self.lower_bounds.allowed)

    def _moved_pairs(self) -> bool:
        """Whether moving two nodes, each to a region of its own, made it better: the most hopeful first."""
        candidates = self._swaps()
        floors = self.lower_bounds.floor(candidates) if len(candidates) else np.zeros(0)
        order = np.argsort(floors, kind="stable")
        for first in range(0, min(len(order), 10 * CHUNK), CHUNK):
            if self._offer(candidates[order[first : first + CHUNK]]):
                return True
        return False

    def _swaps(self) -> Ints:
        places, allowed = self._places, self.lower_bounds.allowed
        weight = np.ptp(self.lower_bounds.nodes, axis=1)
        good = [self._good(node) for node in range(len(allowed))]
        pairs = sorted(combinations(range(len(allowed)), 2), key=lambda pair: -float(weight[list(pair)].sum()))
        found = []
        for u, v in pairs[:MAX_PAIRS]:
            grid = np.array([(a, b) for a in good[u] for b in good[v]], dtype=np.intp).reshape(-1, 2)
            rows = np.repeat(places[np.newaxis], len(grid), axis=0)
            rows[:, [u, v]] = grid
            found.append(rows)
        return np.concatenate(found) if found else np.zeros((0, len(allowed)), dtype=np.intp)

    def _good(self, node: int) -> list[int]:
        """Regions of a node other than its own: the cleanest for it alone, and those that the placement uses."""
        allowed = self.lower_bounds.allowed[node]
        cleanest = allowed[np.argsort(self.lower_bounds.nodes[node, allowed], kind="stable")[:GOOD]]
        used = np.intersect1d(allowed, self._places)
        return [int(r) for r in np.union1d(cleanest, used) if r != self._places[node]]

    def _offer(self, candidates: Ints) -> bool:
        """Whether one of the placements that may be better is."""
        return bool(self.incumbents.offer(self._hopes(candidates), [self.which])[self.which])

    def _hopes(self, candidates: Ints) -> Ints:
        """Those of the placements that may be better."""
        candidates = candidates[(candidates != self._places).any(axis=1)]
        excess, violated, best = self.incumbents.keys[self.which, :3]
        if len(candidates) == 0 or excess > 0 or violated > 0:
            return candidates
        floors: Floats = self.lower_bounds.floor(candidates)
        return np.asarray(candidates[self.incumbents.criteria[self.which].units(floors) <= best])
