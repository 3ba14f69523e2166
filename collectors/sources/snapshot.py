"""The packaged snapshots as fact sources: no network, no key, the same facts everywhere.

Sources, dates, bases and licences stand in the files themselves (`collectors/data/`) and in docs/data.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, cast

from caribou.collectors.facts import Facts, FactSource, Json, Kind, facts_from

CPU_KW_PER_VCPU = {"idle": 0.00074, "full": 0.0035}
"""Power of a vCPU, idle and busy: Cloud Carbon Footprint's averages for AWS (0.74 W and 3.5 W)."""

MEMORY_KW_PER_GB = 0.0003725
"""Power of memory: 0.3725 W per GB, as in the reference system (from Teads' and Cloud Carbon Footprint's models)."""

RELATIVE_RUN_TIME = 1.0
"""No public measurement says that Lambda is faster in one region than in another: equal, and marked as assumed."""

_PRICES_IN_PROBLEM = (
    "compute_per_gb_s",
    "invocation",
    "message_request",
    "table_read_unit",
    "table_write_unit",
    "egress_other_region_per_gb",
    "egress_internet_per_gb",
)


class CarbonSnapshot:
    """Grid intensity of the coming days: each hour's mean over the same month of 2023 (for some zones 2022)."""

    kind: Kind = "carbon"
    name = "snapshot of Electricity Maps, lifecycle"

    def bodies(self, now: datetime) -> Mapping[str, Json]:
        """Region to 24 hourly intensities and their mean, for the month that `now` is in, and marginal if known."""
        data, marginal = _packaged("carbon/profiles.json"), marginal_intensity()
        zones, zone_of_region = data["zones"], data["zone_of_region"]
        return {
            region: {**_carbon_body(zone, zones[zone], now.month), **_marginal(marginal[region])}
            for region, zone in zone_of_region.items()
        }


class ProviderSnapshot:
    """PUE, power model and list prices."""

    kind: Kind = "provider"
    name = "snapshot of AWS list prices and PUE"

    def bodies(self, now: datetime) -> Mapping[str, Json]:  # noqa: ARG002 - they do not change by the hour
        """Region to PUE, power and prices."""
        prices, regions = _packaged("prices.json"), _packaged("regions.json")
        return {
            region: _provider_body(prices["regions"][region], fact, prices["provenance"]["date"])
            for region, fact in regions["regions"].items()
        }


class PerformanceSnapshot:
    """Round trips between regions, and how fast functions run there."""

    kind: Kind = "performance"
    name = "snapshot of CloudPing medians"

    def bodies(self, now: datetime) -> Mapping[str, Json]:  # noqa: ARG002 - they do not change by the hour
        """Region to relative run time and pings, each a list of one median."""
        data = _packaged("latency.json")
        provenance = {
            "ping": data["provenance"]["basis"],
            "date": data["provenance"]["date"],
            "relative_run_time": "assumed equal: no public measurement tells regions apart",
        }
        return {
            region: {
                "relative_run_time": RELATIVE_RUN_TIME,
                "ping_s": {to: [median] for to, median in row.items()},
                "provenance": provenance,
            }
            for region, row in data["p50_round_trip_s"].items()
        }


SOURCES: Mapping[Kind, FactSource] = {
    "carbon": CarbonSnapshot(),
    "provider": ProviderSnapshot(),
    "performance": PerformanceSnapshot(),
}
"""The packaged source of each kind."""


def packaged_facts(now: datetime) -> Facts:
    """All packaged facts as of `now`."""
    return facts_from(SOURCES.values(), now)


def coordinates() -> Mapping[str, tuple[float, float]]:
    """Region to latitude and longitude in degrees, for maps in reports."""
    regions = _packaged("regions.json")["regions"]
    return {region: (fact["latitude"], fact["longitude"]) for region, fact in regions.items()}


def marginal_intensity() -> Mapping[str, float | None]:
    """Region to the annual mean of marginal intensity, g CO2eq/kWh (2023), None where nobody tells it."""
    regions = _packaged("regions.json")["regions"]
    return {region: fact["marginal_g_per_kwh"] for region, fact in regions.items()}


def monthly_intensity(region: str) -> list[list[float]]:
    """A region's profile of the year: 12 months of 24 hourly means, g CO2eq/kWh. KeyError for an unknown region."""
    data = _packaged("carbon/profiles.json")
    profile: list[list[float]] = data["zones"][data["zone_of_region"][region]]["monthly_hourly"]
    return [list(month) for month in profile]


def _carbon_body(zone: str, profile: Mapping[str, Any], month: int) -> Json:
    hourly = list(profile["monthly_hourly"][month - 1])
    return {
        "average": round(sum(hourly) / len(hourly), 3),
        "hourly": hourly,
        "provenance": {
            "zone": zone,
            "basis": f"means of month {month} of {profile['year']} by hour of day, lifecycle; no forecast",
            "estimated_share": profile["estimated_share"],
            "constant": profile["constant"],
            "licence": "ODbL 1.0, Electricity Maps",
        },
    }


def _marginal(g_per_kwh: float | None) -> Json:
    return {} if g_per_kwh is None else {"marginal": g_per_kwh}


def _provider_body(price: Mapping[str, Any], fact: Mapping[str, Any], date: str) -> Json:
    return {
        "pue": fact["pue"],
        "cpu_kw_per_vcpu": dict(CPU_KW_PER_VCPU),
        "memory_kw_per_gb": MEMORY_KW_PER_GB,
        "price_usd": {name: price[name] for name in _PRICES_IN_PROBLEM},
        "provenance": {
            "pue": fact["pue_basis"],
            "egress": price["egress_basis"],
            "egress_stand_in": price["egress_stand_in"],
            "prices": date,
            "power": "modelled: Cloud Carbon Footprint's averages for AWS",
        },
    }


@cache
def _packaged(name: str) -> Json:
    text = (files("caribou.collectors") / "data" / name).read_text(encoding="utf-8")
    return cast("Json", json.loads(text))
