"""The chosen plan out of sample, on runs that it was not chosen on: whether its tail is what it seemed.

A plan that just meets a limit on the drawn runs was chosen because it does, so on other runs it may not: the drawn tail
is biased downwards. These runs come from another stream of the same generator, so that no `seed` reaches them.
Where the runs are observed ones there are no others: what is not known of them is in the intervals instead.
The interval of the percentile p of S runs is between the percentiles p +- 1.96 sqrt(p (1 - p) / S) (binomial ranks).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from caribou.model.metric import LimitKind, Metric
from caribou.model.schema.problem import Problem
from caribou.solver.search.objective import PER_CENT, Criteria, tails_needed
from caribou.solver.simulation.evaluation import NORMAL_95
from caribou.solver.simulation.evaluator import Evaluator, Scores
from caribou.solver.simulation.precision import significant
from caribou.solver.simulation.random_streams import Floats, Ints

OUT_OF_SAMPLE = 2**64
"""Added to the seed: beyond any seed that is asked for."""


@dataclass(frozen=True)
class OutOfSample:
    """Runs of a problem that no plan was chosen on, as many as the drawn ones."""

    problem: Problem
    seed: int
    samples: int

    def report(self, places: Ints, hours: Sequence[int]) -> dict[str, Any]:
        """Means and tails, with intervals, of a plan (N,) at its hours, and whether the limits on tails are met."""
        details = self._evaluator.details(places, hours)
        return {
            "samples": self.samples,
            **{metric.field: self._tail(metric, runs) for metric, runs in details.items()},
            "limits": self._limits(places, hours),
        }

    def _tail(self, metric: Metric, runs: Floats) -> dict[str, Any]:
        bounded = runs[..., : self._evaluator.part.scenarios.count] if metric.tail_is_of_moved else runs
        share = self.problem.objective.tail_percentile / PER_CENT
        half = NORMAL_95 * float(np.sqrt(share * (1 - share) / bounded.shape[-1]))
        wanted = np.clip([share - half, share, share + half], 0, 1)
        low, tail, high = (significant(float(value)) for value in np.quantile(bounded, wanted))
        return {"mean": significant(float(runs.mean())), "tail": tail, "tail_ci95": [low, high]}

    def _limits(self, places: Ints, hours: Sequence[int]) -> list[dict[str, Any]]:
        """Each hard limit at the hour at which it is closest; relative ones to home on the same runs."""
        if not self._evaluator.tails:
            return []
        scores = self._evaluator.score(places[np.newaxis])
        found: dict[str, tuple[float, float]] = {}
        for hour in hours:
            for bound in Criteria.of(self._evaluator, self._home, hour).bounds:
                if bound.kind == LimitKind.HARD:
                    value = float(bound.values(scores, hour)[0])
                    known = found.get(bound.name)
                    if known is None or bound.limit - value < known[0] - known[1]:
                        found[bound.name] = (bound.limit, value)
        return [
            {"name": name, "limit": significant(limit), "tail": significant(tail), "met": tail <= limit}
            for name, (limit, tail) in found.items()
        ]

    @cached_property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self.problem, self.seed + OUT_OF_SAMPLE, self.samples, tails_needed(self.problem.objective))

    @cached_property
    def _home(self) -> Scores:
        return self._evaluator.score(self._evaluator.home[np.newaxis])
