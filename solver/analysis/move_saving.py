"""What moving from one placement to another saves, by what the problem's objective asks for.

Of a robust objective, placements p and q: 1 - max over corners of p's share of home's carbon / max over corners of q's.
Their worst corners may be different ones. Its interval is that of the same replicates of all three, home among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.schema.problem import Problem
from caribou.solver.analysis.day_carbon import DrawnDays, Saving, day_of, two_days
from caribou.solver.simulation.bootstrap import interval
from caribou.solver.simulation.corners import INTENSITIES, TRANSMISSION, Energies, Intensity
from caribou.solver.simulation.ensemble import WORLDS, Day, Ensemble
from caribou.solver.simulation.random_streams import Floats
from caribou.solver.simulation.worst_corner import by_marginal

Grams = Callable[[Energies, Intensity], Floats]
"""What home, what is left and what is moved to emit at a corner: (3, ...)."""


def saving_over(
    problem: Problem, placed: Placement, against: Placement, *, seed: int = 0, samples: int = 2000
) -> Saving:
    """What a placement saves over the day of what another one emits, by the problem's own assumptions.

    Where its objective is robust: of the share of home's carbon that each emits in its own worst corner.
    """
    if not problem.objective.robust:
        return two_days(problem, placed, against, seed=seed, samples=samples).saving(None, "average")
    plan = Plan(ALL_HOURS, dict.fromkeys(problem.nodes, problem.home_region))
    placements = (replace(placed, plans=(plan,), origin={}), against, placed)
    if problem.runs is None:
        old, new = (DrawnDays(problem, one, placements[0], seed, samples) for one in placements[1:])
        drawn = _saved(problem, lambda e, i: np.array([old.grams(e, i)[1], old.grams(e, i)[0], new.grams(e, i)[0]]))
        return Saving(float(drawn), None)
    return _observed(problem, placements)


def _observed(problem: Problem, placements: tuple[Placement, ...]) -> Saving:
    regions = frozenset[str]().union(*(placement.regions for placement in placements))
    likely, possible = (
        [day_of(ensemble, placement) for placement in placements]
        for ensemble in (Ensemble.among(problem, regions, worlds=worlds) for worlds in (1, WORLDS))
    )
    mean = _saved(problem, lambda e, i: np.array([day.emitted(e, i).by_world.mean() for day in likely]))
    drawn = _saved(problem, lambda e, i: np.array([_replicated(day, e, i) for day in possible]))
    runs = possible[0].ensemble.runs
    return Saving(float(mean), interval(drawn, runs), runs)


def _replicated(day: Day, energies: Energies, intensity: Intensity) -> Floats:
    return day.emitted(energies, intensity).replicated(grids_change=intensity == "average")


def _saved(problem: Problem, grams: Grams) -> Floats:
    """What is saved in the worst corners; nothing where home or what is left emits nothing."""
    home, old, new = np.moveaxis(np.array([grams(*corner) for corner in _corners(problem)]), 1, 0)
    before, after = (np.divide(one, home, out=np.ones_like(one), where=home > 0).max(axis=0) for one in (old, new))
    return np.asarray(1 - np.divide(after, before, out=np.ones_like(after), where=before > 0))


def _corners(problem: Problem) -> Iterator[tuple[Energies, Intensity]]:
    known = INTENSITIES if by_marginal(problem) else INTENSITIES[:1]
    yield from ((energies, intensity) for energies in TRANSMISSION for intensity in known)
