"""A lower bound on the mean of a metric that needs no clock, and all placements below a value of it.

Notation: placement x, node v in region x_v, floor f(x) <= mean(x).

    f(x) = constant + sum over nodes a_v(x_v) + sum over pairs of nodes b_uv(x_u, x_v)

The sums are `MeanTables`; of what depends on the order of events only the least counts. To bound f over what is still
open, each node keeps one of its incoming pairs, which makes a tree; along it the minimum is exact (dynamic
programming, leaves first), and the pairs left out are each at their own minimum. Nodes are fixed in topological order,
breadth first, and a partial placement whose bound is too high is dropped with everything that could have come of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caribou.solver.draws import Floats, Ints


@dataclass(frozen=True, slots=True)
class Frontier:
    """Placements (n, N) and their floors (n,), in ascending order; `rest` bounds the floors of all others."""

    places: Ints
    floors: Floats
    rest: float


@dataclass(frozen=True)
class Relaxation:
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
        return self.constant + float(self._best_behind[0][self.allowed[0]].min())

    def frontier(self, most: float, size: int) -> Frontier:
        """All allowed placements with a floor of at most `most`; of more than `size` the ones with the lowest bound."""
        first = self.allowed[0]
        places, bounds = first[:, np.newaxis], self.constant + self._best_behind[0][first]
        rest = np.inf
        for node in range(1, len(self.allowed)):
            kept, dropped = _lowest(bounds, most, size)
            rest = min(rest, dropped)
            places, bounds = self._extended(node, places[kept], bounds[kept])
        kept, dropped = _lowest(bounds, most, size)
        return Frontier(places[kept], bounds[kept], min(rest, dropped))

    def _extended(self, node: int, places: Ints, bounds: Floats) -> tuple[Ints, Floats]:
        """Each partial placement with the next node in each of its regions."""
        regions = self.allowed[node]
        totals = np.repeat(bounds[:, np.newaxis], len(regions), axis=1)
        for pair in self._into[node]:
            table = self._with_rest(pair)[:, regions]
            row = places[:, self.pairs[pair, 0]]
            totals += table[row] - table.min(axis=1)[row][:, np.newaxis]
        extended = np.repeat(places, len(regions), axis=0)
        column = np.tile(regions, len(places))[:, np.newaxis]
        return np.concatenate([extended, column], axis=1), totals.ravel()

    @cached_property
    def _into(self) -> tuple[tuple[int, ...], ...]:
        """For each node the pairs that end in it; the first one is its edge of the tree."""
        count = range(len(self.pairs))
        return tuple(tuple(p for p in count if self.pairs[p, 1] == node) for node in range(len(self.allowed)))

    def _with_rest(self, pair: int) -> Floats:
        """A pair's table, with the best of everything behind its target if the pair is in the tree."""
        target = int(self.pairs[pair, 1])
        in_tree = self._into[target][0] == pair
        return np.asarray(self.joint[pair] + (self._best_behind[target] if in_tree else 0.0))

    @cached_property
    def _best_behind(self) -> Floats:
        """For each node and region of it (N, R): the least of the node and what is behind it in the tree."""
        best = self.nodes.copy()
        for node in reversed(range(1, len(best))):
            for position, pair in enumerate(self._into[node]):
                table = self.joint[pair] + (best[node] if position == 0 else 0.0)
                best[self.pairs[pair, 0]] += table[:, self.allowed[node]].min(axis=1)
        return best


def _lowest(bounds: Floats, most: float, size: int) -> tuple[Ints, float]:
    """Positions of the bounds up to `most`, ascending, `size` at most; and the least of what is left out."""
    order = np.argsort(bounds, kind="stable")
    count = min(int(np.searchsorted(bounds[order], most, side="right")), size)
    return order[:count], float(bounds[order[count]]) if count < len(order) else np.inf
