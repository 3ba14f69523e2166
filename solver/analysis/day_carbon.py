"""What a placement emits over the day, and how sure it is what another one saves of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.schema.problem import Problem
from caribou.solver.simulation.bootstrap import interval
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.corners import AT, Energies, Intensity, assuming
from caribou.solver.simulation.ensemble import WORLDS, Day, Ensemble
from caribou.solver.simulation.evaluator import Evaluator

ENOUGH_RUNS = 30
"""To say that something saves. What happens in none of n runs may happen in 3 / n of them (95 % sure, the rule of
three): a branch, an input or a cold start of every tenth run should have been seen."""


@dataclass(frozen=True, slots=True)
class Saving:
    """A share of carbon that is saved, negative if more is emitted; its 95 % interval, by so many observed runs.

    Both are None where runs are drawn.
    """

    mean: float
    ci95: tuple[float, float] | None
    runs: int | None = None

    def is_surely_above(self, share: float) -> bool:
        """Whether the runs say that more is saved; of drawn runs whether the mean does."""
        if self.ci95 is None or self.runs is None:
            return self.mean > share
        return self.runs >= ENOUGH_RUNS and self.ci95[0] > share


class TwoDays(Protocol):
    """Two placements over a day, on the same runs, under what is assumed of data in motion and of grids."""

    def grams(self, energies: Energies | None, intensity: Intensity) -> tuple[float, float]:
        """What both emit, g a run."""

    def saving(self, energies: Energies | None, intensity: Intensity) -> Saving:
        """What the first saves of the second."""


def two_days(problem: Problem, placed: Placement, against: Placement, *, seed: int, samples: int) -> TwoDays:
    """Of observed runs, or of drawn ones. Raises InvalidPlacementError if a placement is not one of the problem."""
    if problem.runs is not None:
        return ObservedDays.of(problem, placed, against)
    return DrawnDays(problem, placed, against, seed, samples)


@dataclass(frozen=True, slots=True)
class ObservedDays:
    """Days of observed runs: in the likely world, and in all replicates."""

    likely: tuple[Day, Day]
    possible: tuple[Day, Day]

    @classmethod
    def of(cls, problem: Problem, placed: Placement, against: Placement) -> ObservedDays:
        """Both on the same ensembles."""
        regions = placed.regions | against.regions
        likely, possible = (Ensemble.among(problem, regions, worlds=worlds) for worlds in (1, WORLDS))
        return cls(*((day_of(ensemble, placed), day_of(ensemble, against)) for ensemble in (likely, possible)))

    def grams(self, energies: Energies | None, intensity: Intensity) -> tuple[float, float]:
        """What both emit, g a run."""
        placed, against = (float(day.emitted(energies, intensity).by_world.mean()) for day in self.likely)
        return placed, against

    def saving(self, energies: Energies | None, intensity: Intensity) -> Saving:
        """What the first saves of the second. How marginal intensity changes from year to year nobody publishes."""
        placed, against = (
            day.emitted(energies, intensity).replicated(grids_change=intensity == "average") for day in self.possible
        )
        drawn = np.divide(against - placed, against, out=np.zeros_like(against), where=against > 0)
        runs = self.possible[0].ensemble.runs
        return Saving(_share(*self.grams(energies, intensity)), interval(drawn, runs), runs)


@dataclass(frozen=True)
class DrawnDays:
    """Days of drawn runs, of a problem without rows."""

    problem: Problem
    placed: Placement
    against: Placement
    seed: int
    samples: int
    _evaluators: dict[Energies | None, Evaluator] = field(default_factory=dict)

    def grams(self, energies: Energies | None, intensity: Intensity) -> tuple[float, float]:
        """What both emit, g a run."""
        if energies not in self._evaluators:
            self._evaluators[energies] = Evaluator(assuming(self.problem, energies), self.seed, self.samples)
        evaluator = self._evaluators[energies]
        return _day_grams(evaluator, self.placed, intensity), _day_grams(evaluator, self.against, intensity)

    def saving(self, energies: Energies | None, intensity: Intensity) -> Saving:
        """What the first saves of the second."""
        return Saving(_share(*self.grams(energies, intensity)), None)


def day_of(ensemble: Ensemble, placement: Placement) -> Day:
    """The day of a placement on an ensemble. Raises InvalidPlacementError if it is not one of its problem."""
    return ensemble.day([(plan.regions, plan.hours) for plan in placement.plans])


def _day_grams(evaluator: Evaluator, placement: Placement, intensity: Intensity) -> float:
    """Mean carbon of a run over the day, g; marginal intensity is at the place of the overall average."""
    places = [place_positions(evaluator.problem, plan.regions) for plan in placement.plans]
    grams = evaluator.score(np.array(places)).means[Metric.CARBON]
    pairs = [(row, hour) for row, plan in enumerate(placement.plans) for hour in plan.hours]
    return float(sum(grams[row, AT[intensity](hour)] for row, hour in pairs)) / len(ALL_HOURS)


def _share(placed_g: float, home_g: float) -> float:
    return (home_g - placed_g) / home_g if home_g > 0 else 0.0
