"""What a solve itself takes, from measured CPU time, and after how many runs the placement has paid it back.

Whoever solves, on whatever machine: the CPU seconds are accounted as if a Lambda function of M MB had spent them in the
control region, with the power model and the prices of the workflow's own functions (docs/model.md).

    vCPU   = M / 1769                                     t = CPU seconds / vCPU
    energy = (full * vCPU + memory power * M / 1024) * PUE * t / 3600
    carbon = energy * overall average intensity           cost = GB-s price * M / 1024 * t + one invocation

With M = 1769 it is one vCPU at full load. The control region may not be one of the problem's, then home's facts count;
`accounted_in` says which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.schema.problem import Architecture, Problem, ProblemRegion
from caribou.solver.analysis.standing import Toolkit, toolkit
from caribou.solver.simulation.carbon_and_cost import MB_PER_GB, MB_PER_VCPU, SECONDS_AN_HOUR
from caribou.solver.simulation.precision import significant

MEMORY_MB = 1769
"""The memory of the function that the solve is accounted as: one vCPU."""
_ARCHITECTURES: tuple[Architecture, ...] = ("x86_64", "arm64")


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a solve took. `cost_usd` is None where the region's prices are not among the problem's.

    `pays_back_after_runs` is how many runs save as much carbon; None if the placement saves none. `toolkit` is what
    stands beside it, month by month.
    """

    cpu_seconds: float
    accounted_in: str
    energy_kwh: float
    carbon_g: float
    cost_usd: float | None
    pays_back_after_runs: int | None
    toolkit: Toolkit

    def to_json(self) -> dict[str, Any]:
        """As in a placement's file, part of `solver`."""
        return {
            "cpu_seconds": round(self.cpu_seconds, 3),
            "accounted_in": self.accounted_in,
            "energy_kwh": significant(self.energy_kwh),
            "carbon_g": significant(self.carbon_g),
            "cost_usd": None if self.cost_usd is None else significant(self.cost_usd),
            "pays_back_after_runs": self.pays_back_after_runs,
            "toolkit_a_month": self.toolkit.to_json(),
        }


def footprint(problem: Problem, placement: Placement, cpu_seconds: float) -> Footprint:
    """What a solve of the problem took that gave the placement, in CPU seconds of all its threads and processes."""
    region = problem.control_region if problem.control_region in problem.regions else problem.home_region
    facts, memory_gb, vcpu = problem.regions[region], MEMORY_MB / MB_PER_GB, MEMORY_MB / MB_PER_VCPU
    seconds = cpu_seconds / vcpu
    kw = (facts.cpu_kw_per_vcpu.full * vcpu + facts.memory_kw_per_gb * memory_gb) * facts.pue
    carbon_g = kw * seconds / SECONDS_AN_HOUR * facts.carbon_intensity_g_per_kwh.average
    return Footprint(
        cpu_seconds=cpu_seconds,
        accounted_in=region,
        energy_kwh=kw * seconds / SECONDS_AN_HOUR,
        carbon_g=carbon_g,
        cost_usd=_usd(facts, memory_gb * seconds),
        pays_back_after_runs=_runs(carbon_g, saved_g(placement)),
        toolkit=toolkit(problem, saved_g(placement)),
    )


def with_footprint(placement: Placement, taken: Footprint) -> Placement:
    """The placement with what its solve took, in `solver`."""
    solver = {**placement.origin.get("solver", {}), **taken.to_json()}
    return replace(placement, origin={**placement.origin, "solver": solver})


def saved_g(placement: Placement) -> float:
    """What a run saves of home's carbon, g, averaged over the day, by the plans' reports; 0 for one without reports."""
    saved = 0.0
    for plan in placement.plans:
        if plan.report.get("metrics") and plan.report.get("home_metrics"):
            home, placed = (plan.report[which][Metric.CARBON.field]["mean"] for which in ("home_metrics", "metrics"))
            saved += (home - placed) * len(plan.hours) / len(ALL_HOURS)
    return float(saved)


def _usd(facts: ProblemRegion, gb_seconds: float) -> float | None:
    prices = facts.price_usd
    for architecture in _ARCHITECTURES:
        if architecture in prices.compute_per_gb_s and architecture in prices.invocation:
            return prices.compute_per_gb_s[architecture] * gb_seconds + prices.invocation[architecture]
    return None


def _runs(carbon_g: float, saved: float) -> int | None:
    return ceil(carbon_g / saved) if saved > 0 else None
