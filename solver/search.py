"""The search for the best placement at each hour.

Idea: run time and cost do not depend on the hour and carbon is linear in the intensities, so a placement is scored once
for all hours (`Pool`); an hour only ranks. Most of a placement's carbon or cost is a sum of looked-up numbers, a lower
bound that costs next to nothing (`Relaxation`): what cannot be better is never run through the clock.

1. Start from the best of home, the single-region plans and what earlier hours found.
2. Local search. A move takes one node, or both ends of an edge, to another region; a group of moves is scored together
   and its best one made. It ends where no move is better.
3. Enumeration. All placements whose lower bound is not beyond the best found, in the order of that bound, until it is.
   In a small space these may be all placements. If the list ends, nothing better exists on the drawn runs: the plan is
   optimal for them. If there are too many, the bound of the first one left out bounds them all.

An exact method (mixed-integer, tree decomposition) replaces `choose`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from caribou.solver.criteria import Criteria
from caribou.solver.draws import Floats, Ints
from caribou.solver.evaluator import Evaluator
from caribou.solver.pool import Pool
from caribou.solver.relaxation import Relaxation

MAX_LISTED = 400_000
"""Placements that are listed at most at an hour, times nodes and edges: 33,000 for a workflow of six and six."""
MAX_SCORED = 200_000
"""Of these the ones that are scored at most, times nodes and edges: some seconds."""
BATCH = 32


@dataclass(frozen=True, slots=True)
class Choice:
    """The placement (N,) chosen for an hour. `bound` is a lower bound on the objective of every feasible placement.

    `proven` says that no better placement exists on the drawn runs.
    """

    hour: int
    places: Ints
    feasible: bool
    proven: bool
    bound: float


@dataclass(frozen=True, slots=True)
class _Search:
    """The state of the search at one hour: the best placement (N,) so far, and its key (K,)."""

    pool: Pool
    criteria: Criteria
    relaxation: Relaxation
    places: Ints
    key: Floats

    def beyond(self, floor: Floats | float) -> Floats:
        """Whether nothing with these lower bounds can be better; never while a limit is violated."""
        excess, violated, objective = self.key[:3]
        return np.asarray((excess == 0) & (violated == 0) & (self.criteria.units(np.asarray(floor)) > objective))

    def with_best_of(self, candidates: Ints) -> _Search:
        """The state after scoring placements (n, N)."""
        positions = self.pool.positions(candidates)
        places = np.concatenate([self.places[np.newaxis], candidates])
        keys = np.concatenate([self.key[np.newaxis], self.criteria.keys(self.pool.subset(positions), candidates)])
        best = self.criteria.best(keys, places)
        return replace(self, places=places[best], key=keys[best])


def choose(pool: Pool, criteria: Sequence[Criteria]) -> list[Choice]:
    """The best placement found at each hour."""
    pool.positions(_single_region_plans(pool.evaluator))
    return [_chosen(*_enumerated(_local(_started(pool, one)))) for one in criteria]


def _single_region_plans(evaluator: Evaluator) -> Ints:
    """For each region all nodes that are allowed in it there, the others at home."""
    plans = [
        [region if region in allowed else evaluator.home[v] for v, allowed in enumerate(evaluator.allowed)]
        for region in range(len(evaluator.regions))
    ]
    return np.array(plans, dtype=np.intp)


def _started(pool: Pool, criteria: Criteria) -> _Search:
    keys = criteria.keys(pool.scores, pool.places)
    best = criteria.best(keys, pool.places)
    relaxation = pool.evaluator.relaxation(criteria.objective, criteria.hour)
    return _Search(pool, criteria, relaxation, pool.places[best], keys[best])


def _local(search: _Search) -> _Search:
    improved = True
    while improved:
        before = search.places
        for nodes in _groups(search.pool.evaluator):
            candidates = _moved(search, nodes)
            hopeful = candidates[~search.beyond(search.relaxation.floor(candidates)).astype(bool)]
            if len(hopeful):
                search = search.with_best_of(hopeful)
        improved = not np.array_equal(before, search.places)
    return search


def _groups(evaluator: Evaluator) -> Iterator[tuple[int, ...]]:
    """Nodes that move together: each one, and the ends of each edge."""
    yield from ((node,) for node in range(len(evaluator.allowed)))
    yield from evaluator.linked


def _moved(search: _Search, nodes: tuple[int, ...]) -> Ints:
    """The best placement with these nodes in each region that all of them are allowed in."""
    regions = search.relaxation.allowed[nodes[0]]
    for node in nodes[1:]:
        regions = np.intersect1d(regions, search.relaxation.allowed[node])
    candidates = np.repeat(search.places[np.newaxis], len(regions), axis=0)
    candidates[:, nodes] = regions[:, np.newaxis]
    return np.asarray(candidates[(candidates != search.places).any(axis=1)])


def _enumerated(search: _Search) -> tuple[_Search, float]:
    """The search after enumeration, and a lower bound on the objective of every feasible placement."""
    excess, violated = search.key[:2]
    most = _raw_objective(search) if excess == violated == 0 else np.inf
    size = len(search.relaxation.allowed) + len(search.relaxation.pairs)
    frontier, budget = search.relaxation.frontier(most, max(1, MAX_LISTED // size)), MAX_SCORED // size
    for first in range(0, len(frontier.places), BATCH):
        if search.beyond(frontier.floors[first]):
            return search, frontier.rest
        if first >= budget:
            return _local(search), min(float(frontier.floors[first]), frontier.rest)
        search = search.with_best_of(frontier.places[first : first + BATCH])
    return search, frontier.rest


def _raw_objective(search: _Search) -> float:
    """The best objective, with the margin within which objectives count as equal."""
    return float(search.key[2] + 10.0**-9) * search.criteria.scale[0]


def _chosen(search: _Search, rest: float) -> Choice:
    """The choice for an hour: home if nothing that was found is feasible. `rest` bounds what was not scored."""
    pool, criteria = search.pool, search.criteria
    feasible = bool(search.key[0] == 0)
    places = search.places if feasible else pool.evaluator.home
    proven = feasible and (rest == np.inf or bool(search.beyond(rest)))
    position = pool.positions(places[np.newaxis])
    objective = float(pool.subset(position).mean(criteria.objective, criteria.hour)[0])
    bound = objective if proven else max(search.relaxation.minimum, 0.0 if rest == np.inf else min(rest, objective))
    return Choice(criteria.hour, places, feasible, proven, bound)
