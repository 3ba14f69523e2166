"""Which of two placements is better: hard limits first, then soft ones, then the metrics in their order of priority.

A placement's key is compared place by place, smaller is better:

    (excess over hard limits on the tail, number of soft limits on means that are violated, means by priority,
     nodes away from home)

The excess is 0 for a feasible placement; for others it says how far away it is, so that a search can get out. Means
are compared in units of home's, to nine digits: what differs less is equal, and the next metric decides. So nothing
moves for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from caribou.model.metric import LimitKind, LimitType, Metric, limit_name
from caribou.model.schema.problem import Objective
from caribou.solver.simulation.evaluator import Evaluator, Scores
from caribou.solver.simulation.precision import DIGITS
from caribou.solver.simulation.random_streams import Floats, Ints

PER_CENT = 100.0


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit in the metric's unit at one hour: hard ones bound the tail, soft ones the mean."""

    kind: LimitKind
    metric: Metric
    limit: float

    @property
    def name(self) -> str:
        """Its path in the problem's objective: `hard.runtime`."""
        return limit_name(self.kind, self.metric)

    def values(self, scores: Scores, hour: int) -> Floats:
        """What is bounded, of n placements: (n,)."""
        return _bounded(self.kind, self.metric, scores, hour)

    def excess(self, scores: Scores, hour: int) -> Floats:
        """By how much of the limit the limit is exceeded: (n,), 0 where it is met."""
        over = np.maximum(0.0, self.values(scores, hour) - self.limit)
        return over / self.limit if self.limit > 0 else over


@dataclass(frozen=True, slots=True)
class Criteria:
    """The criteria at one hour. `scale` is home's mean of each metric of `priority`.

    `elsewhere` are limits at other hours, each with its hour, that count as well: of a plan for the whole day. `within`
    is a limit on the mean of a metric that was minimised before (`within`): one more soft limit, which can be met.
    """

    hour: int
    priority: tuple[Metric, ...]
    bounds: tuple[Bound, ...]
    scale: tuple[float, ...]
    home: Ints
    elsewhere: tuple[tuple[int, Bound], ...] = ()
    within: Bound | None = None

    @classmethod
    def of(cls, evaluator: Evaluator, home: Scores, hour: int) -> Criteria:
        """The criteria of the evaluator's problem; `home` scores the placement at home, for relative limits."""
        goal = evaluator.problem.objective
        bounds = [bound for kind in LimitKind for bound in _bounds(goal, kind, home, hour)]
        scale = tuple(float(home.mean(metric, hour)[0]) or 1.0 for metric in goal.priority)
        return cls(hour, goal.priority, tuple(bounds), scale, evaluator.home)

    @classmethod
    def of_day(cls, hours: Sequence[Criteria], day: Criteria) -> Criteria:
        """The criteria of one plan for all hours: the day's means, and every hour's limits on what differs by hour."""
        kept = tuple(bound for bound in day.bounds if not bound.metric.by_hour)
        limits = tuple((one.hour, bound) for one in hours for bound in one.bounds if bound.metric.by_hour)
        return replace(day, bounds=kept, elsewhere=limits)

    @property
    def objective(self) -> Metric:
        """The metric of first priority."""
        return self.priority[0]

    def without(self, bound: Bound) -> Criteria:
        """The criteria but for one limit."""
        return replace(self, bounds=tuple(one for one in self.bounds if one != bound))

    @property
    def checks(self) -> Iterator[tuple[int, Bound]]:
        """All limits with the hours at which they hold."""
        yield from ((self.hour, bound) for bound in self.bounds)
        yield from self.elsewhere
        yield from () if self.within is None else ((self.hour, self.within),)

    @property
    def soft(self) -> tuple[Bound, ...]:
        """The limits on means at its own hour."""
        own = self.bounds if self.within is None else (*self.bounds, self.within)
        return tuple(bound for bound in own if bound.kind == LimitKind.SOFT)

    def keys(self, scores: Scores, places: Ints) -> Floats:
        """The keys (n, K) of placements (n, N)."""
        excess, violated = np.zeros(len(places)), np.zeros(len(places))
        for hour, bound in self.checks:
            over = bound.excess(scores, hour)
            if bound.kind == LimitKind.HARD:
                excess += over
            else:
                violated += over > 0
        means = [self.units(scores.mean(m, self.hour), i) for i, m in enumerate(self.priority)]
        away = (places != self.home).sum(axis=1).astype(np.float64)
        return np.stack([excess, violated, *means, away], axis=1)

    def units(self, values: Floats, place: int = 0) -> Floats:
        """Means of the metric of a priority in units of home's, rounded."""
        return np.asarray(np.round(values / self.scale[place], DIGITS))

    @staticmethod
    def best(keys: Floats, places: Ints) -> int:
        """The position of the best of n placements; of equals the one that comes first by regions."""
        columns = [*places.T[::-1], *keys.T[::-1]]
        return int(np.lexsort(columns)[0])


def tails_needed(objective: Objective, *besides: Metric) -> tuple[Metric, ...]:
    """The metrics whose tail a hard limit bounds, and some besides."""
    return tuple(metric for metric in Metric if metric in objective.hard or metric in besides)


def _bounds(goal: Objective, kind: LimitKind, home: Scores, hour: int) -> list[Bound]:
    bounds = []
    for metric in Metric:
        limit = goal.limits(kind).get(metric)
        if limit is None:
            continue
        value = limit.value
        if limit.type == LimitType.RELATIVE:
            value = limit.value / PER_CENT * float(_bounded(kind, metric, home, hour)[0])
        bounds.append(Bound(kind, metric, value))
    return bounds


def _bounded(kind: LimitKind, metric: Metric, scores: Scores, hour: int) -> Floats:
    """What a limit of a kind bounds, of n placements: (n,)."""
    return scores.tail(metric, hour) if kind == LimitKind.HARD else scores.mean(metric, hour)
