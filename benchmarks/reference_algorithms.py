"""The reference system's three algorithms (Caribou, SOSP 2024), written from their description, on our evaluator.

* coarse-grained: all nodes in one region, for each region that every node allows;
* exhaustive: every combination of the nodes' allowed regions;
* stochastic heuristic: starts from home and the coarse-grained plans, then makes 3 * regions * nodes proposals. Each
  redraws int(0.2 * nodes) + 1 nodes of the current placement: with a probability of 0.2 from the regions of proposals
  that improved on the best, else from all that the node allows. A feasible proposal that improves is kept; another
  feasible one with the Boltzmann probability at a temperature of 1.0 that is multiplied by 0.99 a step. The change is
  taken relative to home, so that it has no unit.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from math import exp

import numpy as np

from caribou.model.schema.problem import Problem
from caribou.solver.search.objective import Criteria, tails_needed
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.random_streams import Ints

BIAS = 0.2
COOLING = 0.99


@dataclass
class Scored:
    """A problem at an hour: placements to objectives, infinite if a hard limit is broken. Counts its calls."""

    problem: Problem
    hour: int
    seed: int = 0
    samples: int = 2000
    calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(self.problem, self.seed, self.samples, tails_needed(self.problem.objective))
        self.cache = ScoreCache(self.evaluator)
        self.criteria = Criteria.of(self.evaluator, self.cache.subset(np.array([0])), self.hour)

    def objective(self, places: Ints) -> float:
        """The mean of the metric of first priority."""
        self.calls += 1
        scores = self.cache.subset(self.cache.positions(places[np.newaxis]))
        key = self.criteria.keys(scores, places[np.newaxis])[0]
        return float("inf") if key[0] > 0 else float(scores.mean(self.criteria.objective, self.hour)[0])


def coarse_grained(scored: Scored) -> tuple[float, Ints]:
    """The best single region."""
    plans = list(_single_regions(scored.evaluator))
    return min(((scored.objective(one), tuple(one)) for one in plans), default=_home(scored))  # type: ignore[return-value]


def exhaustive(scored: Scored, most: int) -> tuple[float, Ints]:
    """The best of the first `most` combinations."""
    every = islice(product(*scored.evaluator.allowed), most)
    return min((scored.objective(np.array(one, dtype=np.intp)), one) for one in every)  # type: ignore[return-value]


def stochastic(scored: Scored, seed: int) -> tuple[float, Ints]:
    """The heuristic's answer."""
    rng, evaluator = random.Random(seed), scored.evaluator
    nodes, regions = len(evaluator.allowed), len(evaluator.regions)
    at_home, home = _home(scored)
    best, best_places, temperature, good = at_home, home, 1.0, set[int]()
    for one in _single_regions(evaluator):
        value = scored.objective(one)
        if value < best:
            best, best_places = value, one
            good.update(int(r) for r in one)
    current, current_places = best, best_places
    for _ in range(3 * regions * nodes):
        proposal = current_places.copy()
        for node in rng.choices(range(nodes), k=int(0.2 * nodes) + 1):
            allowed = [int(r) for r in evaluator.allowed[node]]
            liked = [r for r in allowed if r in good]
            proposal[node] = rng.choice(liked if liked and rng.random() < BIAS else allowed)
        value = scored.objective(proposal)
        if value < best:
            best, best_places = value, proposal
            good.update(int(r) for r in proposal)
        if value <= current or (
            value < float("inf") and rng.random() < exp(-(value - current) / at_home / temperature)
        ):
            current, current_places = value, proposal
        temperature *= COOLING
    return best, best_places


def _home(scored: Scored) -> tuple[float, Ints]:
    return scored.objective(scored.evaluator.home), scored.evaluator.home


def _single_regions(evaluator: Evaluator) -> Iterator[Ints]:
    for region in range(len(evaluator.regions)):
        if all(region in allowed for allowed in evaluator.allowed):
            yield np.full(len(evaluator.allowed), region, dtype=np.intp)
