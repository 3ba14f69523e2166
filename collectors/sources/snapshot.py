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

from caribou.collectors.bodies import (
    ESTIMATED,
    ESTIMATED_SHARE,
    CarbonBody,
    CpuPower,
    Json,
    PerformanceBody,
    Prices,
    ProviderBody,
)
from caribou.collectors.chain import METHOD, facts_of
from caribou.collectors.dated import OFFLINE
from caribou.collectors.facts import Facts, Given, by_region
from caribou.collectors.profile import COMING_DAYS, MonthlyProfile, coming_hours
from caribou.collectors.sources.distance import Place

CPU_KW_PER_VCPU = {"x86_64": CpuPower(idle=0.00074, full=0.0035), "arm64": CpuPower(idle=0.00047, full=0.00169)}
"""Power of a vCPU, idle and busy, by architecture: Cloud Carbon Footprint's averages of SPECpower's machines, 0.74 and
3.5 W for AWS's x86, 0.47 and 1.69 W for Graviton2, for which it takes AMD's EPYC of the second generation."""

MEMORY_KW_PER_GB = 0.0
"""Power of memory on top of that: none. Cloud Carbon Footprint adds 0.392 W for each GB beyond what SPECpower's
machines had, 80.69 GB a chip on average, whose power is in the vCPUs' already. Lambda's 1.73 GB a vCPU is within it
for chips of up to 46 threads."""

_SEASON = timedelta(days=90)
"""For how long a fact is to do that changes a few times a year."""

_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

RELATIVE_RUN_TIME = 1.0
"""No public measurement says that Lambda is faster in one region than in another: equal, and marked as assumed."""


@dataclass(frozen=True, slots=True)
class CarbonSnapshot:
    """Grid intensity of the coming days: the newest annual level, in the shape of the same days of 2023 or 2022.

    Of a region for which more than one grid zone is named, `other_zones` takes the second.
    """

    other_zones: bool = False

    @property
    def origin(self) -> str:
        """What the facts say of their source."""
        return "snapshot of Electricity Maps, lifecycle" + (", other zones" if self.other_zones else "")

    method = f"{OFFLINE}: profile by month and hour of day, at the newest annual level; no forecast"
    valid_for = COMING_DAYS

    def collect(self, now: datetime, regions: Collection[str]) -> Given[CarbonBody]:
        """24 hourly intensities and their mean, for the coming seven days, and marginal if known."""
        marginal, zones = _marginal_intensity(), _packaged("carbon/profiles.json")["zones"]
        return Given(
            {
                region: _carbon_body(own, zones, now, marginal[region])
                for region, own in self._zones().items()
                if region in regions
            }
        )

    def profiles(self) -> Mapping[str, MonthlyProfile]:
        """Region to the profile that a forecast falls back to: each month's shape at the newest annual level."""
        zones = _packaged("carbon/profiles.json")["zones"]
        return {region: _at_newest_level(zones[own[0]]) for region, own in self._zones().items()}

    def zone_of(self, region: str) -> str | None:
        """The grid zone that a region is taken to be in."""
        zones = self._zones().get(region)
        return None if zones is None else zones[0]

    def _zones(self) -> Mapping[str, Sequence[str]]:
        """Region to grid zones, the one that is taken first."""
        named = _packaged("carbon/profiles.json")["zones_of_region"]
        return {region: zones[::-1] if self.other_zones else zones for region, zones in named.items()}


class ProviderSnapshot:
    """PUE, power model and list prices."""

    origin = "snapshot of AWS list prices and PUE"
    method = f"{OFFLINE}: list prices, published PUE, modelled power"
    valid_for = _SEASON

    def collect(self, now: datetime, regions: Collection[str]) -> Given[ProviderBody]:  # noqa: ARG002 - no clock in it
        """PUE, power and prices."""
        prices, known = _packaged("prices.json"), _packaged("regions.json")
        licence = f"{prices['provenance']['licence']}; PUE: {known['provenance']['licence']}"
        return Given(
            {
                region: _provider_body(prices["regions"][region], fact, prices["provenance"]["date"], licence)
                for region, fact in known["regions"].items()
                if region in regions
            }
        )


class PerformanceSnapshot:
    """Round trips between regions, and how fast functions run there."""

    origin = "snapshot of CloudPing medians"
    method = f"{OFFLINE}: measured medians of a year"
    valid_for = _SEASON

    def collect(self, now: datetime, regions: Collection[str]) -> Given[PerformanceBody]:  # noqa: ARG002 - as above
        """Relative run time and pings, each a list of one median."""
        data = _packaged("latency.json")
        about, estimated = data["provenance"], data["estimated"]
        return Given(
            {
                region: performance_body(
                    row, estimated[region], {"ping": about["basis"], "date": about["date"], "licence": about["licence"]}
                )
                for region, row in data["p50_round_trip_s"].items()
                if region in regions
            }
        )


def performance_body(
    pings: Mapping[str, float], estimated: Sequence[str], provenance: Mapping[str, str]
) -> PerformanceBody:
    """A region's round trips, s, one a region; its provenance says which of them are estimates by distance."""
    return PerformanceBody(
        RELATIVE_RUN_TIME,
        {to: (ping,) for to, ping in pings.items()},
        {
            **provenance,
            ESTIMATED_SHARE: round(len(estimated) / len(pings), 4),
            **({ESTIMATED: ", ".join(estimated)} if estimated else {}),
            **({METHOD: "estimated by distance"} if len(estimated) == len(pings) else {}),
            "relative_run_time": "assumed equal: no public measurement distinguishes regions",
        },
    )


def places_of_regions() -> dict[str, Place]:
    """Region to its latitude and longitude."""
    return {region: (lat, lon) for region, (lat, lon) in _packaged("latency.json")["coordinates"].items()}


def zones_of_regions() -> Mapping[str, Sequence[str]]:
    """Region to its grid's zone, as Electricity Maps names it, and others that are named for it."""
    zones: Mapping[str, Sequence[str]] = _packaged("carbon/profiles.json")["zones_of_region"]
    return zones


def packaged_facts(now: datetime) -> Facts:
    """All packaged facts as of `now`, with no table between."""
    return Facts(
        carbon=by_region(facts_of(CarbonSnapshot(), now)),
        provider=by_region(facts_of(ProviderSnapshot(), now)),
        performance=by_region(facts_of(PerformanceSnapshot(), now)),
    )


def _carbon_body(
    zones: Sequence[str], profiles: Mapping[str, Any], now: datetime, marginal: float | None
) -> CarbonBody:
    """The first zone's shape of the coming days at its newest annual level."""
    zone, *others = zones
    profile = profiles[zone]
    levels = profile["annual_levels"]
    year, level = max(levels.items())
    hourly = tuple(round(intensity, 1) for intensity in _at_newest_level(profile).coming_days(now))
    return CarbonBody(
        average=round(sum(hourly) / len(hourly), 3),
        hourly=hourly,
        marginal=marginal,
        zone=zone,
        year_to_year=_year_to_year(levels),
        provenance={
            "zone": zone,
            "basis": f"{_shape(profile, now)}, at the level of {year}, lifecycle, of consumption; no forecast",
            "level": level,
            "level_year": int(year),
            "shape_year": None if profile["constant"] else int(profile["shape_year"]),
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


def _shape(profile: Mapping[str, Any], now: datetime) -> str:
    if profile["constant"]:
        return "the same at all hours"
    months = list(dict.fromkeys(hour.month for hour in coming_hours(now)))
    named = f"month {months[0]}" if len(months) == 1 else f"months {months[0]} and {months[1]}, by their days,"
    return f"means of {named} of {profile['shape_year']} by hour of day"


def _at_newest_level(profile: Mapping[str, Any]) -> MonthlyProfile:
    _, level = max(profile["annual_levels"].items())
    scale = level / _mean_of_year(profile["monthly_hourly"])
    return MonthlyProfile(tuple(tuple(hour * scale for hour in month) for month in profile["monthly_hourly"]))


def _mean_of_year(monthly_hourly: Sequence[Sequence[float]]) -> float:
    """The mean over the hours of a year, g CO2eq/kWh, of means by month and hour of day."""
    months = zip(_DAYS, monthly_hourly, strict=True)
    return sum(days * sum(hours) for days, hours in months) / (24 * sum(_DAYS))


def _marginal_intensity() -> Mapping[str, float | None]:
    """Region to the newest annual mean of marginal intensity, g CO2eq/kWh, None where nobody publishes it."""
    regions = _packaged("regions.json")["regions"]
    return {region: fact["marginal_g_per_kwh"] for region, fact in regions.items()}


def _provider_body(price: Mapping[str, Any], fact: Mapping[str, Any], date: str, licence: str) -> ProviderBody:
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
            "licence": licence,
            "power": "modelled: Cloud Carbon Footprint's averages for AWS, by architecture; memory's is in the vCPU's",
        },
    )


@cache
def _packaged(name: str) -> Json:
    text = (files("caribou.collectors.sources") / "data" / name).read_text(encoding="utf-8")
    return cast("Json", json.loads(text))
