"""Placements as a linear program, in which some runs are held to the hard limits on run time and cost.

Notation: x_v(r) in 0..1 is whether node v is in region r, y_uv(a, b) whether nodes u and v are in regions a and b.

    sum over r  x_v(r) = 1          sum over b  y_uv(a, b) = x_u(a)          sum over a  y_uv(a, b) = x_v(b)

The floor of the objective is linear in them (`LowerBounds`). So is what a run s costs at least, and when it is over:

    start(v, s) >= start(u, s) + delay(s; x_u, y_uv) for each message      start(v, s) + duration(s; x_v) <= L

The rows of a run are added when it is first held. To let it go, the last ones are opened. Times and costs are in units
of their limits, the objective in units of home's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caribou.model.metric import Metric
from caribou.solver.search.linear_program import LinearProgram, Relaxed, Row
from caribou.solver.search.run_times import Arrow, Pair, RunTimes
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.lower_bounds import LowerBounds
from caribou.solver.simulation.random_streams import Bools, Floats, Ints

LOOSE = 1e-6
"""By so much of a limit the rows are looser: more than the tolerance of the simplex method, which is 1e-7."""
NO_COLUMN = -1


@dataclass(frozen=True, slots=True)
class RunLimit:
    """A hard limit on the tail of run time or cost: at most `most` of the moved runs may be above it."""

    metric: Metric
    limit: float
    most: int


@dataclass(frozen=True, slots=True)
class Held:
    """A run that has to keep a limit, by position in the program's limits."""

    limit: int
    run: int


@dataclass(frozen=True, slots=True)
class Shares:
    """A solution: shares of nodes (N, R), of pairs (R, R) each, the bound, and what each node's region adds to it."""

    bound: float
    nodes: Floats
    pairs: dict[Pair, Floats]
    reduced: Floats


class PlacementProgram:
    """The placements of nodes in `allowed` regions; `limits` are those that runs may be held to."""

    def __init__(self, evaluator: Evaluator, allowed: tuple[Ints, ...], limits: Sequence[RunLimit]) -> None:
        self.evaluator, self.allowed, self.limits = evaluator, allowed, tuple(limits)
        self.times = RunTimes(evaluator.part, allowed)
        self.program = LinearProgram()
        self._nodes = np.array([self._of_node(regions) for regions in allowed])
        self._pairs = {pair: self._of_pair(*pair) for pair in self._linked()}
        self._travel = [[self._of_travel(v, arrow) for arrow in arrows] for v, arrows in enumerate(self.times.arrows)]
        self._ends: dict[Held, Ints] = {}
        self._holding: frozenset[Held] = frozenset()

    @property
    def everywhere(self) -> Bools:
        """Where each node may be: (N, R)."""
        return np.asarray(self._nodes != NO_COLUMN)

    @property
    def work(self) -> int:
        """What the program took so far: see `LinearProgram`."""
        return self.program.work

    @property
    def columns(self) -> int:
        """How large the program is."""
        return self.program.columns

    @cached_property
    def hopeless(self) -> frozenset[Held]:
        """The runs that are above a limit wherever they are placed."""
        least = {limit.metric: self._least(limit.metric) > limit.limit * (1 + LOOSE) for limit in self.limits}
        return frozenset(
            Held(i, int(run)) for i, limit in enumerate(self.limits) for run in np.flatnonzero(least[limit.metric])
        )

    def _least(self, metric: Metric) -> Floats:
        """What each run takes or costs at least, wherever it is placed: (S,)."""
        if metric == Metric.RUNTIME:
            return self.times.fastest
        part = self.evaluator.part
        nodes = [usd[regions].min(axis=0) for usd, regions in zip(part.node_usd, self.allowed, strict=True)]
        pairs = [
            term.usd[np.ix_(self.allowed[term.source], self.allowed[term.target])].min() * term.amount
            for term in part.carbon_and_cost.terms
        ]
        return np.asarray(np.sum([*nodes, *pairs], axis=0))

    def minimise(self, bounds: LowerBounds, unit: float) -> None:
        """Set the objective: a floor, in units."""
        costs = np.zeros(self.program.columns)
        at = self.everywhere
        costs[self._nodes[at]] += bounds.nodes[at]
        for (source, target), joint in zip(bounds.pairs, bounds.joint, strict=True):
            columns = self._pairs[int(source), int(target)]
            costs[columns[columns >= 0]] += joint[columns >= 0]
        self.program.set_costs(costs / unit, bounds.constant / unit)

    def solve(self, places: Bools, holding: frozenset[Held], enough: float) -> Shares | None:
        """The optimum with nodes in some places (N, R) and some runs held; None where there is none.

        It goes no further than to a bound that is `enough`, in units.
        """
        self._hold(holding)
        at = self.everywhere
        self.program.set_upper(self._nodes[at], places[at].astype(np.float64))
        relaxed = self.program.solve(enough)
        return None if relaxed is None else self._shares(relaxed)

    def values(self, limit: RunLimit, shares: Shares) -> Floats:
        """What each run takes, or costs at least, in units of a limit: (S,)."""
        if limit.metric == Metric.RUNTIME:
            return self.times.of(shares.nodes, shares.pairs) / limit.limit
        part = self.evaluator.part
        cost = sum(x @ usd for x, usd in zip(shares.nodes, part.node_usd, strict=True))
        for term in part.carbon_and_cost.terms:
            cost = cost + float((term.usd * shares.pairs[term.source, term.target]).sum()) * term.amount
        return np.asarray(cost) / limit.limit

    def _shares(self, relaxed: Relaxed) -> Shares:
        def of(columns: Ints, values: Floats) -> Floats:
            return np.where(columns >= 0, values[columns], 0.0)

        pairs = {pair: of(columns, relaxed.values) for pair, columns in self._pairs.items()}
        return Shares(relaxed.bound, of(self._nodes, relaxed.values), pairs, of(self._nodes, relaxed.reduced))

    def _linked(self) -> list[Pair]:
        """The pairs of nodes between which a message goes or anything is exchanged."""
        messages = {(arrow.source, v) for v, arrows in enumerate(self.times.arrows) for arrow in arrows}
        return sorted(messages | set(self.evaluator.linked))

    def _of_node(self, regions: Ints) -> Ints:
        columns = np.full(len(self.evaluator.regions), NO_COLUMN, dtype=np.intp)
        columns[regions] = self.program.add_columns(np.zeros(len(regions)), np.ones(len(regions)))
        self.program.add_rows([Row.of(1.0, 1.0, (columns, 1.0))])
        return columns

    def _of_pair(self, source: int, target: int) -> Ints:
        here, there = self.allowed[source], self.allowed[target]
        columns = np.full((len(self.evaluator.regions),) * 2, NO_COLUMN, dtype=np.intp)
        size = len(here) * len(there)
        columns[np.ix_(here, there)] = self.program.add_columns(np.zeros(size), np.ones(size)).reshape(len(here), -1)
        out = [Row.of(0.0, 0.0, (columns[a], 1.0), (self._nodes[source, a : a + 1], -1.0)) for a in here]
        into = [Row.of(0.0, 0.0, (columns[:, b], 1.0), (self._nodes[target, b : b + 1], -1.0)) for b in there]
        self.program.add_rows([*out, *into])
        return columns

    def _of_travel(self, node: int, arrow: Arrow) -> Ints:
        """A column for the shift of a message's delay, seconds, which is the same in all runs."""
        shift = arrow.shift[np.ix_(self.allowed[arrow.source], self.allowed[node])]
        column = self.program.add_columns(shift.min(keepdims=True).ravel(), shift.max(keepdims=True).ravel())
        self.program.add_rows([Row.of(0.0, 0.0, (self._pairs[arrow.source, node], arrow.shift), (column, -1.0))])
        return column

    def _hold(self, holding: frozenset[Held]) -> None:
        for held in sorted(self._holding - holding, key=lambda one: (one.limit, one.run)):
            self.program.set_row_upper(self._ends[held], np.inf)
        for held in sorted(holding - self._holding, key=lambda one: (one.limit, one.run)):
            if held not in self._ends:
                self._ends[held] = self._added(held)
            self.program.set_row_upper(self._ends[held], 1.0 + LOOSE)
        self._holding = holding

    def _added(self, held: Held) -> Ints:
        """The rows by which a run is held: they are open at first."""
        limit = self.limits[held.limit]
        if limit.metric == Metric.COST:
            return self.program.add_rows([self._cost_row(held.run, limit.limit)])
        return self._time_rows(held.run, limit.limit)

    def _cost_row(self, run: int, limit: float) -> Row:
        part = self.evaluator.part
        nodes = [(self._nodes[v], usd[:, run] / limit) for v, usd in enumerate(part.node_usd)]
        pairs = [
            (self._pairs[term.source, term.target], term.usd * (term.amount[run] / limit))
            for term in part.carbon_and_cost.terms
        ]
        return Row.of(-np.inf, np.inf, *nodes, *pairs)

    def _time_rows(self, run: int, limit: float) -> Ints:
        timing, starts = self.evaluator.part.timing, {0: self._start_column(0, run, limit)}
        entry = Row.of(0.0, 0.0, (self._nodes[0], timing.entry_start[:, run] / limit), (starts[0], -1.0))
        rows, ends = [entry], [Row.of(-np.inf, np.inf, (self._nodes[0], timing.entry_end[:, run] / limit))]
        for node in range(len(self.allowed)):
            arrows = [i for i, a in enumerate(self.times.arrows[node]) if a.happens[run] and a.source in starts]
            if node and not arrows:
                continue
            if node:
                starts[node] = self._start_column(node, run, limit)
            rows += [self._arrival_row(node, i, run, limit, starts) for i in arrows]
            if self.times.latest_ends[node, run] > limit:
                duration = timing.durations[node][:, run] / limit
                ends.append(Row.of(-np.inf, np.inf, (starts[node], 1.0), (self._nodes[node], duration)))
        self.program.add_rows(rows)
        return self.program.add_rows(ends)

    def _start_column(self, node: int, run: int, limit: float) -> Ints:
        earliest, latest = self.times.earliest[node][:, run].min(), self.times.latest[node][:, run].max()
        return self.program.add_columns(np.array([earliest / limit - LOOSE]), np.array([latest / limit + LOOSE]))

    def _arrival_row(self, node: int, place: int, run: int, limit: float, starts: dict[int, Ints]) -> Row:
        arrow = self.times.arrows[node][place]
        seconds = arrow.seconds[arrow.row, run] / limit
        delay = (self._pairs[arrow.source, node], -seconds)
        if arrow.by_source:
            delay = (self._nodes[arrow.source], -seconds[:, 0])
        ends = [(starts[node], 1.0), (starts[arrow.source], -1.0)]
        return Row.of(0.0, np.inf, *ends, (self._travel[node][place], -1.0 / limit), delay)
