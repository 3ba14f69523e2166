"""Which partial placements break a hard limit on run time or cost whatever comes of them.

Notation: the first n nodes (topological order) are placed, run s is one of the drawn ones, L a limit on a tail.

    run time of s >= max over placed v   start(v, s) + rest(v, r(v), s)
    cost of s     >= sum over what is placed + sum over the others, each at its least for s

start(v, s) is exact, since all that v waits for is placed; rest(v, r, s) is the longest way from v's start to the end
if every later step is in whatever regions are fastest for it in this very run. A tail is above L if more than K of the
S runs are: K = S - 1 - floor(p (S - 1)) for percentile p. So a partial placement is dropped with everything that could
have come of it when the bounds of more than K runs are above L. It suffices to count some runs: those that are long
(dear) at home and in the best placement known. Numbers are of 32 bits, so a bound counts only if it is above a limit by
more than their rounding (`SINGLE_EPSILON`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caribou.model.metric import LimitKind, Metric
from caribou.solver.search.objective import Bound
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.measures import Part
from caribou.solver.simulation.precision import SINGLE_EPSILON
from caribou.solver.simulation.random_streams import Bools, Floats, Ints
from caribou.solver.simulation.timing import Delay

Singles = NDArray[Any]
"""Floats of 32 bits: half the memory, twice the speed."""

COUNTED = 4.0
"""How many runs are counted, as a multiple of those that may be above the limit."""


@dataclass(frozen=True)
class RuntimeBound:
    """Lower bounds on the run times of some runs of a part of the sample."""

    part: Part
    runs: Ints
    allowed: tuple[Ints, ...]

    def lower(self, places: Ints) -> Singles:
        """Lower bounds (B, S) on the run times of partial placements (B, n)."""
        starts: list[Singles] = [self._entry[places[:, 0]]]
        longest = np.maximum(self._redirected[places[:, 0]], starts[0] + self._rest[0][places[:, 0]])
        for node in range(1, places.shape[1]):
            here, latest = places[:, node], None
            for message, delay in self._messages[node]:
                arrival = delay.after(starts[message], places[:, message], here)
                latest = arrival if latest is None else np.maximum(latest, arrival, out=latest)
            assert latest is not None
            starts.append(latest)
            np.maximum(longest, starts[-1] + self._rest[node][here], out=longest)
        return np.asarray(longest)

    @cached_property
    def _messages(self) -> tuple[tuple[tuple[int, Delay], ...], ...]:
        """What may start each node: its source and its delay, on the counted runs."""
        scenarios, delays = self.part.scenarios, self.part.timing.delays
        return tuple(
            tuple((message.source, self._single(delay)) for message, delay in zip(messages, row, strict=True))
            for messages, row in zip(scenarios.incoming, delays, strict=True)
        )

    def _single(self, delay: Delay) -> Delay:
        return Delay(delay.seconds[:, self.runs].astype(np.float32), delay.row, delay.shift.astype(np.float32))

    @cached_property
    def _entry(self) -> Singles:
        return self.part.timing.entry_start[:, self.runs].astype(np.float32)

    @cached_property
    def _redirected(self) -> Singles:
        return self.part.timing.entry_end[:, self.runs].astype(np.float32)

    @cached_property
    def _rest(self) -> list[Singles]:
        """From a node's start to the end, by its region, everything behind it as fast as it can be: (R, S) a node."""
        rest = [durations[:, self.runs].astype(np.float32) for durations in self.part.timing.durations]
        for node in reversed(range(1, len(rest))):
            for source, delay in self._messages[node]:
                np.maximum(rest[source], self._behind(delay, rest[node], self.allowed[node]), out=rest[source])
        return rest

    @staticmethod
    def _behind(delay: Delay, rest: Singles, regions: Ints) -> Singles:
        """The fastest way over a message and what is behind it, by the region of its source: (R, S)."""
        best = np.full(rest.shape, np.inf, dtype=np.float32)
        for region in regions:
            step = delay.seconds[delay.row[:, region]] + delay.shift[:, region][:, np.newaxis] + rest[region]
            np.minimum(best, step, out=best)
        return best


@dataclass(frozen=True)
class CostBound:
    """Lower bounds on the costs of some runs of a part of the sample."""

    part: Part
    runs: Ints
    allowed: tuple[Ints, ...]

    def lower(self, places: Ints) -> Singles:
        """Lower bounds (B, S) on the costs of partial placements (B, n)."""
        count = places.shape[1]
        total = np.repeat(self._rest[count][np.newaxis], len(places), axis=0)
        for node in range(count):
            total += self._nodes[node][places[:, node]]
        terms = self._terms[count]
        if len(terms):
            usd = self._usd[terms, places[:, self._sources[terms]], places[:, self._targets[terms]]]
            total += usd @ self._amounts[terms]
        return total

    @cached_property
    def _nodes(self) -> tuple[Singles, ...]:
        return tuple(usd[:, self.runs].astype(np.float32) for usd in self.part.node_usd)

    @cached_property
    def _sources(self) -> Ints:
        return np.array([term.source for term in self.part.carbon_and_cost.terms], dtype=np.intp)

    @cached_property
    def _targets(self) -> Ints:
        return np.array([term.target for term in self.part.carbon_and_cost.terms], dtype=np.intp)

    @cached_property
    def _usd(self) -> Singles:
        return np.array([term.usd for term in self.part.carbon_and_cost.terms], dtype=np.float32)

    @cached_property
    def _amounts(self) -> Singles:
        return np.array([term.amount[self.runs] for term in self.part.carbon_and_cost.terms], dtype=np.float32)

    @cached_property
    def _terms(self) -> tuple[Ints, ...]:
        """The terms between placed nodes, for each number of placed nodes."""
        last = np.maximum(self._sources, self._targets)
        return tuple(np.flatnonzero(last < count) for count in range(len(self.allowed) + 1))

    @cached_property
    def _rest(self) -> Singles:
        """The least (N + 1, S) of what is not placed yet, for each number of placed nodes."""
        least = [usd[regions].min(axis=0) for usd, regions in zip(self._nodes, self.allowed, strict=True)]
        rest = np.zeros((len(least) + 1, len(self.runs)), dtype=np.float32)
        for count in range(len(least) - 1, -1, -1):
            rest[count] = rest[count + 1] + least[count]
        if len(self._usd):
            lowest = self._usd.reshape(len(self._usd), -1).min(axis=1)
            for count in range(len(rest)):
                later = np.setdiff1d(np.arange(len(lowest)), self._terms[count])
                rest[count] += lowest[later] @ self._amounts[later]
        return rest


_BOUNDS: Mapping[Metric, type[RuntimeBound | CostBound]] = {Metric.RUNTIME: RuntimeBound, Metric.COST: CostBound}
"""The metrics whose tail is bounded before a placement is complete."""


@dataclass(frozen=True)
class TailScreen:
    """The checks of a solve: each a limit, how many of the moved runs may be above it, and lower bounds."""

    evaluator: Evaluator
    checks: tuple[tuple[float, int, RuntimeBound | CostBound], ...]
    allowed: tuple[Ints, ...]

    @classmethod
    def of(
        cls, evaluator: Evaluator, bounds: Sequence[Bound], known: Sequence[Ints], allowed: tuple[Ints, ...]
    ) -> TailScreen:
        """The checks of the hard limits on run time and cost; `known` placements (N,) show which runs count."""
        checks: list[tuple[float, int, RuntimeBound | CostBound]] = []
        for bound in bounds:
            if bound.kind != LimitKind.HARD or bound.metric not in _BOUNDS:
                continue
            most = evaluator.most_above(bound.metric, bound.limit)
            runs = _counted(np.array([evaluator.moved_runs(bound.metric, one) for one in known]), most)
            lower = _BOUNDS[bound.metric](evaluator.part, runs, allowed)
            checks.append((bound.limit * (1 + SINGLE_EPSILON), most, lower))
        return cls(evaluator, tuple(checks), allowed)

    def passes(self, places: Ints) -> Bools:
        """Which of the partial placements (B, n) may still meet the limits."""
        passing = np.ones(len(places), dtype=bool)
        for limit, most, lower in self.checks:
            left = np.flatnonzero(passing)
            above = (lower.lower(places[left]) > limit).sum(axis=1)
            passing[left[above > most]] = False
        return passing

    def mean_runtime_s(self, places: Ints) -> Floats:
        """Lower bounds (B,) on the mean run times of partial placements (B, n)."""
        moved = self._runtime.lower(places).mean(axis=1, dtype=np.float64) * (1 - SINGLE_EPSILON)
        return self.evaluator.mixed_runtime_s(moved)

    @cached_property
    def _runtime(self) -> RuntimeBound:
        return RuntimeBound(self.evaluator.part, np.arange(self.evaluator.part.scenarios.count), self.allowed)


def _counted(values: Floats, most: int) -> Ints:
    """The runs that are counted: those with the highest values (P, S) in the placements known, by rank."""
    ranks = np.argsort(np.argsort(values, axis=1), axis=1).sum(axis=0)
    count = min(values.shape[1], max(int(COUNTED * most), most + 20))
    return np.sort(np.argsort(-ranks, kind="stable")[:count])
