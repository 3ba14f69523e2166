"""A live service of average intensity as a source of carbon facts: its last weeks, and what they say of the next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from caribou.collectors.bodies import CarbonBody
from caribou.collectors.chain import METHOD
from caribou.collectors.facts import Given
from caribou.collectors.profile import COMING_DAYS, MonthlyProfile
from caribou.collectors.series import HourlySeries, Signal, this_hour
from caribou.collectors.sources.feed import HISTORY, CarbonFeed, by_region, checked
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.snapshot import CarbonSnapshot
from caribou.model.errors import InvalidInputError
from caribou.model.names import MARGINAL_SOURCE_KEY

if TYPE_CHECKING:
    from caribou.collectors.forecast.forecasting import Forecast


@dataclass(frozen=True)
class LiveCarbon:
    """Asks the feed region by region. Raises InvalidInputError for one of another signal than the average.

    What the feed has nothing to do with stays the snapshot's: marginal intensity, and the spread from year to year.
    """

    feed: CarbonFeed
    packaged: CarbonSnapshot = field(default_factory=CarbonSnapshot)
    method = "forecast"
    valid_for = COMING_DAYS

    def __post_init__(self) -> None:
        if self.feed.signal is not Signal.AVERAGE:
            raise InvalidInputError(
                f"gives {self.feed.signal} intensity, and placements are made of the average one",
                where=f"the source {self.feed.name}",
                fix=f"choose it by {MARGINAL_SOURCE_KEY}",
            )

    @property
    def origin(self) -> str:
        """What the facts say of their source."""
        return self.feed.origin

    def collect(self, now: datetime, regions: Collection[str]) -> Given[CarbonBody]:
        """24 hourly intensities by hour of day (UTC), and their mean, of each region whose zone gives its hours."""
        profiles = self.packaged.profiles()
        forecasts, refused = by_region(self.feed, regions, lambda region: self._forecast(region, profiles[region], now))
        packaged = self.packaged.collect(now, forecasts).bodies
        bodies = {region: self._body(region, forecast, packaged[region]) for region, forecast in forecasts.items()}
        return Given(bodies, refused)

    def _forecast(self, region: str, profile: MonthlyProfile, now: datetime) -> Forecast:
        from caribou.collectors.forecast.forecasting import forecast_body  # noqa: PLC0415 - numpy, for live sources

        end = this_hour(now)
        past = checked(self.feed.history(region, end - HISTORY, end), self.feed, region)
        if not past.hours:
            raise SourceError(self.feed.origin, Reason.NOTHING, f"{region}, of the last {HISTORY.days} days")
        published, why = self._published(region, now)
        forecast = forecast_body(past, published, profile, now)
        return replace(forecast, notes={**forecast.notes, **({"published_forecast": why} if why else {})})

    def _published(self, region: str, now: datetime) -> tuple[HourlySeries | None, str]:
        """Its publisher's forecast; else why there is none to be had: a key's plan may have the past alone."""
        try:
            coming = self.feed.forecast(region, now)
            return None if coming is None else checked(coming, self.feed, region), ""
        except SourceError as error:
            return None, error.why

    def _body(self, region: str, forecast: Forecast, packaged: CarbonBody) -> CarbonBody:
        zone = self.feed.zone_of(region)
        return CarbonBody(
            average=forecast.average,
            hourly=forecast.hourly,
            marginal=packaged.marginal,
            zone=zone,
            year_to_year=packaged.year_to_year,
            provenance={
                "zone": zone,
                "basis": f"{self.feed.basis}; {forecast.method}",
                METHOD: forecast.method,
                "licence": self.feed.licence,
                **forecast.notes,
                **self.feed.notes(region),
            },
        )
