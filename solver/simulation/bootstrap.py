"""How sure figures of observed runs are: the bootstrap over whole runs, and what needs no assumption of tails.

The runs that were observed are a sample of those that may come. Drawing as many of them, with replacement, again and
again shows how much a figure depends on which ones they were: a replicate counts each run as often as it was drawn. A
run is drawn with all that happened in it, moved and at home, so that what two placements share does not widen the
interval of their difference.

Some things no run says, such as how fast a region is in which nothing ran. They are drawn as well: values come as W
rows of n runs, a row a *world*, and replicate b counts runs of world b mod W.

B replicates; arrays over replicates are (B,).
"""

from __future__ import annotations

from functools import cache
from math import ceil, exp, lgamma, log, sqrt
from statistics import NormalDist

import numpy as np

from caribou.solver.simulation.precision import EPSILON
from caribou.solver.simulation.random_streams import Floats
from caribou.solver.simulation.weights import percentile

REPLICATES = 2000
SURE = 0.95
"""How sure an interval is, and a bound of one side."""
_SEED = 20_241_104
"""Of the replicates: the same for every solve, so that no seed can be chosen for its intervals."""


@cache
def replicates(runs: int) -> Floats:
    """How often each of n runs counts in each replicate, as shares: (B, n)."""
    drawn = np.random.default_rng(_SEED).multinomial(runs, np.full(runs, 1 / runs), size=REPLICATES)
    return np.asarray(drawn / runs)


def means(values: Floats) -> Floats:
    """The mean of each replicate (B,), of values (W, n)."""
    worlds, runs = values.shape
    drawn = replicates(runs)
    found = np.empty(len(drawn))
    for world, row in enumerate(values):
        found[world::worlds] = drawn[world::worlds] @ row
    return found


def percentiles(values: Floats, shares: Floats, percent: float) -> Floats:
    """A percentile of each replicate (B,): the least value that so many are not above.

    `values` (W, k, n): of each run k values, that make up the `shares` (k,) of it: moved, and at home.
    """
    worlds, _, runs = values.shape
    drawn = replicates(runs)
    found = np.empty(len(drawn))
    for world in range(worlds):
        flat = values[world].ravel()
        order = np.argsort(flat, kind="stable")
        weights = (drawn[world::worlds, np.newaxis] * shares[:, np.newaxis]).reshape(-1, len(flat))
        below = np.cumsum(weights[:, order], axis=1)
        found[world::worlds] = flat[order][(below >= percent / 100 - EPSILON).argmax(axis=1)]
    return found


def interval(replicated: Floats, runs: int) -> tuple[float, float]:
    """Between which values a figure of so many runs is, 95 % sure."""
    beyond = _beyond((1 - SURE) / 2, runs)
    low, high = np.percentile(replicated, [100 * beyond, 100 * (1 - beyond)])
    return float(low), float(high)


def lower(replicated: Floats, runs: int) -> float:
    """Above which value it is, 95 % sure."""
    return float(np.percentile(replicated, 100 * _beyond(1 - SURE, runs)))


def upper(replicated: Floats, runs: int) -> float:
    """Below which value it is, 95 % sure."""
    return float(np.percentile(replicated, 100 * (1 - _beyond(1 - SURE, runs))))


@cache
def _beyond(share: float, runs: int) -> float:
    """The share of replicates to leave out at an end so that `share` of intervals miss there.

    Replicates vary less than what they stand for, by (n - 1) / n, and are spread as the normal distribution where
    Student's is due: their percentiles are taken farther out, as T. Hesterberg, "What Teachers Should Know About the
    Bootstrap" (The American Statistician, 2015), has it.
    """
    if runs == 1:
        return 0.0
    t = _student(NormalDist().inv_cdf(1 - share), runs - 1)
    return NormalDist().cdf(-t * sqrt(runs / (runs - 1)))


def _student(z: float, freedom: int) -> float:
    """Student's t from the normal quantile, by the first terms of its expansion (Abramowitz and Stegun, 26.7.5)."""
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


@cache
def sure_share(runs: int, percent: float) -> float | None:
    """The share of n runs that may be no more than a limit, if 95 % sure that its percentile is not above it.

    None where no share is enough. Distribution-free: if the percentile were above the limit, so many of n independent
    runs would be within it only with a chance of 5 %, by the binomial distribution, of which sums of numbers in [0, 1]
    with the same mean are no farther out (Hoeffding 1956). For p95 it takes 59 runs, for p99 299 (Wilks 1941).
    """
    chance = 0.0
    for count in range(runs, -1, -1):
        chance += _binomial(runs, count, percent / 100)
        if chance > 1 - SURE:
            return None if count == runs else (count + 1) / runs
    return None


def _binomial(runs: int, count: int, share: float) -> float:
    """The chance of so many of n, each with that share."""
    ways = lgamma(runs + 1) - lgamma(count + 1) - lgamma(runs - count + 1)
    return exp(ways + count * log(share) + (runs - count) * log(1 - share))


def runs_needed(percent: float) -> int:
    """How many runs it takes for a distribution-free bound on a percentile."""
    return ceil(log(1 - SURE) / log(percent / 100))


def prediction_interval(
    values: Floats, runs: int, *, tail_percentile: float | None = None, sure: float = SURE
) -> tuple[float, float]:
    """Between which values the mean of so many new runs is, or their tail.

    What observed runs count (n,) says what runs may be, and new ones are drawn out of those: so the interval has the
    noise of both samples, where that of a mean has the first one's only.
    """
    chance = np.random.default_rng(_SEED)
    known = chance.integers(len(values), size=(REPLICATES, len(values)))
    new = values[np.take_along_axis(known, chance.integers(len(values), size=(REPLICATES, runs)), axis=1)]
    figures = new.mean(axis=1) if tail_percentile is None else percentile(new, tail_percentile, np.full(runs, 1 / runs))
    beyond = _beyond((1 - sure) / 2, len(values))
    low, high = np.percentile(figures, [100 * beyond, 100 * (1 - beyond)])
    return float(low), float(high)
