"""The search for the best placement at each hour, with a certificate.

Idea: run time and cost do not depend on the hour and carbon is linear in the intensities, so a placement is scored once
for all hours (`Pool`); an hour only ranks. Most of a placement's carbon or cost is a sum of looked-up numbers, a lower
bound that costs next to nothing (`Relaxation`): what cannot be better is never run through the clock.

1. Start from the best of home, the single-region plans and what earlier hours found.
2. Local search, hour by hour. A move takes one node, or both ends of an edge, to another region; a group of moves is
   scored together and its best one made. It ends where no move is better.
3. Branch and bound for all hours together (`branching`). If it ends, nothing better exists on the drawn runs: the plans
   are optimal for them. If it is cut short, the least floor of what is left bounds what was missed.
4. Where it does not end soon, more is done for better placements (`improving`; then two nodes that move at once, each
   to a region that the best placement uses or that is good for it alone) before the branching goes on.

The best plan for the whole day, the same at all hours, is one more "hour" of it: the mean of the day's intensities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from caribou.model.manifest import Metric
from caribou.solver.search.branch_and_bound import MAX_WORK, Bounding, Branching
from caribou.solver.search.incumbents import Incumbents
from caribou.solver.search.large_neighbourhood import Improving
from caribou.solver.search.local_search import Local
from caribou.solver.search.objective import Criteria
from caribou.solver.search.score_cache import Pool
from caribou.solver.search.tail_screen import Screen
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.lower_bounds import FloorTables, Relaxation
from caribou.solver.simulation.random_streams import Ints

FIRST_WORK = MAX_WORK // 20
"""What is branched before more is done for better placements: most problems end within it."""


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


def choose(
    pool: Pool,
    criteria: Sequence[Criteria],
    *,
    allowed: tuple[Ints, ...] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Choice]:
    """The best placement found by each of the criteria; nodes only in regions that are `allowed`."""
    regions = allowed or pool.evaluator.allowed
    pool.positions(_single_region_plans(pool.evaluator, regions))
    incumbents = Incumbents(pool, criteria, regions)
    relaxations = [pool.evaluator.relaxation(one.objective, one.hour, regions) for one in criteria]
    local = [Local(incumbents, relaxation, i) for i, relaxation in enumerate(relaxations)]
    for one in reversed(local):
        if not should_stop():
            one.run()
    branching = Branching(incumbents, _bounding(incumbents, relaxations, regions), should_stop)
    branching.run(FIRST_WORK)
    if np.isfinite(branching.rest).any():
        Improving(incumbents, relaxations, partial(_bounding, incumbents, relaxations), should_stop).run()
    for one in (local[i] for i in np.flatnonzero(np.isfinite(branching.rest))):
        if not should_stop():
            one.run_with_pairs()
    branching.run(MAX_WORK)
    return _choices(incumbents, branching)


def _choices(incumbents: Incumbents, branching: Branching) -> list[Choice]:
    rest, minimum = branching.rest, branching.bounding.objective.minimum
    choices = []
    for i, one in enumerate(incumbents.criteria):
        feasible = bool(incumbents.feasible[i])
        places = incumbents.places[i] if feasible else incumbents.pool.evaluator.home
        position = incumbents.pool.positions(places[np.newaxis])
        objective = float(incumbents.pool.subset(position).mean(one.objective, one.hour)[0])
        exhausted = bool(rest[i] == np.inf)
        proven = exhausted or (feasible and bool(one.units(rest[i]) >= one.units(np.array(objective))))
        bound = objective if proven else max(float(minimum[i]), min(float(rest[i]), objective))
        choices.append(Choice(one.hour, places, feasible, proven, bound))
    return choices


def _bounding(incumbents: Incumbents, relaxations: Sequence[Relaxation], allowed: tuple[Ints, ...]) -> Bounding:
    """Floors of the objective and of what soft limits bound, and the screen of the hard limits."""
    evaluator, first = incumbents.pool.evaluator, incumbents.criteria[0]
    held = [replace(one, allowed=allowed) for one in relaxations]
    tables: dict[Metric, FloorTables] = {first.objective: FloorTables.of(held)}
    soft = {bound.metric for one in incumbents.criteria for bound in one.bounds if bound.kind == "soft"}
    for metric in sorted(soft - {first.objective}):
        hours = [evaluator.relaxation(metric, one.hour, allowed) for one in incumbents.criteria]
        tables[metric] = FloorTables.of(hours)
    known = list(np.unique(np.concatenate([evaluator.home[np.newaxis], incumbents.places[:1]]), axis=0))
    screen = Screen.of(evaluator, first.bounds, known, allowed)
    return Bounding(tables, screen, runtime="runtime" in tables)


def _single_region_plans(evaluator: Evaluator, allowed: tuple[Ints, ...]) -> Ints:
    """For each region all nodes that are allowed in it there, the others at home."""
    plans = [
        [region if region in regions else evaluator.home[v] for v, regions in enumerate(allowed)]
        for region in range(len(evaluator.regions))
    ]
    return np.array(plans, dtype=np.intp)
