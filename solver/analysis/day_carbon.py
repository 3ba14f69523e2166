"""What a placement emits over the day, and how sure it is what another one saves of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.schema.problem import Problem
from caribou.solver.simulation.bootstrap import saving_interval
from caribou.solver.simulation.evaluation import place_positions
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.random_streams import Floats


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
    """What a placement saves over the day of what another one emits, by the problem's own assumptions."""
    evaluator = Evaluator(problem, seed, samples)
    return day_carbon(evaluator, against).saving_of(day_carbon(evaluator, placed))
