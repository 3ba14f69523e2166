"""Grid intensity of Great Britain as its system operator, NESO, publishes it: half hours, without a key.

The API: https://carbon-intensity.github.io/api-definitions. What it counts: https://carbonintensity.org.uk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from pydantic import BaseModel, Field

from caribou.collectors.series import HourlySeries, HourValue, Signal, this_hour
from caribou.collectors.sources.http import HttpClient, Reason
from caribou.collectors.sources.shapes import Moment
from caribou.collectors.sources.spans import pieces

NATIONAL = "GB"
LONGEST = timedelta(days=14)
"""What one call gives at most (the documentation, `/intensity/{from}/{to}`)."""
REGIONS = frozenset(map(str, range(1, 18)))
_HALF_HOURS = 2
_TIME = "%Y-%m-%dT%H:%MZ"


class _Intensity(BaseModel):
    forecast: float | None
    actual: float | None = None
    """None for half hours to come, for gaps, and for regions always."""


class _HalfHour(BaseModel):
    start: Moment = Field(alias="from")
    intensity: _Intensity


class _National(BaseModel):
    data: list[_HalfHour]


class _Regional(BaseModel):
    data: _National


@dataclass
class NesoFeed:
    """Asks for Great Britain, or for one of its regions (1 to 17, 13 is London) where `zones` say so."""

    url: str
    zones: Mapping[str, str] = field(default_factory=dict)

    name = "neso"
    origin = "NESO Carbon Intensity"
    licence = "CC BY 4.0, National Energy System Operator"
    basis = "direct, of consumption: with imports and losses"
    signal = Signal.AVERAGE

    def zone_of(self, region: str) -> str | None:
        """GB, for London."""
        return {"eu-west-2": NATIONAL, **self.zones}.get(region)

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """Hours of what was; where that is not known, of what was forecast, as an estimate."""
        found = [
            half_hour
            for first, last in pieces(start, end, LONGEST)
            for half_hour in self._ask(region, f"{first:{_TIME}}/{last:{_TIME}}")
        ]
        return self._series(found).between(start, end)

    def forecast(self, region: str, now: datetime) -> HourlySeries | None:
        """The next 48 hours."""
        start = this_hour(now)
        return self._series(self._ask(region, f"{start:{_TIME}}/fw48h")).between(start, start + timedelta(hours=48))

    def notes(self, region: str) -> Mapping[str, object]:  # noqa: ARG002 - the same for all
        """Nothing."""
        return {}

    def _ask(self, region: str, times: str) -> list[_HalfHour]:
        zone = self.zone_of(region)
        if zone == NATIONAL:
            return self._client.json(f"intensity/{times}", _National).data
        if zone not in REGIONS:
            raise self._client.error(Reason.NOT_FOUND, f"zone {zone!r}: it has {NATIONAL} and regions 1 to 17")
        return self._client.json(f"regional/intensity/{times}/regionid/{zone}", _Regional).data.data

    def _series(self, half_hours: Iterable[_HalfHour]) -> HourlySeries:
        values = []
        for half_hour in half_hours:
            forecast, actual = half_hour.intensity.forecast, half_hour.intensity.actual
            value = forecast if actual is None else actual
            if value is not None:
                values.append(HourValue(half_hour.start, value, estimated=actual is None))
        return HourlySeries.of_samples(self.signal, values, _HALF_HOURS)

    @cached_property
    def _client(self) -> HttpClient:
        return HttpClient(self.origin, self.url)
