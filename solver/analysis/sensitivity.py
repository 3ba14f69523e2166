"""Does a placement save carbon whatever is assumed, and do the runs say so? Six corners, and one word over all.

Notation: saving = (home - placed) / home, of the mean carbon of a run over the day.

The plan was chosen under one set of assumptions, or by its worst; its saving under each corner of them (`corners`) says
how much of it is an assumption.

Where the runs are observed ones, each saving has an interval, by the bootstrap. The verdict is over all corners.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Any

import numpy as np

from caribou.model.placement import Placement
from caribou.model.schema.problem import Problem
from caribou.model.verdict import ENOUGH_RUNS, Verdict
from caribou.solver.analysis.day_carbon import Days, Saving, all_home, days_of, saving_of
from caribou.solver.simulation.checks import check_sampling
from caribou.solver.simulation.corners import INTENSITIES, TRANSMISSION, Energies, Intensity, marginal_unknown
from caribou.solver.simulation.precision import EPSILON, significant

MOST_RUNS = 1_000_000
"""More runs than that are not called an estimate of anything: the saving is nothing."""


@dataclass(frozen=True, slots=True)
class Corner:
    """The saving under one set of assumptions, a share of home's carbon; `ci95` None where the runs are drawn."""

    transmission_kwh_per_gb: float
    intra_region_kwh_per_gb: float
    intensity: Intensity
    saving: float
    ci95: tuple[float, float] | None

    @classmethod
    def of(cls, energies: Energies, intensity: Intensity, saving: Saving) -> Corner:
        """What is saved under these assumptions."""
        return cls(*energies, intensity, saving.mean, saving.ci95)

    @property
    def is_unsure(self) -> bool:
        """Whether the runs leave open if it is a saving or a loss."""
        return self.ci95 is not None and self.ci95[0] <= 0 <= self.ci95[1]

    @property
    def sign(self) -> int:
        """1 for a saving, -1 for a loss, 0 for neither or if the runs leave it open."""
        return 0 if self.is_unsure or abs(self.saving) < EPSILON else int(np.sign(self.saving))

    def runs_needed(self, runs: int) -> float:
        """About how many runs would do to be sure that it is not nothing, where so many were not enough.

        An interval's width goes with one over the root of the runs; only its part on the side of zero is to fit.
        """
        assert self.ci95 is not None
        low, high = self.ci95
        side = self.saving - low if self.saving > 0 else high - self.saving
        return runs * (side / abs(self.saving)) ** 2 if abs(self.saving) >= EPSILON else inf

    def to_json(self) -> dict[str, Any]:
        """As in a placement's file."""
        return {
            "transmission_kwh_per_gb": self.transmission_kwh_per_gb,
            "intra_region_kwh_per_gb": self.intra_region_kwh_per_gb,
            "intensity": self.intensity,
            "saving": significant(self.saving),
            "ci95": None if self.ci95 is None else [significant(end) for end in self.ci95],
        }


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The corners that are known: none by marginal intensity if `marginal_unknown` names regions of the plan.

    `break_even_kwh_per_gb` is the transmission energy between regions, nothing inside, at which the plan, by average
    intensity, neither saves nor loses; None if there is none above 0.
    """

    corners: tuple[Corner, ...]
    marginal_unknown: tuple[str, ...]
    break_even_kwh_per_gb: float | None
    runs: int | None

    @property
    def verdict(self) -> Verdict:
        """In one word, over all corners that are known."""
        if all(abs(corner.saving) < EPSILON for corner in self.corners):
            return Verdict.STAYS
        signs = {corner.sign for corner in self.corners}
        if {1, -1} <= signs:
            return Verdict.DEPENDS
        if self.runs is not None and self.runs < ENOUGH_RUNS:
            return Verdict.TOO_FEW
        if any(corner.is_unsure for corner in self.corners):
            return Verdict.TOO_FEW
        return Verdict.LOSES if -1 in signs else Verdict.SAVES

    @property
    def runs_needed(self) -> int | None:
        """About how many runs would do where they are too few to say; None where they are not, or no number would."""
        if self.verdict != Verdict.TOO_FEW or self.runs is None:
            return None
        needed = max((corner.runs_needed(self.runs) for corner in self.corners if corner.is_unsure), default=0.0)
        return max(ceil(significant(needed)), self.runs + 1, ENOUGH_RUNS) if needed <= MOST_RUNS else None

    def to_json(self) -> dict[str, Any]:
        """As in a placement's file, `sensitivity`."""
        return {
            "verdict": self.verdict.value,
            "corners": [corner.to_json() for corner in self.corners],
            "marginal_unknown": list(self.marginal_unknown),
            "break_even_kwh_per_gb": None
            if self.break_even_kwh_per_gb is None
            else significant(self.break_even_kwh_per_gb),
            "runs": self.runs,
            "runs_needed": self.runs_needed,
        }


def sensitivity(problem: Problem, placement: Placement, *, seed: int = 0, samples: int = 2000) -> Sensitivity:
    """The saving of a placement under each combination of assumptions, all on the same runs.

    Raises InvalidPlacementError if the placement is not one of the problem.
    """
    check_sampling(seed, samples)
    unknown = marginal_unknown(problem, {problem.home_region, *placement.regions})
    days = days_of(problem, placement, all_home(problem, placement), seed=seed, samples=samples)
    known = INTENSITIES if not unknown else INTENSITIES[:1]
    return Sensitivity(
        corners=tuple(Corner.of(e, i, saving_of(days, e, i)) for e in TRANSMISSION for i in known),
        marginal_unknown=unknown,
        break_even_kwh_per_gb=_break_even(*(_saved(days, energies) for energies in TRANSMISSION if not energies[1])),
        runs=None if problem.runs is None else len(problem.runs.id),
    )


def _saved(days: Days, energies: Energies) -> tuple[float, float]:
    """The energy between regions, and the grams that are saved with it, by average intensity."""
    placed, home = days.grams(energies, "average")
    return energies[0], float(home - placed)


def with_sensitivity(placement: Placement, found: Sensitivity) -> Placement:
    """The placement with its `sensitivity`."""
    return replace(placement, origin={**placement.origin, "sensitivity": found.to_json()})


def _break_even(low: tuple[float, float], high: tuple[float, float]) -> float | None:
    """The energy at which nothing is saved, from what is saved at two, in which it is linear: (energy, g)."""
    slope = (high[1] - low[1]) / (high[0] - low[0])
    energy = low[0] - low[1] / slope if slope else 0.0
    return energy if energy > 0 else None
