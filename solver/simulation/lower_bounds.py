"""A lower bound on the mean of a metric that needs no timing, and the least it can be once some nodes are placed.

Notation: placement x, node v in region x_v, floor f(x) <= mean(x).

    f(x) = constant + sum over nodes a_v(x_v) + sum over pairs of nodes b_uv(x_u, x_v)

The sums are `MeanTables`; of what depends on the order of events only the least counts. To bound f over what is still
open, each node keeps one of its incoming pairs, which makes a tree; along it the minimum is exact (dynamic
programming, leaves first), and the pairs left out are each at their own minimum. Nodes are fixed in topological order:
`FloorTables` extends partial placements by the next node and bounds everything that may come of them, for many hours
at once, since hours differ in the numbers of the tables only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caribou.solver.simulation.random_streams import Floats, Ints


@dataclass(frozen=True)
class LowerBounds:
    """The floor as tables: `nodes` (N, R), `pairs` (P, 2) of node positions, `joint` (P, R, R)."""

    constant: float
    nodes: Floats
    pairs: Ints
    joint: Floats
    allowed: tuple[Ints, ...]

    def floor(self, places: Ints) -> Floats:
        """The floors (n,) of placements (n, N)."""
        alone = self.nodes[np.arange(places.shape[1]), places].sum(axis=1)
        sources, targets = places[:, self.pairs[:, 0]], places[:, self.pairs[:, 1]]
        return np.asarray(self.constant + alone + self.joint[np.arange(len(self.joint)), sources, targets].sum(axis=1))

    @cached_property
    def minimum(self) -> float:
        """A lower bound on the floor of every allowed placement."""
        return float(FloorTables.of([self]).minimum[0])


@dataclass(frozen=True)
class FloorTables:
    """Relaxations of H hours in one: `constant` (H,), `nodes` (N, R, H), `pairs` (P, 2), `joint` (P, R, R, H)."""

    constant: Floats
    nodes: Floats
    pairs: Ints
    joint: Floats
    allowed: tuple[Ints, ...]

    @classmethod
    def of(cls, bounds_by_hour: Sequence[LowerBounds]) -> FloorTables:
        """The bounds of the hours, which differ in numbers only."""
        return cls(
            np.array([one.constant for one in bounds_by_hour]),
            np.stack([one.nodes for one in bounds_by_hour], axis=-1),
            bounds_by_hour[0].pairs,
            np.stack([one.joint for one in bounds_by_hour], axis=-1),
            bounds_by_hour[0].allowed,
        )

    @property
    def minimum(self) -> Floats:
        """A lower bound (H,) on the floors of all allowed placements."""
        return np.asarray(self.roots.min(axis=0))

    @property
    def least(self) -> Ints:
        """The placement (N,) that follows the least bounds of the first hour, node by node."""
        first = int(self.roots[:, 0].argmin())
        places, bounds = self.allowed[0][first : first + 1], self.roots[first : first + 1]
        for node in range(1, len(self.allowed)):
            totals = self.extended(places[np.newaxis], bounds)
            best = int(totals[0, :, 0].argmin())
            places, bounds = np.append(places, self.allowed[node][best]), totals[:, best]
        return places

    @property
    def roots(self) -> Floats:
        """Bounds (r, H) once the first node is in each of its r regions."""
        return np.asarray(self.constant + self._best_behind[0][self.allowed[0]])

    def extended(self, places: Ints, bounds: Floats) -> Floats:
        """Bounds (B, r, H) of partial placements (B, n) with bounds (B, H), with node n in each of its r regions."""
        node = places.shape[1]
        totals = np.repeat(bounds[:, np.newaxis], len(self.allowed[node]), axis=1)
        for pair, growth in self._growth[node]:
            totals += growth[places[:, self.pairs[pair, 0]]]
        return totals

    @cached_property
    def _growth(self) -> tuple[tuple[tuple[int, Floats], ...], ...]:
        """For each node and pair into it: by how much bounds grow, by the regions of both ends, (R, r, H)."""
        return tuple(
            tuple((pair, self._growth_of(pair, place == 0)) for place, pair in enumerate(pairs)) for pairs in self._into
        )

    def _growth_of(self, pair: int, in_tree: bool) -> Floats:  # noqa: FBT001
        target = int(self.pairs[pair, 1])
        table = self.joint[pair] + (self._best_behind[target] if in_tree else 0.0)
        table = table[:, self.allowed[target]]
        return np.asarray(table - table.min(axis=1, keepdims=True))

    @cached_property
    def _into(self) -> tuple[tuple[int, ...], ...]:
        """For each node the pairs that end in it; the first one is its edge of the tree."""
        count = range(len(self.pairs))
        return tuple(tuple(p for p in count if self.pairs[p, 1] == node) for node in range(len(self.allowed)))

    @cached_property
    def _best_behind(self) -> Floats:
        """For each node and region of it (N, R, H): the least of the node and what is behind it in the tree."""
        best = self.nodes.copy()
        for node in reversed(range(1, len(best))):
            for position, pair in enumerate(self._into[node]):
                table = self.joint[pair] + (best[node] if position == 0 else 0.0)
                best[self.pairs[pair, 0]] += table[:, self.allowed[node]].min(axis=1)
        return best
