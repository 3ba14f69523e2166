"""Near the best in one metric, best in another: `caribou solve --within 5%`.

Notation: at each hour, v is the least mean of the metric of first priority within the limits, w a share. The plan that
is wanted has the least mean of another metric among those whose first is at most (1 + w) v, at each hour for itself.

So a solve by the problem's priorities comes first, and says v. The second one minimises the other metric, with one
more soft limit, (1 + w) v on the mean of the first. What was best keeps it and breaks the fewest of the others, so a
placement that breaks no more keeps it too: the second solve is as exact as the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from caribou.model.metric import LimitKind, Metric
from caribou.solver.search.hourly import Hourly
from caribou.solver.search.hours import Choice, DayChoices, DayCriteria
from caribou.solver.search.objective import Bound, Criteria
from caribou.solver.search.score_cache import ScoreCache


@dataclass(frozen=True, slots=True)
class Within:
    """By what share the metric of first priority may be above its least, and what is minimised then."""

    share: float
    then: Metric


def criteria_within(cache: ScoreCache, criteria: DayCriteria, best: DayChoices, within: Within) -> DayCriteria:
    """The criteria of the second solve, by what is best in the first; where nothing is feasible there is no limit."""
    pairs = zip(criteria.all, best.all, strict=True)
    return Hourly.split([_within(cache, one, choice, within) for one, choice in pairs])


def _within(cache: ScoreCache, criteria: Criteria, best: Choice, within: Within) -> Criteria:
    home, scores = cache.subset(np.array([0])), cache.subset(cache.positions(best.places[np.newaxis]))
    scale = dict(zip(criteria.priority, criteria.scale, strict=True))
    scale[within.then] = float(home.mean(within.then, criteria.hour)[0]) or 1.0
    order = (within.then, *(metric for metric in criteria.priority if metric != within.then))
    least = float(scores.mean(criteria.objective, criteria.hour)[0])
    return replace(
        criteria,
        priority=order,
        scale=tuple(scale[metric] for metric in order),
        within=Bound(LimitKind.SOFT, criteria.objective, (1 + within.share) * least) if best.feasible else None,
    )
