"""A live service of average intensity as a source of carbon facts: its last weeks, and what they say of the next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from caribou.collectors.bodies import CarbonBody
from caribou.collectors.chain import METHOD
from caribou.collectors.facts import Given
from caribou.collectors.profile import COMING_DAYS, MonthlyProfile, this_hour
from caribou.collectors.series import HIGHEST, HourlySeries
from caribou.collectors.sources.feed import CarbonFeed
from caribou.collectors.sources.http import WHOLE_SOURCE, Reason, SourceError
from caribou.collectors.sources.snapshot import CarbonSnapshot

if TYPE_CHECKING:
    from caribou.collectors.forecast.forecasting import Forecast

HISTORY = timedelta(days=28)
"""How long a past a forecast is made of."""
_MOST_WRONG = 0.05
"""The share of hours that can't be, from which on it is the unit that is wrong; of fewer, forecasts do without."""


@dataclass(frozen=True)
class LiveCarbon:
    """Asks the feed region by region, of a zone once. When the service itself is at fault, it is not asked on.

    What the feed has nothing to do with stays the snapshot's: marginal intensity, and the spread from year to year.
    """

    feed: CarbonFeed
    packaged: CarbonSnapshot = field(default_factory=CarbonSnapshot)
    method = "forecast"
    valid_for = COMING_DAYS

    @property
    def origin(self) -> str:
        """What the facts say of their source."""
        return self.feed.origin

    def collect(self, now: datetime, regions: Collection[str]) -> Given[CarbonBody]:
        """24 hourly intensities by hour of day (UTC), and their mean, of each region whose zone gives its hours."""
        covered = {region: zone for region in regions if (zone := self.feed.zone_of(region)) is not None}
        packaged, profiles = self.packaged.collect(now, covered).bodies, self.packaged.profiles()
        forecasts: dict[str, Forecast] = {}
        bodies: dict[str, CarbonBody] = {}
        refused: dict[str, str] = {}
        for region, zone in covered.items():
            try:
                if zone not in forecasts:
                    forecasts[zone] = self._forecast(region, profiles[region], now)
            except SourceError as error:
                refused[region] = str(error)
                if error.reason in WHOLE_SOURCE:
                    left = (other for other in covered if other not in bodies)
                    return Given(bodies, {**dict.fromkeys(left, str(error)), **refused})
            else:
                bodies[region] = self._body(region, zone, forecasts[zone], packaged[region])
        return Given(bodies, refused)

    def _forecast(self, region: str, profile: MonthlyProfile, now: datetime) -> Forecast:
        from caribou.collectors.forecast.forecasting import forecast_body  # noqa: PLC0415 - numpy, for live sources

        end = this_hour(now)
        past = self._checked(region, self.feed.history(region, end - HISTORY, end))
        if not past.hours:
            raise SourceError(self.feed.origin, Reason.NOTHING, f"{region}, of the last {HISTORY.days} days")
        coming = self.feed.forecast(region, now)
        return forecast_body(past, None if coming is None else self._checked(region, coming), profile, now)

    def _checked(self, region: str, series: HourlySeries) -> HourlySeries:
        wrong = [hour for hour in series.hours if not 0 <= hour.g_per_kwh <= HIGHEST]
        if len(wrong) > _MOST_WRONG * len(series.hours):
            first = f"{wrong[0].g_per_kwh:g} g/kWh at {wrong[0].at:%Y-%m-%d %H:%M} UTC in {region}"
            detail = f"{first}, and so {len(wrong)} of {len(series.hours)} hours"
            raise SourceError(self.feed.origin, Reason.UNITS, detail)
        return series

    def _body(self, region: str, zone: str, forecast: Forecast, packaged: CarbonBody) -> CarbonBody:
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
