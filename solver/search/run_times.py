"""How long runs may take at least and at most, and how long they take in a placement that is only partly decided.

Notation: x_v(r) is the share of node v that is in region r, y_uv(a, b) that of a pair of nodes in a pair of regions. A
placement has shares of 0 and 1. Everything is run by run (S,).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caribou.solver.simulation.measures import Part
from caribou.solver.simulation.random_streams import Bools, Floats, Ints

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Arrow:
    """A message that may start a node: in which runs it `happens`, and its delay `seconds[row[a, b]] + shift[a, b]`."""

    source: int
    happens: Bools
    seconds: Floats
    row: Ints
    shift: Floats

    def between(self, sources: Ints, targets: Ints) -> Floats:
        """The delays between regions: (a, b, S)."""
        grid = np.ix_(sources, targets)
        return np.asarray(self.seconds[self.row[grid]] + self.shift[grid][:, :, np.newaxis])

    def shared(self, shares: Floats) -> Floats:
        """The delay (S,) of shares (R, R)."""
        by_row = np.bincount(self.row.ravel(), shares.ravel(), len(self.seconds))
        return np.asarray(by_row @ self.seconds + (self.shift * shares).sum())

    @property
    def by_source(self) -> bool:
        """Whether, but for the shift, the delay depends on the source's region only."""
        return bool((self.row == self.row[:, :1]).all())


@dataclass(frozen=True)
class RunTimes:
    """The run times of the runs of a part, nodes in regions that are `allowed`."""

    part: Part
    allowed: tuple[Ints, ...]

    @cached_property
    def arrows(self) -> tuple[tuple[Arrow, ...], ...]:
        """What may start each node."""
        rows = zip(self.part.scenarios.incoming, self.part.timing.delays, strict=True)
        return tuple(
            tuple(
                Arrow(m.source, m.happens, np.where(m.happens, d.seconds, 0.0), d.row, d.shift)
                for m, d in zip(messages, delays, strict=True)
            )
            for messages, delays in rows
        )

    @cached_property
    def earliest(self) -> tuple[Floats, ...]:
        """When each node starts at the earliest, by its allowed regions (r, S); -inf where nothing starts it."""
        return self._swept(np.min)

    @cached_property
    def latest(self) -> tuple[Floats, ...]:
        """When each node starts at the latest: as `earliest`."""
        return self._swept(np.max)

    @cached_property
    def fastest(self) -> Floats:
        """What no placement's run time is below: (S,)."""
        return np.asarray(np.max([end.min(axis=0) for end in self._ends(self.earliest)], axis=0))

    @cached_property
    def latest_ends(self) -> Floats:
        """When each node ends at the latest: (N, S)."""
        return np.array([end.max(axis=0) for end in self._ends(self.latest)])

    def of(self, nodes: Floats, pairs: Mapping[Pair, Floats]) -> Floats:
        """The run times (S,) of shares of nodes (N, R) and of pairs of nodes (R, R) each."""
        timing = self.part.timing
        starts = [nodes[0] @ timing.entry_start]
        longest = np.maximum(nodes[0] @ timing.entry_end, starts[0] + self._shared_duration(0, nodes[0]))
        for node in range(1, len(nodes)):
            arrivals = [
                np.where(arrow.happens, starts[arrow.source] + arrow.shared(pairs[arrow.source, node]), -np.inf)
                for arrow in self.arrows[node]
            ]
            starts.append(np.max(arrivals, axis=0))
            np.maximum(longest, starts[node] + self._shared_duration(node, nodes[node]), out=longest)
        return np.asarray(longest)

    def _shared_duration(self, node: int, shares: Floats) -> Floats:
        ran = self.part.scenarios.invoked[node]
        return np.where(ran, shares @ np.where(ran, self.part.timing.durations[node], 0.0), -np.inf)

    def _swept(self, extreme: Callable[..., Floats]) -> tuple[Floats, ...]:
        starts = [self.part.timing.entry_start[self.allowed[0]]]
        for node in range(1, len(self.allowed)):
            arrivals = [self._arrival(arrow, node, starts, extreme) for arrow in self.arrows[node]]
            starts.append(np.max(arrivals, axis=0))
        return tuple(starts)

    def _arrival(self, arrow: Arrow, node: int, starts: list[Floats], extreme: Callable[..., Floats]) -> Floats:
        delays = arrow.between(self.allowed[arrow.source], self.allowed[node])
        arrival = extreme(starts[arrow.source][:, np.newaxis] + delays, axis=0)
        return np.where(arrow.happens, arrival, -np.inf)

    def _ends(self, starts: tuple[Floats, ...]) -> list[Floats]:
        durations = self.part.timing.durations
        return [start + durations[v][self.allowed[v]] for v, start in enumerate(starts)]
