"""The best placements found so far, one for each of the criteria of a solve, and what can't beat them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from caribou.model.manifest import Metric
from caribou.solver.search.objective import Criteria
from caribou.solver.search.score_cache import Pool
from caribou.solver.simulation.random_streams import Bools, Floats, Ints

FloorsBy = dict[Metric, Floats]
"""Lower bounds on means, by metric: (n, H)."""


class Incumbents:
    """For each of H criteria the best placement `places` (H, N) and its key `keys` (H, K). Only ever gets better.

    Starts from everything in the pool whose nodes are in regions that are `allowed`.
    """

    def __init__(self, pool: Pool, criteria: Sequence[Criteria], allowed: tuple[Ints, ...]) -> None:
        self.pool = pool
        self.criteria = tuple(criteria)
        self.allowed = allowed
        known = pool.places[self._admitted(pool.places)]
        self.places: Ints = np.repeat(pool.evaluator.home[np.newaxis], len(criteria), axis=0)
        home = pool.subset(np.zeros(1, dtype=np.intp))
        self.keys: Floats = np.concatenate([one.keys(home, pool.places[:1]) for one in criteria])
        self.offer(known)

    def offer(self, candidates: Ints, which: Iterable[int] | None = None) -> Bools:
        """Score placements (n, N) and keep the best for each of the criteria (or some); which of them got better."""
        better = np.zeros(len(self.criteria), dtype=bool)
        if len(candidates) == 0:
            return better
        scores = self.pool.subset(self.pool.positions(candidates))
        for i in range(len(self.criteria)) if which is None else which:
            keys = np.concatenate([self.keys[i : i + 1], self.criteria[i].keys(scores, candidates)])
            places = np.concatenate([self.places[i : i + 1], candidates])
            best = Criteria.best(keys, places)
            if best > 0:
                better[i] = tuple(keys[best]) < tuple(keys[0])
                self.places[i], self.keys[i] = places[best], keys[best]
        return better

    def restart(self, places: Ints) -> None:
        """Forget the incumbents for a placement (N,), better or not."""
        scores = self.pool.subset(self.pool.positions(places[np.newaxis]))
        self.places = np.repeat(places[np.newaxis], len(self.criteria), axis=0)
        self.keys = np.concatenate([one.keys(scores, places[np.newaxis]) for one in self.criteria])

    def beaten(self, floors: FloorsBy) -> Bools:
        """Which of n placements with these floors can't be better than the incumbents: (n, H).

        None can while the incumbent breaks a hard limit. Soft limits that a floor is above are broken for sure.
        """
        objective = self.criteria[0].objective
        beaten = np.zeros(floors[objective].shape, dtype=bool)
        for i, one in enumerate(self.criteria):
            excess, violated, best = self.keys[i, :3]
            if excess > 0:
                continue
            broken = self._broken(one, {metric: floor[:, i] for metric, floor in floors.items()})
            above = one.units(floors[objective][:, i]) > best
            beaten[:, i] = (broken > violated) | ((broken == violated) & above)
        return beaten

    @property
    def objectives(self) -> Floats:
        """The objective of each incumbent, in units of home's: (H,)."""
        return np.asarray(self.keys[:, 2])

    @property
    def feasible(self) -> Bools:
        """Which incumbents meet the hard limits: (H,)."""
        return np.asarray(self.keys[:, 0] == 0)

    def _admitted(self, places: Ints) -> Bools:
        return np.asarray(np.all([np.isin(places[:, v], regions) for v, regions in enumerate(self.allowed)], axis=0))

    @staticmethod
    def _broken(criteria: Criteria, floors: FloorsBy) -> Floats:
        count = np.zeros(len(next(iter(floors.values()))))
        for bound in criteria.bounds:
            if bound.kind == "soft" and bound.metric in floors:
                count += floors[bound.metric] > bound.limit * (1 + 1e-9)
        return count
