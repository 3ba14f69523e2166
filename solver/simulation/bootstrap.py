"""How sure a mean over observed runs is: the bootstrap over whole runs.

The runs that were observed are a sample of those that may come. Drawing as many of them, with replacement, again and
again shows how much a figure depends on which ones they were: a replicate counts each run as often as it was drawn, so
that all replicates of a mean are one product of matrices. A run is drawn with all that happened in it, moved and at
home, so that what two placements share does not widen the interval of their difference.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from caribou.solver.simulation.random_streams import Floats
from caribou.solver.simulation.weights import percentile

REPLICATES = 2000
_SEED = 20_241_104
"""Of the replicates: the same for every solve, so that no seed can be chosen for its intervals."""
_LOWER, _UPPER = 2.5, 97.5


@cache
def replicates(runs: int) -> Floats:
    """How often each of n runs counts in each replicate, as shares: (B, n)."""
    drawn = np.random.default_rng(_SEED).multinomial(runs, np.full(runs, 1 / runs), size=REPLICATES)
    return np.asarray(drawn / runs)


def mean_interval(values: Floats) -> tuple[float, float]:
    """The 95 % interval of the mean of what observed runs count (n,)."""
    return interval(replicates(len(values)) @ values)


def saving_interval(placed: Floats, home: Floats) -> tuple[float, float]:
    """The 95 % interval of what is saved, a share of home: of what the same runs (n,) count as placed and at home."""
    drawn = replicates(len(home))
    at_home, as_placed = drawn @ home, drawn @ placed
    return interval(np.divide(at_home - as_placed, at_home, out=np.zeros_like(at_home), where=at_home > 0))


def interval(replicated: Floats) -> tuple[float, float]:
    """Between which values 95 % of the replicates are."""
    low, high = np.percentile(replicated, [_LOWER, _UPPER])
    return float(low), float(high)


def prediction_interval(
    values: Floats, runs: int, *, tail_percentile: float | None = None, level: float = 95.0
) -> tuple[float, float]:
    """Between which values the mean of so many new runs, or their tail, is in `level` per cent of cases.

    What observed runs count (n,) says what runs may be, and new ones are drawn out of those: so the interval has the
    noise of both samples, where that of a mean has the first one's only.
    """
    chance = np.random.default_rng(_SEED)
    known = chance.integers(len(values), size=(REPLICATES, len(values)))
    drawn = np.take_along_axis(known, chance.integers(len(values), size=(REPLICATES, runs)), axis=1)
    new = values[drawn]
    figures = new.mean(axis=1) if tail_percentile is None else percentile(new, tail_percentile, np.full(runs, 1 / runs))
    low, high = np.percentile(figures, [50 - level / 2, 50 + level / 2])
    return float(low), float(high)
