"""How a placement stands by a problem that it need not come from: its objective, and the hard limits that it breaks.

Limits are judged as the search judges them (`Criteria`): the problem's own percentile of the tail, each hour for itself
where the metric differs by hour, relative limits against home on the same drawn runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from caribou.model.metric import LimitKind, Metric
from caribou.model.placement import Placement
from caribou.model.schema.problem import Problem
from caribou.solver.analysis.sure_limits import LimitVerdict, SureLimit
from caribou.solver.search.objective import Criteria, tails_needed
from caribou.solver.simulation.checks import check_origin, check_sampling, place_positions
from caribou.solver.simulation.ensemble import Ensemble
from caribou.solver.simulation.worst_corner import candidates, evaluator_of


@dataclass(frozen=True, slots=True)
class Judgement:
    """A placement by a problem: the day's mean of the metric of first priority, in its unit.

    `broken` has the metrics whose hard limit it does not meet, each with the hours at which it does not; `unsure` those
    of which observed runs do not say that it is met.
    """

    objective: float
    broken: Mapping[Metric, tuple[int, ...]] = field(default_factory=dict)
    unsure: frozenset[Metric] = frozenset()


def judge(problem: Problem, placement: Placement, *, seed: int = 0, samples: int = 2000) -> Judgement:
    """The judgement on the drawn runs of a seed. Raises InvalidPlacementError if the placement does not fit."""
    check_sampling(seed, samples)
    check_origin(problem, placement)
    problem = candidates(problem)
    evaluator = evaluator_of(problem, seed, samples, tails_needed(problem.objective))
    places = np.array([place_positions(problem, plan.regions) for plan in placement.plans])
    home, scores = evaluator.score(evaluator.home[np.newaxis]), evaluator.score(places)
    means: list[float] = []
    broken: dict[Metric, list[int]] = {}
    closest: dict[tuple[int, Metric], tuple[float, int]] = {}
    for hour, row in sorted((hour, row) for row, plan in enumerate(placement.plans) for hour in plan.hours):
        criteria = Criteria.of(evaluator, home, hour)
        means.append(float(scores.mean(criteria.objective, hour)[row]))
        for bound in (bound for bound in criteria.bounds if bound.kind == LimitKind.HARD):
            slack = bound.limit - float(bound.values(scores, hour)[row])
            closest[row, bound.metric] = min(closest.get((row, bound.metric), (slack, hour)), (slack, hour))
            if bound.excess(scores, hour)[row] > 0:
                broken.setdefault(bound.metric, []).append(hour)
    return Judgement(
        float(np.mean(means)),
        {metric: tuple(hours) for metric, hours in broken.items()},
        _unsure(problem, placement, {at: hour for at, (_, hour) in closest.items()}),
    )


def _unsure(problem: Problem, placement: Placement, closest: Mapping[tuple[int, Metric], int]) -> frozenset[Metric]:
    """The hard limits that are not known to be met, of plans (by position) at the hours at which they are closest."""
    if problem.runs is None or not closest:
        return frozenset()
    ensemble = Ensemble.among(problem, placement.regions)
    unsure = set()
    for (row, metric), hour in closest.items():
        placed, home = ensemble.day([(placement.plans[row].regions, [hour])]), ensemble.home([hour])
        if SureLimit(problem.objective, LimitKind.HARD, metric).verdict(placed, home) != LimitVerdict.HOLDS:
            unsure.add(metric)
    return frozenset(unsure)
