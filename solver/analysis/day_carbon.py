"""What placements emit over the day, and how sure it is what one saves of what another emits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.schema.problem import Problem
from caribou.model.verdict import ENOUGH_RUNS
from caribou.solver.simulation.bootstrap import interval
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.corners import AT, INTENSITIES, TRANSMISSION, Energies, Intensity, assuming
from caribou.solver.simulation.ensemble import WORLDS, Day, Ensemble
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.random_streams import Floats
from caribou.solver.simulation.worst_corner import by_marginal


@dataclass(frozen=True, slots=True)
class Saving:
    """A share of a metric that is saved, negative if it grows; its 95 % interval, by so many observed runs.

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


class Days(Protocol):
    """Placements, P of them, over a day, on the same runs, under what is assumed of data in motion and of grids."""

    @property
    def runs(self) -> int | None:
        """How many were observed; None where they are drawn."""

    def grams(self, energies: Energies | None, intensity: Intensity) -> Floats:
        """What each emits, g a run: (P,)."""

    def replicated(self, energies: Energies | None, intensity: Intensity) -> Floats:
        """The same in each replicate, (P, B); of drawn runs only once."""


def days_of(problem: Problem, *placements: Placement, seed: int, samples: int) -> Days:
    """Of observed runs, or of drawn ones. Raises InvalidPlacementError if a placement is not one of the problem."""
    if problem.runs is not None:
        return ObservedDays.of(problem, placements)
    return DrawnDays(problem, placements, seed, samples)


def all_home(problem: Problem, placement: Placement) -> Placement:
    """A placement of the same workflow with all nodes at home, all day."""
    home = dict.fromkeys(problem.nodes, problem.home_region)
    return replace(placement, plans=(Plan(ALL_HOURS, home),), origin={})


def saving_of(days: Days, energies: Energies | None, intensity: Intensity) -> Saving:
    """What the first of two placements saves of what the second one emits."""
    return _saving(days, _less(days.grams(energies, intensity)), _less(days.replicated(energies, intensity)))


def saving_over(
    problem: Problem, placed: Placement, against: Placement, *, seed: int = 0, samples: int = 2000
) -> Saving:
    """What a placement saves over the day of what another one emits, costs or takes: by the metric of first priority.

    Carbon by the problem's own assumptions; where its objective is robust: of the share of home's carbon that each
    emits in its own worst corner.
    """
    if (metric := problem.objective.priority[0]) != Metric.CARBON:
        return _saving_of_metric(problem, placed, against, metric)
    if not problem.objective.robust:
        return saving_of(days_of(problem, placed, against, seed=seed, samples=samples), None, "average")
    days = days_of(problem, placed, against, all_home(problem, placed), seed=seed, samples=samples)
    corners = [(e, i) for e in TRANSMISSION for i in (INTENSITIES if by_marginal(problem) else INTENSITIES[:1])]
    grams = np.array([days.grams(*corner) for corner in corners])
    replicated = np.array([days.replicated(*corner) for corner in corners])
    return _saving(days, _less_in_the_worst(grams), _less_in_the_worst(replicated))


def _saving_of_metric(problem: Problem, placed: Placement, against: Placement, metric: Metric) -> Saving:
    """Of cost or run time; of drawn runs nobody asks."""
    assert problem.runs is not None
    days = ObservedDays.of(problem, (placed, against))
    likely = np.array([day.by_world(metric).mean() for day in days.likely])
    return _saving(days, _less(likely), _less(np.array([day.mean(metric) for day in days.possible])))


@dataclass(frozen=True, slots=True)
class ObservedDays:
    """Days of observed runs: in the likely world, and in all replicates."""

    likely: tuple[Day, ...]
    possible: tuple[Day, ...]

    @classmethod
    def of(cls, problem: Problem, placements: Sequence[Placement]) -> ObservedDays:
        """All on the same ensembles."""
        regions = frozenset[str]().union(*(placement.regions for placement in placements))
        likely, possible = (Ensemble.among(problem, regions, worlds=worlds) for worlds in (1, WORLDS))
        return cls(*(tuple(_day(ensemble, one) for one in placements) for ensemble in (likely, possible)))

    @property
    def runs(self) -> int:
        """How many were observed."""
        return self.likely[0].ensemble.runs

    def grams(self, energies: Energies | None, intensity: Intensity) -> Floats:
        """What each emits, g a run: (P,)."""
        return np.array([day.emitted(energies, intensity).by_world.mean() for day in self.likely])

    def replicated(self, energies: Energies | None, intensity: Intensity) -> Floats:
        """The same in each replicate, (P, B). How marginal intensity changes from year to year nobody publishes."""
        emitted = [day.emitted(energies, intensity) for day in self.possible]
        return np.array([one.replicated(grids_change=intensity == "average") for one in emitted])


@dataclass(frozen=True)
class DrawnDays:
    """Days of drawn runs, of a problem without rows."""

    problem: Problem
    placements: Sequence[Placement]
    seed: int
    samples: int
    _evaluators: dict[Energies | None, Evaluator] = field(default_factory=dict)

    @property
    def runs(self) -> None:
        """None: they are drawn."""

    def grams(self, energies: Energies | None, intensity: Intensity) -> Floats:
        """What each emits, g a run: (P,)."""
        if energies not in self._evaluators:
            self._evaluators[energies] = Evaluator(assuming(self.problem, energies), self.seed, self.samples)
        return np.array([_day_grams(self._evaluators[energies], one, intensity) for one in self.placements])

    def replicated(self, energies: Energies | None, intensity: Intensity) -> Floats:
        """The same, once: (P, 1)."""
        return self.grams(energies, intensity)[:, np.newaxis]


def _day(ensemble: Ensemble, placement: Placement) -> Day:
    return ensemble.day([(plan.regions, plan.hours) for plan in placement.plans])


def _day_grams(evaluator: Evaluator, placement: Placement, intensity: Intensity) -> float:
    """Mean carbon of a run over the day, g; marginal intensity is at the place of the overall average."""
    places = [place_positions(evaluator.problem, plan.regions) for plan in placement.plans]
    grams = evaluator.score(np.array(places)).means[Metric.CARBON]
    pairs = [(row, hour) for row, plan in enumerate(placement.plans) for hour in plan.hours]
    return float(sum(grams[row, AT[intensity](hour)] for row, hour in pairs)) / len(ALL_HOURS)


def _saving(days: Days, mean: Floats, replicated: Floats) -> Saving:
    runs = days.runs
    return Saving(float(mean), None) if runs is None else Saving(float(mean), interval(replicated, runs), runs)


def _less(grams: Floats) -> Floats:
    """What the first saves of the second, of grams (2, ...); nothing where there is nothing to save."""
    placed, against = grams
    return np.asarray(np.divide(against - placed, against, out=np.zeros_like(against), where=against > 0))


def _less_in_the_worst(grams: Floats) -> Floats:
    """The same of their worst shares of home, which may be of different corners: of grams (C, 3, ...)."""
    placed, against, home = np.moveaxis(grams, 1, 0)
    shares = [np.divide(one, home, out=np.ones_like(one), where=home > 0).max(axis=0) for one in (placed, against)]
    return _less(np.array(shares))
