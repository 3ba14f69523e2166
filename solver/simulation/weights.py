"""What observed runs weigh: each as much as another, moved but for the share that stays home."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caribou.solver.simulation.precision import EPSILON
from caribou.solver.simulation.random_streams import Floats


@dataclass(frozen=True, slots=True)
class RunWeights:
    """Of n observed runs. Arrays over runs have the n moved ones first, then, if some stay home, the same n at home."""

    runs: int
    stay_share: float

    @property
    def moved(self) -> float:
        """The weight of a moved run."""
        return (1 - self.stay_share) / self.runs

    @property
    def stay(self) -> float:
        """The weight of a run that stays home."""
        return self.stay_share / self.runs

    @property
    def each(self) -> Floats:
        """The weights (S,), all together 1."""
        return np.repeat([self.moved, self.stay][: 2 if self.stay_share else 1], self.runs)


def percentile(runs: Floats, percent: float, weights: Floats | None) -> Floats:
    """A percentile (B,) of runs (B, S): of weighted ones the least value that so many are not above."""
    if weights is None:
        return np.asarray(np.percentile(runs, percent, axis=1))
    order = np.argsort(runs, axis=1, kind="stable")
    below = np.cumsum(weights[order], axis=1)
    place = (below >= percent / 100 - EPSILON).argmax(axis=1)
    return np.asarray(np.take_along_axis(runs, order, axis=1)[np.arange(len(runs)), place])
