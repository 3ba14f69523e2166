"""What a placement emits over the day, and how sure it is what another one saves of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.schema.problem import Problem
from caribou.solver.simulation.bootstrap import interval, replicates, saving_interval
from caribou.solver.simulation.corners import AT, INTENSITIES, TRANSMISSION, assuming
from caribou.solver.simulation.evaluation import place_positions
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.random_streams import Floats
from caribou.solver.simulation.worst_corner import by_marginal


@dataclass(frozen=True, slots=True)
class DayCarbon:
    """Mean carbon of a run over the day, g, and what each observed run emits (n,); None where runs are drawn."""

    mean_g: float
    by_run_g: Floats | None

    def saving_of(self, placed: DayCarbon) -> Saving:
        """What another placement, on the same runs, saves of this one's."""
        mean = (self.mean_g - placed.mean_g) / self.mean_g if self.mean_g > 0 else 0.0
        if self.by_run_g is None or placed.by_run_g is None:
            return Saving(mean, None)
        return Saving(mean, saving_interval(placed.by_run_g, self.by_run_g))


@dataclass(frozen=True, slots=True)
class Saving:
    """A share of carbon that is saved, negative if more is emitted; its 95 % interval, None where runs are drawn."""

    mean: float
    ci95: tuple[float, float] | None


def _as_it_is(hour: int) -> int:
    return hour


def day_carbon(evaluator: Evaluator, placement: Placement, at: Callable[[int], int] = _as_it_is) -> DayCarbon:
    """The carbon of a placement; `at` says which place on the hour axis stands for an hour.

    Raises InvalidPlacementError if the placement is not one of the problem.
    """
    places = [place_positions(evaluator.problem, plan.regions) for plan in placement.plans]
    grams = evaluator.score(np.array(places)).means[Metric.CARBON]
    total = sum(grams[row, at(hour)] for row, plan in enumerate(placement.plans) for hour in plan.hours)
    if evaluator.weights is None:
        return DayCarbon(float(total) / len(ALL_HOURS), None)
    by_run = np.zeros(evaluator.weights.runs)
    for row, plan in zip(places, placement.plans, strict=True):
        hours = [at(hour) for hour in plan.hours]
        by_run += evaluator.weights.by_run(evaluator.details(row, hours)[Metric.CARBON].sum(axis=0))
    return DayCarbon(float(total) / len(ALL_HOURS), by_run / len(ALL_HOURS))


def saving_over(
    problem: Problem, placed: Placement, against: Placement, *, seed: int = 0, samples: int = 2000
) -> Saving:
    """What a placement saves over the day of what another one emits, by the problem's own assumptions.

    Where its objective is robust: of the share of home's carbon that each emits in its own worst corner.
    """
    if problem.objective.robust:
        return _worst_saving(problem, placed, against, seed, samples)
    evaluator = Evaluator(problem, seed, samples)
    return day_carbon(evaluator, against).saving_of(day_carbon(evaluator, placed))


def _worst_saving(problem: Problem, placed: Placement, against: Placement, seed: int, samples: int) -> Saving:
    """By the worst corners of both, which may be different ones."""
    home = replace(placed, plans=(Plan(ALL_HOURS, dict.fromkeys(problem.nodes, problem.home_region)),), origin={})
    corners = [
        [day_carbon(evaluator, placement, AT[intensity]) for placement in (home, against, placed)]
        for evaluator in (Evaluator(assuming(problem, *energies), seed, samples) for energies in TRANSMISSION)
        for intensity in (INTENSITIES if by_marginal(problem) else INTENSITIES[:1])
    ]
    means = np.array([[carbon.mean_g for carbon in corner] for corner in corners])
    saving = float(_less_in_the_worst(means.T))
    if any(carbon.by_run_g is None for corner in corners for carbon in corner):
        return Saving(saving, None)
    runs = np.array([[carbon.by_run_g for carbon in corner] for corner in corners])
    return Saving(saving, interval(_less_in_the_worst(np.moveaxis(runs @ replicates(runs.shape[-1]).T, 1, 0))))


def _less_in_the_worst(grams: Floats) -> Floats:
    """What is saved, from the grams (3, C, ...) of home, of what it is against, and as placed, at C corners.

    Where home emits nothing, there is nothing to save.
    """
    home, against, placed = grams
    old, new = (np.divide(one, home, out=np.ones_like(one), where=home > 0).max(axis=0) for one in (against, placed))
    return np.asarray(1 - np.divide(new, old, out=np.ones_like(new), where=old > 0))
