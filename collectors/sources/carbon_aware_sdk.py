"""Grid intensity as a Carbon Aware SDK's web API gives it, which somebody runs on a data source of his own.

The shapes: the Green Software Foundation's carbon-aware-sdk, casdk-docs/docs/tutorial-basics/carbon-aware-webapi.md,
and src/GSF.CarbonAware/src/Models/EmissionsData.cs (durations). Figures are g/kWh; there is no key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat

from caribou.collectors.series import HOUR, HourlySeries, HourValue, Signal
from caribou.collectors.sources.feed import coming, utc_text
from caribou.collectors.sources.http import HttpClient, Reason, SourceError
from caribou.collectors.sources.settings import SourceSettings
from caribou.collectors.sources.shapes import Moment
from caribou.collectors.sources.spans import pieces
from caribou.collectors.sources.zones import Zones
from caribou.model.errors import InvalidInputError
from caribou.model.names import SOURCE_SIGNALS_KEY, SOURCE_URLS_KEY
from caribou.model.regions import KNOWN_REGIONS

NAME = "carbon_aware_sdk"
_LONGEST = timedelta(days=10)
"""What its data sources answer at once: Electricity Maps 10 days, WattTime 32."""


class _Emissions(BaseModel):
    time: Moment
    rating: FiniteFloat
    duration: Annotated[timedelta, Field(gt=timedelta(0), le=HOUR)]


class _ForecastPoint(BaseModel):
    timestamp: Moment
    value: FiniteFloat
    duration: Annotated[int, Field(gt=0, le=60)]
    """Minutes."""


class _Forecast(BaseModel):
    forecast_data: list[_ForecastPoint] = Field(alias="forecastData")


class CarbonAwareSdk:
    """Asks for the location of a region's own name, or the one that the user has chosen.

    Whether its figures are average or marginal is the choice of who runs it: Electricity Maps gives the one, WattTime
    the other. So the settings have to say it. Raises InvalidInputError if they don't, or don't say where it is.
    """

    name, origin = NAME, "Carbon Aware SDK"
    licence = "that of its data source"

    def __init__(self, settings: SourceSettings) -> None:
        if settings.url is None or settings.signal is None:
            raise InvalidInputError(
                "is not described",
                where=f"the source {NAME}",
                fix=f'say where it is, by {SOURCE_URLS_KEY}, and by {SOURCE_SIGNALS_KEY} whether it gives "average" '
                'or "marginal" intensity',
            )
        self.signal: Signal = settings.signal
        self.basis = f"{self.signal}, else as its data source has it"
        self._http = HttpClient(self.origin, settings.url)
        self._zones = Zones({region: region for region in KNOWN_REGIONS}, settings.zones)

    def zone_of(self, region: str) -> str | None:
        """The location's name."""
        return self._zones.of(region)

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """Hours of the past out of what its data source has, in calls of ten days; raises SourceError."""
        with self._zones.blamed(region):
            answers = [self._emissions(region, first, last) for first, last in pieces(start, end, _LONGEST)]
        found = [(one.time, one.rating, one.duration) for answer in answers for one in answer]
        return self._series(found).between(start, end)

    def forecast(self, region: str, now: datetime) -> HourlySeries | None:
        """The hours that its data source forecasts; None if that forecasts nothing (HTTP 501)."""
        try:
            with self._zones.blamed(region):
                query = {"location": self._location(region)}
                answers = self._http.json("emissions/forecasts/current", list[_Forecast], query)
        except SourceError as error:
            if error.reason is Reason.UNSUPPORTED:
                return None
            raise
        found = [
            (point.timestamp, point.value, timedelta(minutes=point.duration))
            for answer in answers
            for point in answer.forecast_data
        ]
        return coming(self._series(found), now)

    def notes(self, region: str) -> Mapping[str, object]:
        """The location."""
        return {"location": self._location(region)}

    def _emissions(self, region: str, start: datetime, end: datetime) -> list[_Emissions]:
        """What it has of a time; of none it answers 204, without a body."""
        query = {"location": self._location(region), "time": utc_text(start), "toTime": utc_text(end)}
        try:
            return self._http.json("emissions/bylocations", list[_Emissions], query)
        except SourceError as error:
            if error.reason is Reason.NOTHING:
                return []
            raise

    def _location(self, region: str) -> str:
        return self._zones.of(region) or region

    def _series(self, found: Iterable[tuple[datetime, float, timedelta]]) -> HourlySeries:
        found = list(found)
        per_hour = int(HOUR / min((duration for *_, duration in found), default=HOUR))
        return HourlySeries.of_samples(self.signal, [HourValue(at, g) for at, g, _ in found], per_hour)
