"""Derives the packaged snapshots from raw data, a folder (RAW) that is not part of the repository.

Run from the project folder: `uv run python -m caribou.collectors.sources.data.derive RAW collectors/sources/data`.
Never used at run time. The same input gives the same bytes; a test compares them where the raw data is at hand.
"""

from __future__ import annotations

import csv
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caribou.model.regions import KNOWN_REGIONS

Json = dict[str, Any]
Row = Mapping[str, str]

AWS_FLEET_PUE = 1.15
"""AWS's global figure for 2024, the year of the regional ones (sustainability.aboutamazon.com, "The Cloud")."""

EGRESS_STAND_INS: Mapping[str, str] = {
    "ca-west-1": "ca-central-1",
    "ap-south-2": "ap-south-1",
    "ap-southeast-4": "ap-southeast-2",
    "ap-southeast-5": "ap-southeast-3",
    "il-central-1": "me-south-1",
    "mx-central-1": "sa-east-1",
}
"""Regions that skyplane's table lacks, with the dearest listed one of the same country, else of the same part of the
world, whose price is assumed: an upper estimate, marked as such in the fact."""

MARGINAL_YEAR = "2023"


def main(raw: Path, target: Path) -> None:
    """Write every snapshot below `target`."""
    for name, content in snapshots(raw).items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def snapshots(raw: Path) -> dict[str, str]:
    """File name, relative to the data folder, to its text."""
    regions = {row["region"]: row for row in _rows(raw / "regions.csv")}
    return {
        "carbon/profiles.json": _text(carbon(raw, regions)),
        "regions.json": _text(region_facts(raw, regions)),
        "prices.json": _text(prices(raw)),
        "latency.json": _text(latency(raw)),
    }


def carbon(raw: Path, regions: Mapping[str, Row]) -> Json:
    """Means of lifecycle intensity by month and hour of day, g CO2eq/kWh, per grid zone."""
    zones = sorted({regions[region]["em_zone"] for region in KNOWN_REGIONS})
    return {
        "provenance": {
            "source": "Electricity Maps' data portal, hourly CSVs, by way of public research repositories",
            "date": "2023, and 2022 for the zones that say so",
            "basis": "lifecycle emissions, average (not marginal), as published",
            "licence": "ODbL 1.0, see LICENSE.md beside this file",
            "unit": "g CO2eq/kWh; monthly_hourly[month - 1][hour of day, UTC] is the mean over the days of the month",
        },
        "zone_of_region": {region: regions[region]["em_zone"] for region in KNOWN_REGIONS},
        "zones": {zone: _zone_profile(_rows(raw / "carbon" / f"{zone}.csv")) for zone in zones},
    }


def _zone_profile(rows: list[Row]) -> Json:
    by_hour: dict[tuple[int, int], list[float]] = defaultdict(list)
    seen: set[str] = set()
    for row in rows:
        time, intensity = row["timestamp_utc"], float(row["gCO2eq_per_kWh_lifecycle"])
        if time in seen or not (math.isfinite(intensity) and intensity >= 0):
            message = f"{time} stands twice, or its intensity, {intensity}, is none"
            raise ValueError(message)
        seen.add(time)
        by_hour[int(time[5:7]), int(time[11:13])].append(intensity)
    values = [value for hour in by_hour.values() for value in hour]
    return {
        "year": int(rows[0]["timestamp_utc"][:4]),
        "hours": len(values),
        "average": round(statistics.fmean(values), 1),
        "estimated_share": round(sum(row["estimated"] == "True" for row in rows) / len(rows), 3)
        if rows[0]["estimated"]
        else None,
        "constant": len(set(values)) == 1,
        "monthly_hourly": [
            [round(statistics.fmean(by_hour[month, hour]), 1) for hour in range(24)] for month in range(1, 13)
        ],
    }


def region_facts(raw: Path, regions: Mapping[str, Row]) -> Json:
    """PUE and marginal intensity of each region."""
    marginal = {
        row["cloud-region"]: row["grid-carbon-intensity-marginal-consumption-annual"].strip()
        for row in _rows(raw / "annual" / "gsf_cloud_region_metadata.csv")
        if row["cloud-provider"] == "Amazon Web Services" and row["year"] == MARGINAL_YEAR
    }
    return {
        "provenance": {
            "source": "Green Software Foundation, Real-Time-Cloud, cloud region metadata",
            "date": f"PUE as AWS reported it for 2024; marginal intensity: annual mean of {MARGINAL_YEAR}",
            "basis": f"pue_basis region: the region's own; fleet: AWS's global mean for 2024 ({AWS_FLEET_PUE}, "
            "sustainability.aboutamazon.com), since AWS publishes none for the region",
            "licence": "GSF data as is",
        },
        "regions": {region: _region_fact(regions[region], marginal.get(region)) for region in KNOWN_REGIONS},
    }


def _region_fact(row: Row, marginal: str | None) -> Json:
    own = row["aws_pue"]
    return {
        "pue": float(own) if own else AWS_FLEET_PUE,
        "pue_basis": "region" if own else "fleet",
        "marginal_g_per_kwh": float(marginal) if marginal else None,
    }


def prices(raw: Path) -> Json:
    """List prices in USD: first tier, no free tier."""
    listed = {row["region"]: row for row in _rows(raw / "prices" / "aws_serverless_prices_usd_2025.csv")}
    egress: dict[str, dict[str, float]] = defaultdict(dict)
    for row in _rows(raw / "prices" / "aws_transfer_costs_skyplane_0.3.2.csv"):
        egress[row["src"]][row["dst"]] = float(row["cost"])
    return {
        "provenance": {
            "source": "AWS's price feed; egress: transfer cost table of skyplane 0.3.2",
            "date": "August to October 2025; egress: 2023",
            "basis": "list prices, first tier, no free tier. Egress to other regions is the highest over all targets "
            "(us-east-1 and us-east-2 pay 0.01 between each other, 0.02 to all others). egress_basis listed: in the "
            "table; assumed: the table lacks the region, the price is that of egress_stand_in, an upper estimate",
            "licence": "facts from AWS's public price lists; skyplane: Apache-2.0",
            "unit": "USD per GB-s, request, read or write request unit, GB",
        },
        "regions": {region: _price_fact(region, listed[region], egress) for region in KNOWN_REGIONS},
    }


def _price_fact(region: str, row: Row, egress: Mapping[str, Mapping[str, float]]) -> Json:
    payer = region if region in egress else EGRESS_STAND_INS[region]
    between = [cost for target, cost in egress[payer].items() if target != "internet"]
    request = float(row["lambda_request"])
    return {
        "compute_per_gb_s": {"x86_64": float(row["lambda_gb_s_x86"]), "arm64": float(row["lambda_gb_s_arm"])},
        "invocation": {"x86_64": request, "arm64": request},
        "message_request": float(row["sns_request"]),
        "table_read_unit": float(row["ddb_rru"]),
        "table_write_unit": float(row["ddb_wru"]),
        "egress_other_region_per_gb": max(between),
        "object_put": float(row["s3_put"]),
        "object_get": float(row["s3_get"]),
        "egress_basis": "listed" if payer == region else "assumed",
        "egress_stand_in": None if payer == region else payer,
    }


def latency(raw: Path) -> Json:
    """Median round trips between regions, s; a gap takes the other direction's median, if that is there."""
    table = {row["from_region"]: row for row in _rows(raw / "latency" / "cloudping_p50_1y_2025-10-09.csv")}
    filled: list[str] = []
    return {
        "provenance": {
            "source": "CloudPing API snapshot",
            "date": "one year to 2025-10-09",
            "basis": "measured medians (p50) of the round trip, TCP to DynamoDB endpoints. Only medians are published: "
            "each list of samples has one element, and says nothing of the tail",
            "licence": "facts published by CloudPing",
            "unit": "s",
        },
        "p50_round_trip_s": {a: {b: _round_trip_s(table, a, b, filled) for b in KNOWN_REGIONS} for a in KNOWN_REGIONS},
        "filled_from_the_other_direction": filled,
    }


def _round_trip_s(table: Mapping[str, Row], a: str, b: str, filled: list[str]) -> float:
    if text := table[a].get(b):
        return round(float(text) / 1000, 6)
    if text := table[b].get(a):
        filled.append(f"{a}>{b}")
        return round(float(text) / 1000, 6)
    message = f"no latency between {a} and {b}, in either direction"
    raise ValueError(message)


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _text(value: Json) -> str:
    """JSON with a line for each zone or region, so that a diff can be read."""
    sections = (f" {json.dumps(key)}: {_section(part)}" for key, part in value.items())
    return "{\n" + ",\n".join(sections) + "\n}\n"


def _section(value: object) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    return "{\n" + ",\n".join(f"  {json.dumps(key)}: {json.dumps(part)}" for key, part in value.items()) + "\n }"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
