"""What the toolkit itself takes in a month, runs or not, and from how many runs a month a placement pays it.

    energy = (full * vCPU + memory power * GB of memory) * PUE * seconds / 3600        vCPU = MB / 1769
    carbon = energy * overall average intensity          cost = sum over what is billed, amount * price

of the sweeper at home and of the collectors in the control region (home if that is not one of the problem's), which all
workflows share. `model.standing` says how often each runs. What a redeploy or a move takes is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from caribou.model.bill import LOG_USD_PER_GB, Place, Priced
from caribou.model.schema.problem import Prices, Problem, ProblemRegion
from caribou.model.standing import COLLECTORS, COMPUTE, ELSEWHERE_USD, SWEEPER, Scheduled, month_of
from caribou.solver.simulation.carbon_and_cost import MB_PER_GB, MB_PER_VCPU, SECONDS_AN_HOUR
from caribou.solver.simulation.precision import significant


@dataclass(frozen=True, slots=True)
class Toolkit:
    """A month of the toolkit. `pays_from_runs` is how many runs a month save as much carbon; None if they save none."""

    cost_usd: float
    carbon_g: float
    pays_from_runs: int | None

    def to_json(self) -> dict[str, Any]:
        """As in a placement's file, part of `solver`."""
        return {
            "cost_usd": significant(self.cost_usd),
            "carbon_g": significant(self.carbon_g),
            "pays_from_runs": self.pays_from_runs,
        }


def toolkit(problem: Problem, saved_g: float) -> Toolkit:
    """What stands beside a placement that saves so much carbon a run, g."""
    month = [(one, _region_of(one.place, problem)) for one in (SWEEPER, *COLLECTORS)]
    carbon_g = sum(_carbon_g(one, region) for one, region in month)
    return Toolkit(
        cost_usd=sum(cost_usd(one, region.price_usd) for one, region in month),
        carbon_g=carbon_g,
        pays_from_runs=ceil(carbon_g / saved_g) if saved_g > 0 else None,
    )


def cost_usd(one: Scheduled, prices: Prices) -> float:
    """A month of a function on a schedule, by a region's prices."""
    return sum(row.amount * _price(row.price, prices) for row in month_of(one))


def _region_of(place: Place, problem: Problem) -> ProblemRegion:
    control = problem.control_region if problem.control_region in problem.regions else problem.home_region
    return problem.regions[control if place is Place.CONTROL else problem.home_region]


def _carbon_g(one: Scheduled, region: ProblemRegion) -> float:
    kw = region.cpu_kw_per_vcpu.full * one.memory_mb / MB_PER_VCPU + region.memory_kw_per_gb * one.memory_mb / MB_PER_GB
    kwh = kw * region.pue * one.times * one.seconds / SECONDS_AN_HOUR
    return kwh * region.carbon_intensity_g_per_kwh.average


def _price(name: str, prices: Prices) -> float:
    """The price of that name; of what depends on the architecture, the dearer one that is known."""
    if name in ELSEWHERE_USD:
        own: float | None = getattr(prices, name)
        return ELSEWHERE_USD[name] if own is None else own
    if name == Priced.LOG:
        return LOG_USD_PER_GB if prices.log_per_gb is None else prices.log_per_gb
    if name in (COMPUTE, Priced.INVOCATION):
        return max(getattr(prices, name).values(), default=0.0)
    return float(getattr(prices, name))
