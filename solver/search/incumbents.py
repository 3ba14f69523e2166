"""The best placements found so far, one for each of the criteria of a solve, and what can't beat them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from caribou.model.metric import Metric
from caribou.solver.search.hourly import Hourly
from caribou.solver.search.objective import Criteria
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.simulation.precision import EPSILON
from caribou.solver.simulation.random_streams import Bools, Floats, Ints

FloorsBy = dict[Metric, Floats]
"""Lower bounds on means, by metric: (n, H)."""


class Incumbents:
    """For each of H criteria the best placement `places` (H, N) and its key `keys` (H, K). Only ever gets better.

    The criteria are those of the hours, then those of the static plan, whose row is `static`. Starts from one placement
    (N,) for all of them.
    """

    def __init__(self, cache: ScoreCache, criteria: Hourly[Criteria], allowed: tuple[Ints, ...], start: Ints) -> None:
        self.cache = cache
        self.criteria = criteria.all
        self.static = len(criteria.hours)
        self.allowed = allowed
        scores = cache.subset(cache.positions(start[np.newaxis]))
        self.places: Ints = np.repeat(start[np.newaxis], len(self.criteria), axis=0)
        self.keys: Floats = np.concatenate([one.keys(scores, start[np.newaxis]) for one in self.criteria])

    @classmethod
    def of_known(cls, cache: ScoreCache, criteria: Hourly[Criteria], allowed: tuple[Ints, ...]) -> Incumbents:
        """The best of home and everything in the cache whose nodes are in regions that are `allowed`."""
        incumbents = cls(cache, criteria, allowed, cache.evaluator.home)
        admitted = np.all([np.isin(cache.places[:, v], regions) for v, regions in enumerate(allowed)], axis=0)
        incumbents.offer(cache.places[admitted])
        return incumbents

    def offer(self, candidates: Ints, which: Iterable[int] | None = None) -> Bools:
        """Score placements (n, N) and keep the best for each of the criteria (or some); which of them got better."""
        better = np.zeros(len(self.criteria), dtype=bool)
        if len(candidates) == 0:
            return better
        scores = self.cache.subset(self.cache.positions(candidates))
        for i in range(len(self.criteria)) if which is None else which:
            keys = np.concatenate([self.keys[i : i + 1], self.criteria[i].keys(scores, candidates)])
            places = np.concatenate([self.places[i : i + 1], candidates])
            best = Criteria.best(keys, places)
            if best > 0:
                better[i] = tuple(keys[best]) < tuple(keys[0])
                self.places[i], self.keys[i] = places[best], keys[best]
        return better

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

    @staticmethod
    def _broken(criteria: Criteria, floors: FloorsBy) -> Floats:
        count = np.zeros(len(next(iter(floors.values()))))
        for bound in criteria.soft:
            if bound.metric in floors:
                count += floors[bound.metric] > bound.limit * (1 + EPSILON)
        return count
