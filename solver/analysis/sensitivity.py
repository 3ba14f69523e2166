"""Does a placement save carbon whatever is assumed? Average and marginal intensity, low and high transmission energy.

Notation: saving = (home - placed) / home, of the mean carbon of a run over the day.

Two assumptions of the carbon model are contested. What a kilowatt hour emits is either the grid's average (by hour) or
what the power plants emit that answer to one kWh more (marginal; an annual mean here, as nobody publishes hours for all
grids). What a GB in motion takes is between 0.001 and 0.005 kWh. The plan was chosen under one of the combinations; its
saving under each says how much of it is an assumption. Sources: docs/data.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.schema.problem import Problem
from caribou.solver.simulation.carbon_and_cost import AVERAGE
from caribou.solver.simulation.evaluation import check_sampling, place_positions
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.precision import EPSILON, significant

TRANSMISSION_KWH_PER_GB: Mapping[str, float] = {"low": 0.001, "high": 0.005}
"""The range of what data in motion takes, kWh/GB: the reference system's default, and the high end that we take."""

Savings = Mapping[str, float]
"""`low` and `high` transmission energy to the saving, a share of home's carbon; negative if the plan emits more."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The saving under each assumption. `marginal` is None if `marginal_unknown` names regions of the plan."""

    average: Savings
    marginal: Savings | None
    marginal_unknown: tuple[str, ...]

    @property
    def sign_depends(self) -> bool | None:
        """Whether some assumption turns the saving into a loss; None if that is not known."""
        known = [*self.average.values(), *(self.marginal or {}).values()]
        if len({_sign(saving) for saving in known} - {0}) > 1:
            return True
        return None if self.marginal is None else False

    def to_json(self) -> dict[str, Any]:
        """As in a placement's file, `sensitivity`."""
        return {
            "transmission_kwh_per_gb": dict(TRANSMISSION_KWH_PER_GB),
            "average": _rounded(self.average),
            "marginal": None if self.marginal is None else _rounded(self.marginal),
            "marginal_unknown": list(self.marginal_unknown),
            "sign_depends": self.sign_depends,
        }


def sensitivity(problem: Problem, placement: Placement, *, seed: int = 0, samples: int = 2000) -> Sensitivity:
    """The saving of a placement under each combination of assumptions, all on the same drawn runs.

    Raises InvalidPlacementError if the placement is not one of the problem.
    """
    check_sampling(seed, samples)
    regions = {problem.home_region, *(region for plan in placement.plans for region in plan.regions.values())}
    unknown = tuple(name for name in problem.regions if name in regions and _marginal(problem, name) is None)
    savings = {
        name: _savings(Evaluator(_assuming(problem, kwh_per_gb), seed, samples), placement)
        for name, kwh_per_gb in TRANSMISSION_KWH_PER_GB.items()
    }
    return Sensitivity(
        average={name: average for name, (average, _) in savings.items()},
        marginal=None if unknown else {name: marginal for name, (_, marginal) in savings.items()},
        marginal_unknown=unknown,
    )


def with_sensitivity(placement: Placement, found: Sensitivity) -> Placement:
    """The placement with its `sensitivity`."""
    return replace(placement, origin={**placement.origin, "sensitivity": found.to_json()})


def _assuming(problem: Problem, kwh_per_gb: float) -> Problem:
    """The problem with this transmission energy and, in the place of the overall average, marginal intensity.

    So one evaluation scores both: at the hours 0 to 23 with average intensity, at `AVERAGE` with the marginal one.
    """
    regions = {}
    for name, facts in problem.regions.items():
        grid = facts.carbon_intensity_g_per_kwh
        changed = grid.model_copy(update={"average": grid.average if grid.marginal is None else grid.marginal})
        regions[name] = facts.model_copy(update={"carbon_intensity_g_per_kwh": changed})
    model = problem.carbon_model.model_copy(update={"transmission_kwh_per_gb": kwh_per_gb})
    return problem.model_copy(update={"regions": regions, "carbon_model": model})


def _savings(evaluator: Evaluator, placement: Placement) -> tuple[float, float]:
    """The saving over the day with average intensity, and with the marginal one."""
    places = [place_positions(evaluator.problem, plan.regions) for plan in placement.plans]
    grams = evaluator.score(np.array([evaluator.home, *places])).means[Metric.CARBON]
    hours = [(row, hour) for row, plan in enumerate(placement.plans, start=1) for hour in plan.hours]
    return (
        _saving(((grams[0, hour], grams[row, hour]) for row, hour in hours), len(ALL_HOURS)),
        _saving(((grams[0, AVERAGE], grams[row, AVERAGE]) for row, _ in hours), len(ALL_HOURS)),
    )


def _saving(pairs: Iterable[tuple[float, float]], hours: int) -> float:
    """The saving from pairs of carbon at home and as placed, one an hour."""
    home, placed = np.array(list(pairs)).sum(axis=0) / hours
    return float((home - placed) / home) if home > 0 else 0.0


def _marginal(problem: Problem, region: str) -> float | None:
    return problem.regions[region].carbon_intensity_g_per_kwh.marginal


def _sign(saving: float) -> int:
    return 0 if abs(saving) < EPSILON else int(np.sign(saving))


def _rounded(savings: Savings) -> dict[str, float]:
    return {name: significant(saving) for name, saving in savings.items()}
