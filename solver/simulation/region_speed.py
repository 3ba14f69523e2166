"""How much faster or slower a node runs in another region: what was observed there, and what is assumed elsewhere.

Notation: b the region where most is known of a node (home, else where it ran most), r another one, in logarithms so
that half as fast and twice as fast are equally far from 1.

    factor(r) = exp(m + s * z)      z standard normal, one a region: a slow region is slow for all nodes
    prior     m0 = log(relative_run_time(r) / relative_run_time(b))     s0 = 0.05
    observed  x  = log(mean there / mean at b)                          v  = cv² * (1 / n_r + 1 / n_b)
    together  m  = m0 + (x - m0) * s0² / (s0² + v)                      s² = s0² * v / (s0² + v)

cv is the standard deviation as a share of the mean, of all executions about the mean of their region: a node's runs are
as far apart in one region as in another, and two that happen to be alike would seem to say more than they do. One
execution in a region says nothing of the factor. Times are compared without what lies between a region and the node's
endpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from caribou.solver.simulation.random_streams import Floats, Ints

PRIOR_SD = 0.05
"""How far regions are apart in speed, in logarithms. Assumed: nobody publishes a comparison of Lambda's regions."""
_LEAST = 2  # executions, for a variance
_SEED = 20_241_105
"""Of what speeds may be: the same for every solve."""


@dataclass(frozen=True, slots=True)
class RegionSpeed:
    """Of one node: `mean` and `sd` (R,) of the logarithm of its run time in each region, against that in one."""

    mean: Floats
    sd: Floats

    @classmethod
    def assumed(cls, relative: Floats, base: int) -> RegionSpeed:
        """Where nothing was observed, from `relative` run times (R,); `base` is compared with, so it is known."""
        sd = np.full(len(relative), PRIOR_SD)
        sd[base] = 0.0
        return cls(np.log(relative / relative[base]), sd)

    def observing(self, seconds: Floats, region: Ints, base: int) -> RegionSpeed:
        """With executions that took `seconds` (n,), each in a region (n,)."""
        mean, sd = self.mean.copy(), self.sd.copy()
        at_base = seconds[region == base]
        for place in np.unique(region[region != base]):
            there = seconds[region == place]
            if min(len(there), len(at_base)) < _LEAST or min(there.mean(), at_base.mean()) <= 0:
                continue
            variance = _variance(there, at_base)
            share = sd[place] ** 2 / (sd[place] ** 2 + variance)
            mean[place] += (np.log(there.mean() / at_base.mean()) - mean[place]) * share
            sd[place] *= np.sqrt(1 - share)
        return RegionSpeed(mean, sd)

    def factors(self, observed_in: Ints, chance: Floats) -> Floats:
        """By what a run time (S,) that was observed in a region is multiplied in each other: (R, S).

        `chance` (R, S) has the standard normal numbers.
        """
        log_time = self.mean[:, np.newaxis] + self.sd[:, np.newaxis] * chance
        return np.asarray(np.exp(log_time - np.take_along_axis(log_time, observed_in[np.newaxis], axis=0)))


def region_chance(worlds: int, regions: Sequence[str]) -> Floats:
    """How fast regions may be, in standard deviations: (W, R), drawn.

    By name, so that what a region may be does not depend on which others a problem has, and each with the spread of the
    normal distribution: that of a few draws would be a third too small for one region, and too large for another.
    """
    drawn = np.array([np.random.default_rng([_SEED, *name.encode()]).standard_normal(worlds) for name in regions])
    return np.asarray(drawn / np.sqrt((drawn**2).mean(axis=1, keepdims=True))).T


def _variance(there: Floats, at_base: Floats) -> float:
    """Of the logarithm of the ratio of two means, from their executions (n_r,), (n_b,)."""
    squares = sum(float(((seconds / seconds.mean() - 1) ** 2).sum()) for seconds in (there, at_base))
    return squares / (len(there) + len(at_base) - 2) * (1 / len(there) + 1 / len(at_base))
