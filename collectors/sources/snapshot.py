"""The packaged snapshots as fact sources: no network, no key, the same facts everywhere.

Sources, dates, bases and licences stand in the files themselves (`data/`, beside this one) and in docs/data.md.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import log, sqrt
from statistics import fmean
from typing import Any, cast

from caribou.collectors.bodies import CarbonBody, CpuPower, Json, PerformanceBody, Prices, ProviderBody
from caribou.collectors.chain import facts_of
from caribou.collectors.facts import Facts, Given, by_region

CPU_KW_PER_VCPU = {"x86_64": CpuPower(idle=0.00074, full=0.0035), "arm64": CpuPower(idle=0.00047, full=0.00169)}
"""Power of a vCPU, idle and busy, by architecture: Cloud Carbon Footprint's averages of SPECpower's machines, 0.74 and
3.5 W for AWS's x86, 0.47 and 1.69 W for Graviton2, for which it takes AMD's EPYC of the second generation."""

MEMORY_KW_PER_GB = 0.0
"""Power of memory on top of that: none. Cloud Carbon Footprint adds 0.392 W for each GB beyond what SPECpower's
machines had, 80.69 GB a chip on average, whose power is in the vCPUs' already. Lambda's 1.73 GB a vCPU is within it
for chips of up to 46 threads."""

COMING_DAYS = timedelta(days=7)
"""For how long a fact is to do, a placement's usual validity: what is solved on the 30th is for the next month."""

_SEASON = timedelta(days=90)
"""For how long a fact is to do that changes a few times a year."""

_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

RELATIVE_RUN_TIME = 1.0
"""No public measurement says that Lambda is faster in one region than in another: equal, and marked as assumed."""


@dataclass(frozen=True, slots=True)
class CarbonSnapshot:
    """Grid intensity of the coming days: the newest annual level, in the shape of the same month of 2023 or 2022.

    Of a region for which more than one grid zone is named, `other_zones` takes the second.
    """

    other_zones: bool = False

    @property
    def origin(self) -> str:
        """What the facts say of their source."""
        return "snapshot of Electricity Maps, lifecycle" + (", other zones" if self.other_zones else "")

    method = "profile of the month by hour of day, at the newest annual level; no forecast"
    valid_for = COMING_DAYS

    def collect(self, now: datetime, regions: Collection[str]) -> Given[CarbonBody]:
        """24 hourly intensities and their mean, for the month of the coming days, and marginal if known."""
        data, marginal = _packaged("carbon/profiles.json"), _marginal_intensity()
        month = (now + COMING_DAYS / 2).month
        return Given(
            {
                region: _carbon_body(zones[::-1] if self.other_zones else zones, data["zones"], month, marginal[region])
                for region, zones in data["zones_of_region"].items()
                if region in regions
            }
        )


class ProviderSnapshot:
    """PUE, power model and list prices."""

    origin = "snapshot of AWS list prices and PUE"
    method = "list prices, published PUE, modelled power"
    valid_for = _SEASON

    def collect(self, now: datetime, regions: Collection[str]) -> Given[ProviderBody]:  # noqa: ARG002 - no clock in it
        """PUE, power and prices."""
        prices, known = _packaged("prices.json"), _packaged("regions.json")
        return Given(
            {
                region: _provider_body(prices["regions"][region], fact, prices["provenance"]["date"])
                for region, fact in known["regions"].items()
                if region in regions
            }
        )


class PerformanceSnapshot:
    """Round trips between regions, and how fast functions run there."""

    origin = "snapshot of CloudPing medians"
    method = "measured medians of a year"
    valid_for = _SEASON

    def collect(self, now: datetime, regions: Collection[str]) -> Given[PerformanceBody]:  # noqa: ARG002 - as above
        """Relative run time and pings, each a list of one median."""
        data = _packaged("latency.json")
        provenance = {
            "ping": data["provenance"]["basis"],
            "date": data["provenance"]["date"],
            "relative_run_time": "assumed equal: no public measurement distinguishes regions",
        }
        return Given(
            {
                region: PerformanceBody(RELATIVE_RUN_TIME, {to: (median,) for to, median in row.items()}, provenance)
                for region, row in data["p50_round_trip_s"].items()
                if region in regions
            }
        )


def packaged_facts(now: datetime) -> Facts:
    """All packaged facts as of `now`, with no table between."""
    return Facts(
        carbon=by_region(facts_of(CarbonSnapshot(), now)),
        provider=by_region(facts_of(ProviderSnapshot(), now)),
        performance=by_region(facts_of(PerformanceSnapshot(), now)),
    )


def _carbon_body(zones: Sequence[str], profiles: Mapping[str, Any], month: int, marginal: float | None) -> CarbonBody:
    """The first zone's shape of that month at its newest annual level."""
    zone, *others = zones
    profile = profiles[zone]
    levels = profile["annual_levels"]
    year, level = max(levels.items())
    scale = level / _mean_of_year(profile["monthly_hourly"])
    hourly = tuple(round(intensity * scale, 1) for intensity in profile["monthly_hourly"][month - 1])
    return CarbonBody(
        average=round(sum(hourly) / len(hourly), 3),
        hourly=hourly,
        marginal=marginal,
        zone=zone,
        year_to_year=_year_to_year(levels),
        provenance={
            "zone": zone,
            "basis": f"{_shape(profile, month)}, at the level of {year}, lifecycle; no forecast",
            "level": level,
            "level_year": int(year),
            "levels": f"{min(levels.values()):g} to {max(levels.values()):g} in {min(levels)} to {year}",
            "contested": _contested(zone, others, profiles),
            "estimated_share": profile["estimated_share"],
            "constant": profile["constant"],
            "licence": "ODbL 1.0, Electricity Maps",
        },
    )


def _year_to_year(levels: Mapping[str, float]) -> float | None:
    """How far a year's mean is from the one before: root mean square of logarithms; None of fewer than three years."""
    years = sorted(levels)
    steps = [log(levels[b] / levels[a]) for a, b in pairwise(years) if int(b) == int(a) + 1]
    return round(sqrt(fmean(step * step for step in steps)), 4) if len(steps) > 1 else None


def _contested(zone: str, others: Sequence[str], profiles: Mapping[str, Any]) -> str:
    """What to say of a region for which more than one zone is named; nothing of others."""
    taken, *named = (f"{z} ({max(profiles[z]['annual_levels'].items())[1]:g} g/kWh)" for z in (zone, *others))
    return f"is taken as {taken}, others name {', '.join(named)}" if named else ""


def _shape(profile: Mapping[str, Any], month: int) -> str:
    if profile["constant"]:
        return "the same at all hours"
    return f"means of month {month} of {profile['shape_year']} by hour of day"


def _mean_of_year(monthly_hourly: Sequence[Sequence[float]]) -> float:
    """The mean over the hours of a year, g CO2eq/kWh, of means by month and hour of day."""
    months = zip(_DAYS, monthly_hourly, strict=True)
    return sum(days * sum(hours) for days, hours in months) / (24 * sum(_DAYS))


def _marginal_intensity() -> Mapping[str, float | None]:
    """Region to the newest annual mean of marginal intensity, g CO2eq/kWh, None where nobody publishes it."""
    regions = _packaged("regions.json")["regions"]
    return {region: fact["marginal_g_per_kwh"] for region, fact in regions.items()}


def _provider_body(price: Mapping[str, Any], fact: Mapping[str, Any], date: str) -> ProviderBody:
    return ProviderBody(
        pue=fact["pue"],
        cpu_kw_per_vcpu=CPU_KW_PER_VCPU,
        memory_kw_per_gb=MEMORY_KW_PER_GB,
        price_usd=Prices.from_json(price),
        provenance={
            "pue": "region" if fact["pue_year"] else "fleet",
            "pue_year": fact["pue_year"],
            "egress": price["egress_basis"],
            "egress_stand_in": price["egress_stand_in"],
            "prices": date,
            "power": "modelled: Cloud Carbon Footprint's averages for AWS, by architecture; memory's is in the vCPU's",
        },
    )


@cache
def _packaged(name: str) -> Json:
    text = (files("caribou.collectors.sources") / "data" / name).read_text(encoding="utf-8")
    return cast("Json", json.loads(text))
