"""Do the observed runs say that a limit is met? In one of three words, 95 % sure.

Notation: T a percentile of the placed runs, H the same of them at home, M and N their means, L the limit.

    hard, absolute   holds if T's distribution-free upper bound <= L: nothing is assumed of runs that were not seen
    hard, relative   holds if T - L * H <= 0 in 95 % of the replicates: what a move adds is known better than a tail
    soft, absolute   holds if M <= L in 95 % of the replicates, relative if M - L * N <= 0

and it is broken if the opposite is as sure. Below 20 runs no tail is compared: it would be that of the slowest run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from caribou.model.metric import LimitKind, LimitType, Metric
from caribou.model.schema.problem import Objective, ProblemLimit
from caribou.solver.search.objective import PER_CENT
from caribou.solver.simulation.bootstrap import lower, upper
from caribou.solver.simulation.checks import MIN_SAMPLES
from caribou.solver.simulation.ensemble import Day
from caribou.solver.simulation.random_streams import Floats


class LimitVerdict(StrEnum):
    """Whether observed runs say that a limit is met."""

    HOLDS = "holds"
    BROKEN = "is broken"
    TOO_FEW = "too few runs to say"


@dataclass(frozen=True, slots=True)
class SureLimit:
    """A limit of an objective, hard ones on its tail percentile."""

    objective: Objective
    kind: LimitKind
    metric: Metric

    def verdict(self, placed: Day, home: Day) -> LimitVerdict:
        """On a day; of carbon, which differs by hour, on one hour of it."""
        limit = self.objective.limits(self.kind)[self.metric]
        if self.kind == LimitKind.HARD and self.metric.tail_is_of_moved:
            placed, home = placed.of_moved, home.of_moved
        over = self._replicated(placed)
        if limit.type == LimitType.RELATIVE:
            over = over - limit.value / PER_CENT * self._replicated(home)
        else:
            over = over - limit.value
        if self.kind == LimitKind.HARD and placed.ensemble.runs < MIN_SAMPLES:
            return LimitVerdict.TOO_FEW
        if lower(over, placed.ensemble.runs) > 0:
            return LimitVerdict.BROKEN
        return LimitVerdict.HOLDS if self._is_below(over, placed, limit) else LimitVerdict.TOO_FEW

    def _is_below(self, over: Floats, placed: Day, limit: ProblemLimit) -> bool:
        if self.kind == LimitKind.HARD and limit.type == LimitType.ABSOLUTE:
            tail = placed.sure_tail(self.metric, self.objective.tail_percentile)
            return tail is not None and tail <= limit.value
        return upper(over, placed.ensemble.runs) <= 0

    def _replicated(self, day: Day) -> Floats:
        if self.kind == LimitKind.HARD:
            return day.tail(self.metric, self.objective.tail_percentile)
        return day.mean(self.metric)
