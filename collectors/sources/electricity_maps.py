"""Grid intensity as Electricity Maps gives it by its API, v4: hours, of consumption (flow-traced), over the life cycle.

The shapes: https://app.electricitymaps.com/developer-hub/api/reference, and the help articles; what holds for all
calls: https://portal.electricitymaps.com/docs/getting-started. The key is the header `auth-token`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat
from pydantic.alias_generators import to_camel

from caribou.collectors.series import HourlySeries, HourValue, Signal
from caribou.collectors.sources.feed import coming, utc_text
from caribou.collectors.sources.http import HttpClient, Reason, SourceError
from caribou.collectors.sources.keys import Key, KeyRing
from caribou.collectors.sources.settings import SourceSettings
from caribou.collectors.sources.shapes import Moment
from caribou.collectors.sources.snapshot import CarbonSnapshot
from caribou.collectors.sources.spans import pieces
from caribou.collectors.sources.zones import Zones
from caribou.model.names import SOURCE_ZONES_KEY
from caribou.model.regions import KNOWN_REGIONS

NAME = "electricity_maps"
_PATH = "v4/carbon-intensity"
_LONGEST = timedelta(days=10)
"""Of hours, a call of `past-range` answers at most 10 days (the reference, past-range)."""
_HORIZON_H = "72"
"""The longest (the reference, forecast)."""
_SANDBOX = "SANDBOX"
"""In the disclaimer, and in the estimation method as SANDBOX_MODE_DATA, of figures that are made up, which a key for
trials gets (https://help.electricitymaps.com/en/articles/13169368)."""
_ASKED = {
    "emissionFactorType": "lifecycle",
    "temporalGranularity": "hourly",
    "shouldUseFallbackCallerLookup": "false",  # else an unknown place is that of the caller's address
}


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Hour(_Shape):
    at: Moment = Field(alias="datetime")
    carbon_intensity: FiniteFloat | None
    emission_factor_type: Literal["lifecycle"] = "lifecycle"


class _PastHour(_Hour):
    is_estimated: bool
    estimation_method: str | None = None


class _Answer(_Shape):
    zone: str
    temporal_granularity: Literal["hourly"]
    unit: Literal["gCO2eq/kWh"] = "gCO2eq/kWh"
    disclaimer: str = Field(default="", alias="_disclaimer")


class _PastRange(_Answer):
    data: list[_PastHour]


class _History(_Answer):
    history: list[_PastHour]


class _Forecast(_Answer):
    forecast: list[_Hour]


A = TypeVar("A", bound=_Answer)


@dataclass
class _Said:
    """What answers on a zone have said beside the hours."""

    methods: set[str] = field(default_factory=set)
    last_day_alone: bool = False


class ElectricityMaps:
    """Asks by AWS region, which Electricity Maps knows, or by the zone that the user has chosen.

    Where a key's plan has no past range, the last 24 hours of `history` do, and the facts say so.
    """

    name, origin, signal = NAME, "Electricity Maps", Signal.AVERAGE
    licence = "Electricity Maps' terms of service; free keys not commercially"
    basis = "lifecycle, average, of consumption (flow-traced)"

    def __init__(self, settings: SourceSettings, keys: KeyRing) -> None:
        self._url, self._chosen = settings.url or "", settings.zones
        self._key: Callable[[], Key] = lambda: keys.key_of(NAME, settings.key)
        own = {region: zone for region in KNOWN_REGIONS if (zone := CarbonSnapshot().zone_of(region))}
        self._zones = Zones(own, settings.zones)
        self._said: dict[str, _Said] = {}

    def zone_of(self, region: str) -> str | None:
        """The user's zone, else the one that Electricity Maps' own map has for the region."""
        return self._zones.of(region)

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """Hours of the past, in calls of ten days; raises SourceError."""
        said = self._said_of(region)
        with self._zones.blamed(region):
            try:
                parts = [
                    self._ask(region, "past-range", _PastRange, {"start": utc_text(first), "end": utc_text(last)}).data
                    for first, last in pieces(start, end, _LONGEST)
                ]
                series = self._series((hour for part in parts for hour in part), said)
            except SourceError as error:
                if error.reason is not Reason.NOT_IN_PLAN:
                    raise
                series = self._series(self._ask(region, "history", _History).history, said)
                said.last_day_alone = True
                if not series.between(start, end).hours:
                    raise
        return series.between(start, end)

    def forecast(self, region: str, now: datetime) -> HourlySeries:
        """The next 72 hours, of the plans that have them; raises SourceError."""
        with self._zones.blamed(region):
            hours = self._ask(region, "forecast", _Forecast, {"horizonHours": _HORIZON_H}).forecast
            series = HourlySeries.of(self.signal, self._values(hours))
        return coming(series, now)

    def notes(self, region: str) -> Mapping[str, object]:
        """How hours were estimated, and whether the plan gives the last day alone."""
        said = self._said_of(region)
        return {
            **({"estimation_methods": ", ".join(sorted(said.methods))} if said.methods else {}),
            **({"plan": "the key's has the last 24 hours alone"} if said.last_day_alone else {}),
        }

    @cached_property
    def _http(self) -> HttpClient:
        return HttpClient(self.origin, self._url, headers={"auth-token": self._key().reveal()})

    def _said_of(self, region: str) -> _Said:
        return self._said.setdefault(self._zones.of(region) or region, _Said())

    def _ask(self, region: str, what: str, shape: type[A], query: Mapping[str, str] | None = None) -> A:
        chosen = self._chosen.get(region)
        place = {"zone": chosen} if chosen else {"dataCenterProvider": "aws", "dataCenterRegion": region}
        answer = self._http.json(f"{_PATH}/{what}", shape, {**place, **_ASKED, **(query or {})})
        if _SANDBOX in answer.disclaimer.upper():
            raise self._http.error(Reason.NOT_IN_PLAN, "the figures are made up, as its sandbox gives them")
        self._check_zone(region, answer.zone)
        return answer

    def _check_zone(self, region: str, answered: str) -> None:
        """Nobody else's hours are taken for a region's, whose name for its zone stands in facts and files."""
        if answered != (zone := self._zones.of(region)):
            detail = (
                f"it answers for {region} with zone {answered}, not {zone}: say by {SOURCE_ZONES_KEY} which you mean"
            )
            raise self._http.error(Reason.NOT_FOUND, detail)

    def _series(self, hours: Iterable[_PastHour], said: _Said) -> HourlySeries:
        hours = list(hours)
        methods = {hour.estimation_method for hour in hours if hour.is_estimated and hour.estimation_method}
        if any(_SANDBOX in method.upper() for method in methods):
            raise self._http.error(Reason.NOT_IN_PLAN, "the figures are made up, as its sandbox gives them")
        said.methods |= methods
        return HourlySeries.of(self.signal, self._values(hours))

    def _values(self, hours: Iterable[_Hour]) -> Iterable[HourValue]:
        """Hours with a figure; those without one are not there."""
        for hour in hours:
            at = hour.at.astimezone(UTC)
            if at.replace(minute=0, second=0, microsecond=0) != at:
                raise self._http.error(Reason.SCHEMA, f"an hour that begins at {at:%H:%M:%S}")
            if hour.carbon_intensity is not None:
                yield HourValue(at, hour.carbon_intensity, isinstance(hour, _PastHour) and hour.is_estimated)
