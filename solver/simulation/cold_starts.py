"""How often a node starts cold where a placement has it, and where it no longer is.

Lambda keeps an idle process for some minutes. Runs come at a rate of q a second, independently of each other, so an
execution finds no process that was used in the last T seconds with the chance

    p(q) = exp(-q * T)

Where a node was observed, its cold starts are in the runs. Elsewhere it has more or fewer of them:

    moved to r          p(q * (1 - s)) - p(q_o)     more; q_o the rate at which it ran where it was observed
    at home, a share s  p(q * s) - p(q)             more, of those that stay while the node is elsewhere

not below 0: fewer are not promised. Each takes what an observed cold start took; of a node that never started cold
nothing is known, and nothing is added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caribou.solver.simulation.random_streams import Bools, Floats, Ints

IDLE_S = 600.0
"""How long Lambda keeps an idle process: ten minutes, as Mikhail Shilkov measured, "AWS Lambda Cold Starts After 10
Minutes" (mikhail.io, August 2019). AWS promises no figure."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Which of the regions, by position, is home, and the share of runs that stay there."""

    home: int
    share: float


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """Of one node, over R regions and S runs: how long the process of a run took to start, `init_s` (S,), 0 if warm.

    `chance` (R, S): how likely it is that a run's execution that was warm starts cold in a region. `at_home` (R,): how
    much likelier an execution that stays home starts cold while the node is in that region.
    """

    init_s: Floats
    chance: Floats
    at_home: Floats

    @classmethod
    def of(cls, runs: Executions, stay: Stay) -> ColdStarts:
        """The cold starts of a node's executions."""
        places = np.arange(runs.regions)
        rate = _rate(runs.started_at[runs.seen])
        observed = np.array([_rate(runs.started_at[runs.seen & (runs.region == place)]) for place in places])
        more = _chance(rate * (1 - stay.share)) - _chance(observed[np.where(runs.seen, runs.region, 0)])
        left = max(float(_chance(rate * stay.share) - _chance(rate)), 0.0) if stay.share else 0.0
        may = (runs.region != places[:, np.newaxis]) & runs.seen & (runs.init_s == 0)
        return cls(runs.init_s, np.where(may, np.maximum(more, 0.0), 0.0), np.where(places != stay.home, left, 0.0))

    @property
    def mean_s(self) -> float:
        """What an observed cold start took, 0 if there was none."""
        cold = self.init_s[self.init_s > 0]
        return float(cold.mean()) if len(cold) else 0.0

    @property
    def expected_s(self) -> Floats:
        """What starting its process takes a run in each region, in the mean: (R, S)."""
        return np.asarray(self.init_s + self.chance * self.mean_s)

    def delays_s(self, uniform: Floats) -> Floats:
        """By how much later the executions begin that start cold, (R, S), drawn with numbers in [0, 1) (S,)."""
        took = np.sort(self.init_s[self.init_s > 0])
        cold = uniform < self.chance
        if not len(took):
            return np.zeros_like(self.chance)
        at = np.where(cold, uniform / np.where(cold, self.chance, 1.0) * len(took), 0).astype(np.intp)
        return np.where(cold, took[at], 0.0)


@dataclass(frozen=True, slots=True)
class Executions:
    """A node's, in S runs: when each run started, whether it ran, in which of the `regions`, what its start took."""

    started_at: Floats
    seen: Bools
    region: Ints
    init_s: Floats
    regions: int


def _rate(at: Floats) -> float:
    """Of events at those times, how many a second; without end if there is no time between them, or only one."""
    span = float(at.max() - at.min()) if len(at) > 1 else 0.0
    return (len(at) - 1) / span if span > 0 else np.inf


def _chance(rate: float | Floats) -> Floats:
    return np.asarray(np.exp(-np.asarray(rate) * IDLE_S))
