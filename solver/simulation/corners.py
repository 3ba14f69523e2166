"""The corners of what is assumed of carbon: each a problem of its own, under one set of assumptions.

Two assumptions of the carbon model are contested. What a kilowatt hour emits is either the grid's average (by hour) or
what the power plants emit that answer to one kWh more (marginal; an annual mean here, as nobody publishes hours for all
grids). What a GB in motion takes between regions and inside one has been put at 0.001 and as much, at 0.001 and
nothing, and, the worst for whoever moves data, at 0.005 and nothing. Sources: docs/model.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Literal

from caribou.model.schema.problem import CarbonModel, Problem
from caribou.solver.simulation.carbon_and_cost import AVERAGE

Energies = tuple[float, float]
"""What data in motion takes between regions and inside one, kWh/GB."""

TRANSMISSION: tuple[Energies, ...] = ((0.001, 0.001), (0.001, 0.0), (0.005, 0.0))
"""What data in motion takes, kWh/GB, between regions and inside one: the reference system's default, Cloud Carbon
Footprint's with the reference paper's rule that only data between regions counts, and that paper's worst case."""

Intensity = Literal["average", "marginal"]
INTENSITIES: tuple[Intensity, ...] = ("average", "marginal")
AT: Mapping[Intensity, Callable[[int], int]] = {"average": lambda hour: hour, "marginal": lambda _: AVERAGE}
"""Which place on the hour axis of a problem of `assuming` stands for an hour."""


def assuming(problem: Problem, energies: Energies | None) -> Problem:
    """The problem with these energies, its own if None, and marginal intensity in the place of the overall average.

    So one problem scores both: at the hours 0 to 23 with average intensity, at `AVERAGE` with the marginal one. Where
    that is not known, nothing at `AVERAGE` means anything: ask `marginal_unknown` first.
    """
    regions = {}
    for name, facts in problem.regions.items():
        grid = facts.carbon_intensity_g_per_kwh
        changed = grid.model_copy(update={"average": grid.average if grid.marginal is None else grid.marginal})
        regions[name] = facts.model_copy(update={"carbon_intensity_g_per_kwh": changed})
    return problem.model_copy(update={"regions": regions, "carbon_model": with_energies(problem, energies)})


def with_energies(problem: Problem, energies: Energies | None) -> CarbonModel:
    """The problem's carbon model with these transmission energies, its own if None."""
    if energies is None:
        return problem.carbon_model
    changed = {"transmission_kwh_per_gb": energies[0], "intra_region_kwh_per_gb": energies[1]}
    return problem.carbon_model.model_copy(update=changed)


def marginal_unknown(problem: Problem, regions: Collection[str]) -> tuple[str, ...]:
    """Those of some regions of which marginal intensity is not known, in the problem's order."""
    grids = {name: facts.carbon_intensity_g_per_kwh for name, facts in problem.regions.items() if name in regions}
    return tuple(name for name, grid in grids.items() if grid.marginal is None)
