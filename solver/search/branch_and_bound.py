"""Branch and bound over partial placements, for many hours at once.

Notation: a partial placement puts the first n nodes (topological order); what may come of it are its completions. For
each hour it has a floor: no completion has a lower mean of the objective (`FloorTables`).

1. Take the partial placements with the lowest floors, in units of the incumbents' objectives; at first the one that
   places nothing.
2. Drop those none of whose completions can meet the hard limits (`TailScreen`), and those that can't beat the incumbent
   of any hour. Both hold for every completion, so nothing is lost.
3. Score what is complete. Extend the others by the next node in each of its regions, and put these back.

Run time and cost do not depend on the hour, so one screening serves all 24; an hour whose incumbent can't be beaten is
closed, and its floors count no more. When nothing is left the incumbents are optimal on the drawn runs, or, where there
is none, no placement meets the hard limits. Cut short, the least floor of what is left is a bound on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caribou.model.metric import Metric
from caribou.solver.search.incumbents import FloorsBy, Incumbents
from caribou.solver.search.tail_screen import TailScreen
from caribou.solver.simulation.lower_bounds import FloorTables
from caribou.solver.simulation.random_streams import Bools, Floats, Ints

MAX_WORK = 6_000_000
"""Partial placements that are screened at most, times (nodes + pairs) of the workflow: some 10 seconds."""
MAX_OPEN = 1_000_000
"""Partial placements that are kept open at most."""
BLOCK = 256
"""Partial placements that are taken at a time: enough for numpy to be quick, few enough for good incumbents soon."""
MAX_BLOCK = 8 * BLOCK
SHARE = 32
"""Of a level with many partial placements this part is taken, up to MAX_BLOCK: sorting them has its price too."""
COMPLETE_BLOCK = 24
"""Complete placements that are taken at a time. Each is scored, which costs more than a bound: the best ones first."""


@dataclass(slots=True)
class _Open:
    """Partial placements (B, n) with floors by metric (B, H), and their priorities (B,): the lowest is next."""

    places: NDArray[np.int16]
    floors: FloorsBy
    priority: Floats

    def __len__(self) -> int:
        return len(self.places)

    def some(self, rows: Ints | Bools) -> _Open:
        return _Open(self.places[rows], {metric: f[rows] for metric, f in self.floors.items()}, self.priority[rows])

    def and_also(self, other: _Open) -> _Open:
        return _Open(
            np.concatenate([self.places, other.places]),
            {metric: np.concatenate([f, other.floors[metric]]) for metric, f in self.floors.items()},
            np.concatenate([self.priority, other.priority]),
        )


@dataclass(frozen=True, slots=True)
class Bounding:
    """What bounds placements: floors by metric, with the objective first, and the screen of the hard limits."""

    tables: dict[Metric, FloorTables]
    screen: TailScreen

    @property
    def objective(self) -> FloorTables:
        """The floors of the metric of first priority."""
        return next(iter(self.tables.values()))


class BranchAndBound:
    """One branch and bound. `run` improves the incumbents; then `rest` bounds what was not looked at, (H,).

    It ends when nothing is left, when the work is done, or when `should_stop` says so, asked once a block.
    """

    def __init__(self, incumbents: Incumbents, bounding: Bounding, should_stop: Callable[[], bool]) -> None:
        self.incumbents = incumbents
        self.bounding = bounding
        self.should_stop = should_stop
        self.work = 0
        tables = bounding.objective
        self._size = len(tables.allowed) + len(tables.pairs)
        self._levels: dict[int, list[_Open]] = {}
        self._put(tables.allowed[0][:, np.newaxis], {m: t.roots for m, t in bounding.tables.items()})

    @property
    def rest(self) -> Floats:
        """The least floor of what is left, by hour; infinite where nothing is."""
        objective = self.incumbents.criteria[0].objective
        floors = [part.floors[objective] for parts in self._levels.values() for part in parts]
        nothing = np.full(len(self.incumbents.keys), np.inf)
        return np.asarray(np.min([nothing, *(f.min(axis=0) for f in floors)], axis=0))

    def close(self, which: Bools) -> None:
        """Look no further for some of the criteria (H,): nothing better exists."""
        objective = self.incumbents.criteria[0].objective
        for parts in self._levels.values():
            for part in parts:
                part.floors[objective] = np.where(which, np.inf, part.floors[objective])

    def run(self, most: int = MAX_WORK) -> None:
        """Branch until nothing is left, or the work is done."""
        while self._levels and self.work < most and not self.should_stop():
            if sum(len(part) for parts in self._levels.values() for part in parts) > MAX_OPEN:
                return
            self._step()

    def _step(self) -> None:
        block = self._taken()
        self.work += len(block) * self._size
        alive = self._pruned(block)
        alive = alive.some(self.bounding.screen.passes(alive.places.astype(np.intp))) if len(alive) else alive
        if Metric.RUNTIME in self.bounding.tables and len(alive):
            alive = self._timed(alive)
        if len(alive) == 0:
            return
        if alive.places.shape[1] == len(self.bounding.objective.allowed):
            self._score(alive)
        else:
            self._extend(alive)

    def _taken(self) -> _Open:
        """The best of the level that has the best; a level is merged and halved by priority as it is used."""
        level = min(self._levels, key=lambda n: (min(float(part.priority.min()) for part in self._levels[n]), -n))
        parts = self._levels.pop(level)
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.and_also(part)
        count = max(BLOCK, min(len(whole) // SHARE, MAX_BLOCK))
        if level == len(self.bounding.objective.allowed):
            count = COMPLETE_BLOCK
        if len(whole) > count:
            order = np.argpartition(whole.priority, count - 1)
            self._levels[level] = [whole.some(np.sort(order[count:]))]
            whole = whole.some(np.sort(order[:count]))
        return whole

    def _pruned(self, block: _Open) -> _Open:
        """What may still beat an incumbent; where it can't, its floor is infinite."""
        beaten = self.incumbents.beaten(block.floors)
        objective = self.incumbents.criteria[0].objective
        floors = dict(block.floors)
        floors[objective] = np.where(beaten, np.inf, floors[objective])
        kept = ~beaten.all(axis=1)
        return _Open(block.places[kept], {m: f[kept] for m, f in floors.items()}, block.priority[kept])

    def _timed(self, block: _Open) -> _Open:
        runtime = self.bounding.screen.mean_runtime_s(block.places.astype(np.intp))[:, np.newaxis]
        floors = {**block.floors, Metric.RUNTIME: np.maximum(block.floors[Metric.RUNTIME], runtime)}
        return self._pruned(_Open(block.places, floors, block.priority))

    def _score(self, block: _Open) -> None:
        self.incumbents.offer(block.places[np.argsort(block.priority, kind="stable")].astype(np.intp))

    def _extend(self, block: _Open) -> None:
        node = block.places.shape[1]
        regions = self.bounding.objective.allowed[node].astype(np.int16)
        column = np.tile(regions, len(block))[:, np.newaxis]
        places = np.concatenate([np.repeat(block.places, len(regions), axis=0), column], axis=1)
        floors = {
            metric: table.extended(block.places.astype(np.intp), block.floors[metric]).reshape(len(places), -1)
            for metric, table in self.bounding.tables.items()
        }
        self._put(places, floors)

    def _put(self, places: Ints | NDArray[np.int16], floors: FloorsBy) -> None:
        objective = next(iter(floors.values()))
        made = self._pruned(_Open(places.astype(np.int16), floors, np.zeros(len(objective))))
        if len(made):
            units = np.array([one.scale[0] for one in self.incumbents.criteria])
            best = np.where(self.incumbents.feasible, np.maximum(self.incumbents.objectives, 1e-12), 1.0)
            made.priority = (next(iter(made.floors.values())) / (units * best)).min(axis=1)
            self._levels.setdefault(places.shape[1], []).append(made)
