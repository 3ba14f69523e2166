"""Round trips between regions as CloudPing measures them: the medians of the last week.

From every region, CloudPing opens five TCP connections to DynamoDB's endpoint in every other, each six hours, and
keeps the mean of the five (https://github.com/mda590/cloudping.co: `ping_from_region/app.py`). Its percentiles are over
those means: of a day there are four, of a week 28. So its p_90 is no message's, but that of a bad quarter of a day, and
a list of its percentiles would be no sample of round trips. The median alone is taken, over as long as a placement is
usually valid; what single messages take beyond it is in the latencies of the workflow's own runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import BaseModel

from caribou.collectors.bodies import PerformanceBody
from caribou.collectors.facts import Given
from caribou.collectors.sources.distance import distance_km, least_round_trip_s
from caribou.collectors.sources.http import HttpClient, Reason
from caribou.collectors.sources.snapshot import PerformanceSnapshot, performance_body, places_of_regions
from caribou.model.regions import KNOWN_REGIONS

PATH, QUERY = "latencies", {"percentile": "p_50", "timeframe": "1W"}
"""As `cloudping-api/app.py` takes them: p_10, p_25, p_50, p_75, p_90, p_98, p_99; 1D, 1W, 1M, 1Y. No key."""
_UNIT, _MS = "milliseconds", 1000.0
_LEAST_S, _MOST_S = 0.0001, 1.0
"""Inside a region none comes back sooner; CloudPing waits for a connection for one second."""

_Trips = Mapping[tuple[str, str], float]


class _About(BaseModel):
    percentile: str
    timeframe: str
    unit: str


class _Matrix(BaseModel):
    """The answer: from region, to region, ms."""

    metadata: _About
    data: dict[str, dict[str, float | None]]


@dataclass(frozen=True, slots=True)
class CloudPing:
    """The live round trips; of a pair that was not measured, the other way's, else the packaged one."""

    client: HttpClient
    packaged: PerformanceSnapshot = field(default_factory=PerformanceSnapshot)

    origin = "CloudPing"
    method = "measured medians of a week"
    valid_for = timedelta(days=30)

    def collect(self, now: datetime, regions: Collection[str]) -> Given[PerformanceBody]:
        """Round trips from each region to all known ones. Raises SourceError."""
        trips = self._trips()
        packaged = self.packaged.collect(now, KNOWN_REGIONS).bodies
        seen = {region for pair in trips for region in pair}
        bodies = {region: _body(region, trips, packaged[region], now) for region in regions if region in seen}
        unseen = (region for region in regions if region not in seen)
        return Given(bodies, dict.fromkeys(unseen, "has measured nothing from or to it"))

    def _trips(self) -> _Trips:
        """Pair of known regions to its median, s."""
        matrix = self.client.json(PATH, _Matrix, QUERY)
        about = matrix.metadata
        if about.unit != _UNIT:
            raise self.client.error(Reason.UNITS, f"{about.unit}, not {_UNIT}")
        if {"percentile": about.percentile, "timeframe": about.timeframe} != QUERY:
            raise self.client.error(Reason.SCHEMA, f"{about.percentile} of {about.timeframe} was not asked for")
        trips = {
            (a, b): ms / _MS
            for a, row in matrix.data.items()
            for b, ms in row.items()
            if ms is not None and a in KNOWN_REGIONS and b in KNOWN_REGIONS
        }
        if not trips:
            raise self.client.error(Reason.NOTHING)
        self._check(trips)
        return trips

    def _check(self, trips: _Trips) -> None:
        places = places_of_regions()
        for (a, b), seconds in trips.items():
            least_s = max(_LEAST_S, least_round_trip_s(distance_km(places[a], places[b])))
            if not least_s <= seconds <= _MOST_S:
                detail = f"{seconds * _MS:g} ms from {a} to {b}, where {least_s * _MS:.3g} to {_MOST_S * _MS:g} can be"
                raise self.client.error(Reason.UNITS, detail)


def _body(region: str, trips: _Trips, packaged: PerformanceBody, now: datetime) -> PerformanceBody:
    own = {to: trips[region, to] for to in KNOWN_REGIONS if (region, to) in trips}
    back = {to: trips[to, region] for to in KNOWN_REGIONS if to not in own and (to, region) in trips}
    rest = {to: packaged.ping_s[to][0] for to in KNOWN_REGIONS if to not in own and to not in back}
    today = now.date().isoformat()
    pings = {to: {**own, **back, **rest}[to] for to in KNOWN_REGIONS}
    return performance_body(
        pings,
        [to for to in packaged.estimated_to if to in rest],
        {
            "ping": f"measured medians (p50) of the week to {today}, each of some 28 means of five TCP connections to "
            "DynamoDB endpoints",
            "date": f"one week to {today}",
            "licence": "facts published by CloudPing, which names no terms",
            **({"from_the_other_direction": ", ".join(back)} if back else {}),
            **({"from_the_snapshot": ", ".join(rest)} if rest else {}),
        },
    )
