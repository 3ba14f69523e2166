"""Electricity Maps, WattTime and a Carbon Aware SDK on the loopback, as their documentation has them.

Each answers for any time, of the last days or weeks, with a daily wave that follows from the hour alone.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contract import KEY
from loopback import Answer, Request

HOUR = timedelta(hours=1)
NOW = datetime(2026, 3, 4, 5, 30, tzinfo=UTC)
USER = f"someone:{KEY}"
TOKEN = "t0ken-of-half-an-hour"


def intensity(at: datetime) -> float:
    """g/kWh: 200 to 400, most at six in the evening."""
    return round(300 + 100 * math.cos((at.hour - 18) * math.pi / 12), 3)


def steps(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    """Times from `start` to before `end`."""
    while start < end:
        yield start
        start += step


def time_of(text: str) -> datetime:
    """A time in a query."""
    return datetime.fromisoformat(text)


@dataclass
class ElectricityMapsService:
    """Zones of a few data centres; every fourth hour is estimated. What a test changes is a field.

    `plan` are the zones that the key may ask, `ranges` whether it may ask for the past range.
    """

    zones: dict[str, str] = field(
        default_factory=lambda: {"us-east-1": "US-MIDA-PJM", "us-west-2": "US-NW-PACW", "eu-north-1": "SE"}
    )
    plan: frozenset[str] = frozenset({"US-MIDA-PJM", "US-NW-PACW", "SE", "SE-SE3", "DE"})
    ranges: bool = True
    sandbox: bool = False
    now: datetime = NOW
    change: dict[str, object] = field(default_factory=dict)
    """What is another value in every hour."""
    skip: frozenset[datetime] = frozenset()
    twice: bool = False

    def __call__(self, request: Request) -> Answer:
        """Answer."""
        query, what = request.query, request.path.rsplit("/", 1)[-1]
        zone = query.get("zone") or self.zones.get(query.get("dataCenterRegion", "")) or "XX"
        if refused := self._refused(request, zone, what):
            return Answer.json({"error": "refused"}, refused)
        if what == "past-range":
            return self._answer(zone, "data", time_of(query["start"]), time_of(query["end"]))
        end = self.now.replace(minute=0)
        if what == "history":
            return self._answer(zone, "history", end - 24 * HOUR, end)
        return self._answer(zone, "forecast", end, end + int(query["horizonHours"]) * HOUR)

    def _refused(self, request: Request, zone: str, what: str) -> int | None:
        """The status of a refusal: of the key, the zone, the plan, the range."""
        if request.headers.get("auth-token") != KEY:
            return 401
        if zone.startswith("XX"):
            return 404
        if zone not in self.plan or (what == "past-range" and not self.ranges):
            return 403
        query = request.query
        too_long = what == "past-range" and time_of(query["end"]) - time_of(query["start"]) > timedelta(days=10)
        return 400 if too_long else None

    def _answer(self, zone: str, key: str, start: datetime, end: datetime) -> Answer:
        hours = [self._hour(zone, at, key) for at in steps(start, end, HOUR) if at not in self.skip]
        body = {"zone": zone, key: hours * 2 if self.twice else hours, "temporalGranularity": "hourly"}
        return Answer.json(
            {**body, **({"_disclaimer": "SANDBOX MODE: these are not real figures"} if self.sandbox else {})}
        )

    def _hour(self, zone: str, at: datetime, key: str) -> dict[str, object]:
        hour = {"datetime": f"{at:%Y-%m-%dT%H:%M:%S.000Z}", "carbonIntensity": intensity(at)}
        if key == "forecast":
            return hour
        estimated = at.hour % 4 == 0
        return {
            "zone": zone,
            **hour,
            "updatedAt": "2026-03-04T05:10:00.000Z",
            "createdAt": "2026-03-01T05:10:00.000Z",
            "emissionFactorType": "lifecycle",
            "isEstimated": estimated,
            "estimationMethod": "TIME_SLICER_AVERAGE" if estimated else None,
            **self.change,
        }


@dataclass
class WattTimeService:
    """Points of five minutes in lb/MWh; a token is good for `uses` requests. `models` is a date for each day."""

    regions: frozenset[str] = frozenset({"PJM_DC", "CAISO_NORTH", "BPA"})
    uses: int = 1000
    meta: dict[str, object] = field(default_factory=dict)
    skip: frozenset[datetime] = frozenset()
    new_model_from: datetime | None = None
    logins: int = 0
    used: int = 0

    def __call__(self, request: Request) -> Answer:
        """Answer."""
        if request.path == "/login":
            return self._login(request)
        self.used += 1
        if request.headers.get("authorization") != f"Bearer {TOKEN}-{self.logins}" or self.used > self.uses:
            return Answer.json({"detail": "token is expired"}, 401)
        if request.path == "/v3/my-access":
            return Answer.json({"signal_types": [{"signal_type": "co2_moer", "regions": self._access()}]})
        query = request.query
        if query["region"] not in self.regions or query["signal_type"] != "co2_moer":
            return Answer.json({"detail": "no access"}, 403)
        if request.path == "/v3/forecast":
            start = NOW.replace(minute=0)
            return self._points(query["region"], start, start + int(query["horizon_hours"]) * HOUR)
        return self._points(query["region"], time_of(query["start"]), time_of(query["end"]) + timedelta(minutes=5))

    def _login(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Basic {base64.b64encode(USER.encode()).decode()}":
            return Answer.json({"detail": "Incorrect username or password"}, 401)
        self.logins, self.used = self.logins + 1, 0
        return Answer.json({"token": f"{TOKEN}-{self.logins}"})

    def _access(self) -> list[dict[str, object]]:
        models = [{"model": "2022-10-01", "type": "binned_regression", "data_start": "2020-07-01"}]
        endpoints = [{"endpoint": f"v3/{name}", "models": models} for name in ("forecast", "historical")]
        return [{"region": name, "region_full_name": name, "endpoints": endpoints} for name in sorted(self.regions)]

    def _points(self, region: str, start: datetime, end: datetime) -> Answer:
        times = [at for at in steps(start, end, timedelta(minutes=5)) if at not in self.skip]
        points = [{"point_time": at.isoformat(), "value": intensity(at), "imputed_data_used": False} for at in times]
        newer = self.new_model_from is not None and start >= self.new_model_from
        meta = {
            "data_point_period_seconds": 300,
            "region": region,
            "warnings": [],
            "signal_type": "co2_moer",
            "model": {"date": "2026-02-01" if newer else "2022-10-01", "type": "binned_regression"},
            "units": "lbs_co2_per_mwh",
            **self.meta,
        }
        return Answer.json({"data": points, "meta": meta})


@dataclass
class CarbonAwareService:
    """Locations by AWS's names, in samples of `minutes`; it forecasts nothing if `forecasts` is false."""

    locations: frozenset[str] = frozenset({"us-east-1", "us-west-1"})
    minutes: int = 60
    forecasts: bool = True
    empty_before: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    def __call__(self, request: Request) -> Answer:
        """Answer."""
        location, step = request.query["location"], timedelta(minutes=self.minutes)
        if location not in self.locations:
            return Answer.json({"title": "ArgumentException", "status": 400}, 400)
        if request.path == "/emissions/bylocations":
            start, end = time_of(request.query["time"]), time_of(request.query["toTime"])
            times = [at for at in steps(start, end, step) if at >= self.empty_before]
            found = [
                {"location": "PJM", "time": at.isoformat(), "rating": intensity(at), "duration": f"{step!s:0>8}"}
                for at in times
            ]
            return Answer.json(found) if found else Answer(status=204)
        if not self.forecasts:
            return Answer.json({"title": "NotImplementedException", "status": 501}, 501)
        start = NOW.replace(minute=0)
        points = [
            {"location": "PJM", "timestamp": at.isoformat(), "duration": self.minutes, "value": intensity(at)}
            for at in steps(start, start + 24 * HOUR, step)
        ]
        forecast = {"generatedAt": NOW.isoformat(), "location": location, "windowSize": self.minutes}
        return Answer.json([{**forecast, "forecastData": points, "optimalDataPoints": points[:1]}])
