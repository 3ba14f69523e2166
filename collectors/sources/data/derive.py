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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from caribou.collectors.sources.distance import DistanceLine, Place, distance_km, fitted
from caribou.model.regions import KNOWN_REGIONS

Json = dict[str, Any]
Row = Mapping[str, str]

AWS_FLEET_PUE = 1.14
"""AWS's global figure for 2025, the year of the regional ones (sustainability.aboutamazon.com, "The Cloud")."""

ZONES: Mapping[str, tuple[str, ...]] = {
    "us-west-2": ("US-NW-PACW", "US-NW-BPAT"),
    "eu-south-1": ("IT-NO",),
    "ap-northeast-3": ("JP-KN",),
    "ap-south-2": ("IN-SO",),
}
"""Grid zones where RAW's table of regions is not followed: the one that is taken, then others that are named for it.
Oregon's data centres stand where PacifiCorp (PACW) and Bonneville (BPAT) meet: the Green Software Foundation says BPAT.
Milan, Osaka and Hyderabad are in a part of a country whose zone is their own."""

SHAPES_OF_OTHER_ZONES: Mapping[str, str | None] = {"IN-SO": "IN", "TH": None}
"""Zones with annual levels and no hours of their own: the zone whose shape is taken, or None, the same at all hours."""

PORTAL = "Electricity Maps' data portal, hourly CSV, by way of public research repositories"
RESEARCH = "the published simulation output of a research paper, which took it from Electricity Maps; lifecycle only"

LEVEL_YEARS = ("2021", "2022", "2023", "2024", "2025")
NEWEST_YEAR = LEVEL_YEARS[-1]

EGRESS_STAND_INS: Mapping[str, str] = {
    "ca-west-1": "ca-central-1",
    "ap-south-2": "ap-south-1",
    "ap-southeast-4": "ap-southeast-2",
    "ap-southeast-5": "ap-southeast-3",
    "il-central-1": "me-south-1",
    "mx-central-1": "sa-east-1",
    "ap-southeast-6": "ap-southeast-2",
    "ap-southeast-7": "ap-southeast-3",
    "ap-east-2": "ap-east-1",
}
"""Regions that skyplane's table lacks, with the dearest listed one of the same country, else of the same part of the
world, whose price is assumed: an upper estimate, marked as such in the fact."""

MARGINAL_TABLES = (("gsf_cloud_region_metadata_estimate.csv", "2025"), ("gsf_cloud_region_metadata.csv", "2024"))
"""Tables with marginal intensities and PUEs, newest first, and the year that is read out of each."""


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
        "regions.json": _text(region_facts(raw)),
        "prices.json": _text(prices(raw)),
        "latency.json": _text(latency(raw, regions)),
    }


def carbon(raw: Path, regions: Mapping[str, Row]) -> Json:
    """Means of lifecycle intensity by month and hour of day, and annual levels, g CO2eq/kWh, per grid zone."""
    zones = {region: _zones_of(region, regions[region]) for region in KNOWN_REGIONS}
    levels = {row["zone"]: row for row in _rows(raw / "annual" / "electricitymaps_yearly_lifecycle.csv")}
    return {
        "provenance": {
            "source": "Electricity Maps: shape by hour from its data portal's CSVs or from research data, as the "
            "shape_source of a zone says; annual levels from npm @tgwf/co2 0.19.0",
            "date": "levels: 2021 to 2025; shapes: 2023, or 2022 for the zones that say so",
            "basis": "lifecycle emissions, average (not marginal), as published",
            "licence": "ODbL 1.0, see LICENSE.md beside this file",
            "unit": "g CO2eq/kWh. monthly_hourly[month - 1][hour of day, UTC] is the mean over the days of the month "
            "in shape_year; annual_levels the mean of each year, unweighted by load",
        },
        "zones_of_region": zones,
        "zones": {
            zone: _zone(raw, zone, levels[zone]) for zone in sorted({z for some in zones.values() for z in some})
        },
    }


def _zones_of(region: str, row: Row) -> list[str]:
    """The grid zone that a region is taken to draw from, then others that have been named for it."""
    return list(ZONES.get(region, (row["em_zone"],)))


def _zone(raw: Path, zone: str, levels: Row) -> Json:
    shape_zone = SHAPES_OF_OTHER_ZONES.get(zone, zone)
    return {
        **(
            _shape(_rows(raw / "carbon" / f"{shape_zone}.csv")) if shape_zone else _no_shape(float(levels[NEWEST_YEAR]))
        ),
        "shape_of": shape_zone,
        "annual_levels": {year: float(levels[year]) for year in LEVEL_YEARS},
    }


def _no_shape(level: float) -> Json:
    """A zone of which only annual levels are public: the same at all hours."""
    return {
        "shape_year": None,
        "shape_source": None,
        "hours": 0,
        "estimated_share": None,
        "constant": True,
        "monthly_hourly": [[level] * 24] * 12,
    }


def _shape(rows: list[Row]) -> Json:
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
        "shape_year": int(rows[0]["timestamp_utc"][:4]),
        "shape_source": PORTAL if rows[0]["estimated"] else RESEARCH,
        "hours": len(values),
        "estimated_share": _estimated_share(rows),
        "constant": len(set(values)) == 1,
        "monthly_hourly": [
            [round(statistics.fmean(by_hour[month, hour]), 1) for hour in range(24)] for month in range(1, 13)
        ],
    }


def _estimated_share(rows: list[Row]) -> float | None:
    """The share of hours that the publisher estimated, None where it does not say. The flag comes in either case."""
    if not rows[0]["estimated"]:
        return None
    return round(sum(row["estimated"].lower() == "true" for row in rows) / len(rows), 3)


def region_facts(raw: Path) -> Json:
    """PUE and marginal intensity of each region, each the newest that is published, with its year."""
    tables = [
        (year, {row["cloud-region"]: row for row in _rows(raw / "annual" / name) if _is_aws_in(row, year)})
        for name, year in MARGINAL_TABLES
    ]
    return {
        "provenance": {
            "source": "Green Software Foundation, Real-Time-Cloud, cloud region metadata and its estimates for 2025",
            "date": "annual figures of 2025, else of 2024, as each says",
            "basis": "PUE: the region's own, as AWS reported it for pue_year; if null, AWS's global mean of "
            f"2025 ({AWS_FLEET_PUE}, sustainability.aboutamazon.com), since AWS publishes none. Marginal: annual means",
            "licence": "GSF data as is",
        },
        "regions": {region: _region_fact(region, tables) for region in KNOWN_REGIONS},
    }


def _is_aws_in(row: Row, year: str) -> bool:
    return row["cloud-provider"] == "Amazon Web Services" and row["year"] == year


def _region_fact(region: str, tables: Sequence[tuple[str, Mapping[str, Row]]]) -> Json:
    pue, pue_year = _newest(region, "power-usage-effectiveness", tables)
    marginal, marginal_year = _newest(region, "grid-carbon-intensity-marginal-consumption-annual", tables)
    return {
        "pue": pue or AWS_FLEET_PUE,
        "pue_year": pue_year,
        "marginal_g_per_kwh": marginal and round(marginal, 2),
        "marginal_year": marginal_year,
    }


def _newest(
    region: str, column: str, tables: Sequence[tuple[str, Mapping[str, Row]]]
) -> tuple[float, int] | tuple[None, None]:
    for year, rows in tables:
        if region in rows and (text := rows[region][column].strip()):
            return float(text), int(year)
    return None, None


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
            "basis": "list prices, first tier, no free tier. Egress to other regions is the highest over all targets, "
            "egress_to_per_gb has those to which it is lower. egress_basis listed: in the table; assumed: the table "
            "lacks the region, the price is that of egress_stand_in, an upper estimate",
            "licence": "facts from AWS's public price lists; skyplane: Apache-2.0",
            "unit": "USD per GB-s, request, read or write request unit, GB",
        },
        "regions": {region: _price_fact(region, listed[region], egress) for region in KNOWN_REGIONS},
    }


def _price_fact(region: str, row: Row, egress: Mapping[str, Mapping[str, float]]) -> Json:
    payer = region if region in egress else EGRESS_STAND_INS[region]
    between = {target: cost for target, cost in egress[payer].items() if target in KNOWN_REGIONS and target != region}
    highest = max(between.values())
    request = float(row["lambda_request"])
    return {
        "compute_per_gb_s": {"x86_64": float(row["lambda_gb_s_x86"]), "arm64": float(row["lambda_gb_s_arm"])},
        "invocation": {"x86_64": request, "arm64": request},
        "message_request": float(row["sns_request"]),
        "table_read_unit": float(row["ddb_rru"]),
        "table_write_unit": float(row["ddb_wru"]),
        "egress_other_region_per_gb": highest,
        "egress_to_per_gb": {target: cost for target, cost in sorted(between.items()) if cost < highest},
        "object_put": float(row["s3_put"]),
        "object_get": float(row["s3_get"]),
        "egress_basis": "listed" if payer == region else "assumed",
        "egress_stand_in": None if payer == region else payer,
    }


def latency(raw: Path, regions: Mapping[str, Row]) -> Json:
    """Median round trips between regions, s; of pairs that were measured in no direction, estimates by distance."""
    table = {row["from_region"]: row for row in _rows(raw / "latency" / "cloudping_p50_1y_2025-10-09.csv")}
    places = {region: (float(regions[region]["lat"]), float(regions[region]["lon"])) for region in KNOWN_REGIONS}
    measured, filled = _measured(table)
    line = _line(measured, places)
    at_home_s = statistics.median(measured[a, b] for a, b in measured if a == b)
    pairs = [(a, b) for a in KNOWN_REGIONS for b in KNOWN_REGIONS]
    estimates = {
        (a, b): at_home_s if a == b else round(line.round_trip_s(distance_km(places[a], places[b])), 6)
        for a, b in pairs
        if (a, b) not in measured
    }
    trips = {**measured, **estimates}
    return {
        "provenance": {
            "source": "CloudPing API snapshot; coordinates: cloud-regions-info (MIT), of ap-southeast-6 and ap-east-2 "
            "those of Auckland and Taipei",
            "date": "one year to 2025-10-09",
            "basis": "measured medians (p50) of the round trip, TCP to DynamoDB endpoints; pairs in `estimated`: by "
            "distance. Each list of samples has one element, and says nothing of the tail",
            "licence": "facts published by CloudPing",
            "unit": "s; degrees",
        },
        "p50_round_trip_s": {a: {b: trips[a, b] for b in KNOWN_REGIONS} for a in KNOWN_REGIONS},
        "filled_from_the_other_direction": filled,
        "estimated": {a: [b for b in KNOWN_REGIONS if (a, b) in estimates] for a in KNOWN_REGIONS},
        "distance_line": {"base_s": line.base_s, "per_km_s": line.per_km_s, **_line_errors(measured, places)},
        "coordinates": places,
    }


_Trips = Mapping[tuple[str, str], float]


def _measured(table: Mapping[str, Row]) -> tuple[_Trips, list[str]]:
    """Round trips, s, by pair, and which of them are the other direction's."""
    found: dict[tuple[str, str], float] = {}
    filled = []
    for a in KNOWN_REGIONS:
        for b in KNOWN_REGIONS:
            own, other = table.get(a, {}).get(b), table.get(b, {}).get(a)
            if text := own or other:
                found[a, b] = round(float(text) / 1000, 6)
            if other and not own:
                filled.append(f"{a}>{b}")
    return found, filled


def _line(measured: _Trips, places: Mapping[str, Place], without: str = "") -> DistanceLine:
    """The line over distance through all pairs but those of one region."""
    return fitted(
        [(distance_km(places[a], places[b]), s) for (a, b), s in measured.items() if a != b and without not in (a, b)]
    )


def _line_errors(measured: _Trips, places: Mapping[str, Place]) -> Json:
    """How wrong the line is for a region that it was not fitted to: each in turn left out, relative to the measured."""
    errors = []
    for region in sorted({a for a, _ in measured}):
        line = _line(measured, places, without=region)
        errors += [
            line.round_trip_s(distance_km(places[a], places[b])) / s - 1
            for (a, b), s in measured.items()
            if a != b and region in (a, b)
        ]
    sizes = sorted(map(abs, errors))
    return {
        "median_error": round(statistics.median(sizes), 3),
        "error_of_nine_in_ten": round(sizes[len(sizes) * 9 // 10], 3),
        "least_error": round(min(errors), 3),
        "greatest_error": round(max(errors), 3),
    }


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
