"""The search for the best placement at each hour, with a certificate.

Idea: run time and cost do not depend on the hour and carbon is linear in the intensities, so a placement is scored once
for all hours (`ScoreCache`); an hour only ranks. Most of a placement's carbon or cost is a sum of looked-up numbers, a
lower bound that costs next to nothing (`LowerBounds`): what cannot be better is never simulated in time.

1. Start from the best of home, the single-region plans and what earlier hours found.
2. Local search, hour by hour. A move takes one node, or both ends of an edge, to another region; a group of moves is
   scored together and its best one made. It ends where no move is better.
3. Branch and bound for all hours together (`branch_and_bound`). If it ends, nothing better exists on the drawn runs:
   the plans are optimal for them. If it is cut short, the least floor of what is left bounds what was missed.
4. Where it does not end soon, more is done for better placements (`large_neighbourhood`; then two nodes that move at
   once, each to a region that the best placement uses or that is good for it alone), and branch and bound goes on.
5. Where limits couple so many nodes that it still does not end: branch and bound over which runs break them
   (`case_search`), whose bound is that of a linear program.

The static plan, the same at all hours, is one more "hour" of it: the mean of the day's intensities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from caribou.model.metric import Metric
from caribou.solver.search.branch_and_bound import MAX_WORK, Bounding, BranchAndBound
from caribou.solver.search.case_search import searched
from caribou.solver.search.hourly import Hourly
from caribou.solver.search.incumbents import Incumbents
from caribou.solver.search.large_neighbourhood import LargeNeighbourhood
from caribou.solver.search.local_search import LocalSearch
from caribou.solver.search.moves import single_region_plans
from caribou.solver.search.objective import Criteria
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.search.tail_screen import TailScreen
from caribou.solver.simulation.lower_bounds import FloorTables, LowerBounds
from caribou.solver.simulation.random_streams import Floats, Ints

FIRST_WORK = MAX_WORK // 20
"""What is branched before more is done for better placements: most problems end within it."""
SECOND_WORK = MAX_WORK // 4
"""What is branched before the search by cases: it is the quicker one while limits couple few nodes."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The placement (N,) chosen for an hour. `proven`: none better exists on the drawn runs, or none is feasible.

    `bound` is a lower bound on the objective of every feasible placement that breaks no more soft limits.
    """

    hour: int
    places: Ints
    feasible: bool
    proven: bool
    bound: float


DayCriteria = Hourly[Criteria]
DayChoices = Hourly[Choice]


def choose(
    cache: ScoreCache,
    criteria: DayCriteria,
    *,
    allowed: tuple[Ints, ...] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> DayChoices:
    """The best placement found by each of the criteria; nodes only in regions that are `allowed`."""
    regions = allowed or cache.evaluator.allowed
    cache.positions(single_region_plans(cache.evaluator, regions))
    incumbents = Incumbents.of_known(cache, criteria, regions)
    bounds = [cache.evaluator.lower_bounds(one.objective, one.hour, regions) for one in criteria.all]
    local = [LocalSearch(incumbents, one, i) for i, one in enumerate(bounds)]
    for one in reversed(local):  # the static plan first: what is good for the day is a start for its hours
        if not should_stop():
            one.run()
    branching = BranchAndBound(incumbents, _bounding(incumbents, bounds, regions), should_stop)
    branching.run(FIRST_WORK)
    if len(_unproven(branching)):
        LargeNeighbourhood(incumbents, bounds, partial(_bounding, incumbents, bounds), should_stop).run()
    for one in (local[i] for i in _unproven(branching)):
        if not should_stop():
            one.run_with_pairs()
    branching.run(SECOND_WORK)
    rest = searched(incumbents, bounds, _unproven(branching)[::-1].tolist(), should_stop)
    branching.close(rest == np.inf)
    if np.isneginf(rest[_unproven(branching)]).any():  # where cases are no way: see `searched`
        branching.run(MAX_WORK)
    return Hourly.split(_choices(incumbents, np.maximum(rest, branching.rest), branching.bounding.objective.minimum))


def _unproven(branching: BranchAndBound) -> Ints:
    """The criteria for which branch and bound has something left, by position."""
    return np.flatnonzero(np.isfinite(branching.rest))


def _choices(incumbents: Incumbents, rest: Floats, minimum: Floats) -> list[Choice]:
    choices = []
    for i, one in enumerate(incumbents.criteria):
        feasible = bool(incumbents.feasible[i])
        places = incumbents.places[i] if feasible else incumbents.cache.evaluator.home
        position = incumbents.cache.positions(places[np.newaxis])
        objective = float(incumbents.cache.subset(position).mean(one.objective, one.hour)[0])
        exhausted = bool(rest[i] == np.inf)
        proven = exhausted or (feasible and bool(one.units(rest[i]) >= one.units(np.array(objective))))
        bound = objective if proven else max(float(minimum[i]), min(float(rest[i]), objective))
        choices.append(Choice(one.hour, places, feasible, proven, bound))
    return choices


def _bounding(incumbents: Incumbents, bounds: Sequence[LowerBounds], allowed: tuple[Ints, ...]) -> Bounding:
    """Floors of the objective and of what soft limits bound, and the screen of the hard limits."""
    evaluator, first = incumbents.cache.evaluator, incumbents.criteria[0]
    held = [replace(one, allowed=allowed) for one in bounds]
    tables: dict[Metric, FloorTables] = {first.objective: FloorTables.of(held)}
    soft = {bound.metric for one in incumbents.criteria for bound in one.soft}
    for metric in sorted(soft - {first.objective}):
        tables[metric] = FloorTables.of(
            [evaluator.lower_bounds(metric, one.hour, allowed) for one in incumbents.criteria]
        )
    known = list(np.unique(np.concatenate([evaluator.home[np.newaxis], incumbents.places[:1]]), axis=0))
    return Bounding(tables, TailScreen.of(evaluator, first.bounds, known, allowed))
