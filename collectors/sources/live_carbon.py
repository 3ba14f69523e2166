"""A live service of average intensity as a source of carbon facts: its last weeks, and what they say of the next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from caribou.collectors.bodies import CarbonBody
from caribou.collectors.facts import Given
from caribou.collectors.series import HOUR, HourlySeries
from caribou.collectors.sources.feed import CarbonFeed
from caribou.collectors.sources.http import WHOLE_SOURCE, Reason, SourceError
from caribou.collectors.sources.snapshot import COMING_DAYS, CarbonSnapshot

HISTORY = timedelta(days=28)
"""How long a past a forecast is made of."""
_DAY_H = 24
_MOST_G_PER_KWH = 2500.0
"""Above all that burns: lignite in an old plant emits some 1,400 g/kWh over its life (IPCC 2014, annex III: 820)."""


@dataclass(frozen=True)
class LiveCarbon:
    """Asks the feed region by region, of a zone once. When the service itself is at fault, it is not asked on.

    What the feed has nothing to do with stays the snapshot's: marginal intensity, and the spread from year to year.
    """

    feed: CarbonFeed
    packaged: CarbonSnapshot = field(default_factory=CarbonSnapshot)
    method = "mean by hour of day of the last seven days"
    valid_for = COMING_DAYS

    @property
    def origin(self) -> str:
        """What the facts say of their source."""
        return self.feed.origin

    def collect(self, now: datetime, regions: Collection[str]) -> Given[CarbonBody]:
        """24 hourly intensities by hour of day (UTC), and their mean, of each region whose zone gives its hours."""
        covered = {region: zone for region in regions if (zone := self.feed.zone_of(region)) is not None}
        packaged = self.packaged.collect(now, covered).bodies
        series: dict[str, HourlySeries] = {}
        bodies: dict[str, CarbonBody] = {}
        refused: dict[str, str] = {}
        for region, zone in covered.items():
            try:
                if zone not in series:
                    series[zone] = self._history(region, now)
                bodies[region] = self._body(region, zone, series[zone], packaged[region])
            except SourceError as error:
                refused[region] = str(error)
                if error.reason in WHOLE_SOURCE:
                    left = (other for other in covered if other not in bodies)
                    return Given(bodies, {**dict.fromkeys(left, str(error)), **refused})
        return Given(bodies, refused)

    def _history(self, region: str, now: datetime) -> HourlySeries:
        end = now.replace(minute=0, second=0, microsecond=0)
        series = self.feed.history(region, end - HISTORY, end)
        for hour in series.hours:
            if not 0 <= hour.g_per_kwh <= _MOST_G_PER_KWH:
                detail = f"{hour.g_per_kwh:g} g/kWh at {hour.at:%Y-%m-%d %H:%M} UTC in {region}"
                raise SourceError(self.feed.origin, Reason.UNITS, detail)
        return series

    def _body(self, region: str, zone: str, history: HourlySeries, packaged: CarbonBody) -> CarbonBody:
        hourly = self._by_hour_of_day(history, region)
        last = history.hours[-1].at
        return CarbonBody(
            average=round(sum(hourly) / _DAY_H, 3),
            hourly=hourly,
            marginal=packaged.marginal,
            zone=zone,
            year_to_year=packaged.year_to_year,
            provenance={
                "zone": zone,
                "basis": f"{self.feed.basis}; {self.method}, up to {last:%Y-%m-%d %H:%M} UTC",
                "estimated_share": round(history.estimated_share, 4),
                "licence": self.feed.licence,
                **self.feed.notes(region),
            },
        )

    def _by_hour_of_day(self, history: HourlySeries, region: str) -> tuple[float, ...]:
        if not history.hours:
            raise SourceError(self.feed.origin, Reason.NOTHING, region)
        week = history.between(history.hours[-1].at - timedelta(days=7) + HOUR, history.hours[-1].at + HOUR)
        by_hour = [[value.g_per_kwh for value in week.hours if value.at.hour == hour] for hour in range(_DAY_H)]
        if not all(by_hour):
            raise SourceError(self.feed.origin, Reason.NOTHING, f"{region} at some hours of the day")
        return tuple(round(sum(values) / len(values), 3) for values in by_hour)
