"""Grid intensity of European countries as Energy-Charts (Fraunhofer ISE) publishes it, without a key.

Of times, licence and `deprecated`: https://api.energy-charts.info/openapi.json. It leaves out `/co2eq`, which has the
parameters and the form of those that it describes, and answers for 26 countries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import MappingProxyType

from pydantic import BaseModel

from caribou.collectors.series import HourlySeries, HourValue, Signal, this_hour
from caribou.collectors.sources.http import HttpClient, Reason
from caribou.collectors.sources.shapes import Seconds
from caribou.collectors.sources.spans import hours_of

_PATH = "co2eq"
_TIME = "%Y-%m-%dT%H:%MZ"
_AHEAD = timedelta(days=2)
_PAUSE_S = 2.0
"""Its limits are strict since 2025-10-21 (release 1.5) and not in numbers: it says by 429 how long to wait."""

ZONES = MappingProxyType(
    {
        "eu-west-1": "ie",
        "eu-west-3": "fr",
        "eu-central-1": "de",
        "eu-central-2": "ch",
        "eu-north-1": "se",
        "eu-south-1": "it",
        "eu-south-2": "es",
    }
)
"""Region to country; of the United Kingdom it has no intensity."""


class _Answer(BaseModel):
    unix_seconds: list[Seconds]
    """When quarters, halves or hours begin."""
    co2eq: list[float | None]
    """g CO2eq/kWh; None where it is not known yet."""
    co2eq_forecast: list[float | None]
    deprecated: bool = False
    """The service ends in six months or later."""


@dataclass
class EnergyChartsFeed:
    """Asks a country."""

    url: str
    zones: Mapping[str, str] = field(default_factory=dict)
    _notes: dict[str, Mapping[str, object]] = field(default_factory=dict, init=False)
    _known: dict[tuple[str, datetime], HourlySeries] = field(default_factory=dict, init=False, repr=False)

    name = "energy_charts"
    origin = "Energy-Charts"
    licence = "CC BY 4.0, Energy-Charts.info"
    basis = "CO2 equivalents by Energy-Charts' own method"
    signal = Signal.AVERAGE

    def zone_of(self, region: str) -> str | None:
        """The country."""
        return self._zones.get(region)

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """Hours of what was; of the newest ones, which it does not know yet, what it forecasts, as estimates."""
        return self._hours(region, start, end).between(start, end)

    def forecast(self, region: str, now: datetime) -> HourlySeries | None:
        """As far ahead as it has it: until the end of tomorrow at most. It was in the answer to `history`."""
        start = this_hour(now)
        known = self._known.get((self._zones[region], start)) or self._hours(region, start, start)
        return known.between(start, start + _AHEAD)

    def notes(self, region: str) -> Mapping[str, object]:
        """Whether the service is going to end."""
        return self._notes.get(self._zones[region], {})

    def _hours(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """Hours from the start to as far after the end as it has them: it is to be asked seldom."""
        zone = self._zones[region]
        hours = hours_of(self.signal, self._samples(zone, start, end + _AHEAD))
        self._known[zone, end] = hours
        return hours

    def _samples(self, zone: str, start: datetime, end: datetime) -> Iterator[HourValue]:
        query = {"country": zone, "start": f"{start:{_TIME}}", "end": f"{end:{_TIME}}"}
        answer = self._client.json(_PATH, _Answer, query)
        if not len(answer.unix_seconds) == len(answer.co2eq) == len(answer.co2eq_forecast):
            raise self._client.error(Reason.SCHEMA, f"{_PATH}: as many times as values")
        self._notes[zone] = {"deprecated": "its publisher is going to end this service"} if answer.deprecated else {}
        for seconds, measured, forecast in zip(answer.unix_seconds, answer.co2eq, answer.co2eq_forecast, strict=True):
            value = forecast if measured is None else measured
            if value is not None:
                yield HourValue(datetime.fromtimestamp(seconds, UTC), value, estimated=measured is None)

    @property
    def _zones(self) -> Mapping[str, str]:
        return {**ZONES, **self.zones}

    @cached_property
    def _client(self) -> HttpClient:
        return HttpClient(self.origin, self.url, pause_s=_PAUSE_S)
