"""The packaged snapshots as fact sources: no network, no key, the same facts everywhere.

Sources, dates, bases and licences stand in the files themselves (`data/`, beside this one) and in docs/data.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, cast

from caribou.collectors.bodies import CarbonBody, CpuPower, Json, PerformanceBody, Prices, ProviderBody
from caribou.collectors.facts import Facts, by_region, facts_of

CPU_KW_PER_VCPU = CpuPower(idle=0.00074, full=0.0035)
"""Power of a vCPU, idle and busy: Cloud Carbon Footprint's averages for AWS (0.74 W and 3.5 W)."""

MEMORY_KW_PER_GB = 0.0003725
"""Power of memory: 0.3725 W per GB, as in the reference system (from Teads' and Cloud Carbon Footprint's models)."""

RELATIVE_RUN_TIME = 1.0
"""No public measurement says that Lambda is faster in one region than in another: equal, and marked as assumed."""


class CarbonSnapshot:
    """Grid intensity of the coming days: each hour's mean over the same month of 2023 (for some zones 2022)."""

    origin = "snapshot of Electricity Maps, lifecycle"

    def bodies(self, now: datetime) -> Mapping[str, CarbonBody]:
        """Region to 24 hourly intensities and their mean, for the month that `now` is in, and marginal if known."""
        data, marginal = _packaged("carbon/profiles.json"), _marginal_intensity()
        zones, zone_of_region = data["zones"], data["zone_of_region"]
        return {
            region: _carbon_body(zone, zones[zone], now.month, marginal[region])
            for region, zone in zone_of_region.items()
        }


class ProviderSnapshot:
    """PUE, power model and list prices."""

    origin = "snapshot of AWS list prices and PUE"

    def bodies(self, now: datetime) -> Mapping[str, ProviderBody]:  # noqa: ARG002 - they do not change by the hour
        """Region to PUE, power and prices."""
        prices, regions = _packaged("prices.json"), _packaged("regions.json")
        return {
            region: _provider_body(prices["regions"][region], fact, prices["provenance"]["date"])
            for region, fact in regions["regions"].items()
        }


class PerformanceSnapshot:
    """Round trips between regions, and how fast functions run there."""

    origin = "snapshot of CloudPing medians"

    def bodies(self, now: datetime) -> Mapping[str, PerformanceBody]:  # noqa: ARG002 - they do not change by the hour
        """Region to relative run time and pings, each a list of one median."""
        data = _packaged("latency.json")
        provenance = {
            "ping": data["provenance"]["basis"],
            "date": data["provenance"]["date"],
            "relative_run_time": "assumed equal: no public measurement distinguishes regions",
        }
        return {
            region: PerformanceBody(RELATIVE_RUN_TIME, {to: (median,) for to, median in row.items()}, provenance)
            for region, row in data["p50_round_trip_s"].items()
        }


def packaged_facts(now: datetime) -> Facts:
    """All packaged facts as of `now`, with no table between."""
    return Facts(
        carbon=by_region(facts_of(CarbonSnapshot(), now)),
        provider=by_region(facts_of(ProviderSnapshot(), now)),
        performance=by_region(facts_of(PerformanceSnapshot(), now)),
    )


def _carbon_body(zone: str, profile: Mapping[str, Any], month: int, marginal: float | None) -> CarbonBody:
    hourly = tuple(profile["monthly_hourly"][month - 1])
    return CarbonBody(
        average=round(sum(hourly) / len(hourly), 3),
        hourly=hourly,
        marginal=marginal,
        provenance={
            "zone": zone,
            "basis": f"means of month {month} of {profile['year']} by hour of day, lifecycle; no forecast",
            "estimated_share": profile["estimated_share"],
            "constant": profile["constant"],
            "licence": "ODbL 1.0, Electricity Maps",
        },
    )


def _marginal_intensity() -> Mapping[str, float | None]:
    """Region to the annual mean of marginal intensity, g CO2eq/kWh (2023), None where nobody publishes it."""
    regions = _packaged("regions.json")["regions"]
    return {region: fact["marginal_g_per_kwh"] for region, fact in regions.items()}


def _provider_body(price: Mapping[str, Any], fact: Mapping[str, Any], date: str) -> ProviderBody:
    return ProviderBody(
        pue=fact["pue"],
        cpu_kw_per_vcpu=CPU_KW_PER_VCPU,
        memory_kw_per_gb=MEMORY_KW_PER_GB,
        price_usd=Prices.from_json(price),
        provenance={
            "pue": fact["pue_basis"],
            "egress": price["egress_basis"],
            "egress_stand_in": price["egress_stand_in"],
            "prices": date,
            "power": "modelled: Cloud Carbon Footprint's averages for AWS",
        },
    )


@cache
def _packaged(name: str) -> Json:
    text = (files("caribou.collectors.sources") / "data" / name).read_text(encoding="utf-8")
    return cast("Json", json.loads(text))
