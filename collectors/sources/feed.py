"""What a live service of carbon intensity has to do, whatever it is: hours of the past, and of the future if it can."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from caribou.collectors.series import HourlySeries, Signal, this_hour
from caribou.collectors.sources.http import WHOLE_SOURCE, Reason, SourceError

T = TypeVar("T")

HISTORY = timedelta(days=28)
"""How long a past is asked for: forecasts, and means of marginal intensity, are made of it."""
_MOST_WRONG = 0.05
"""The share of hours that can't be, from which on it is the unit that is wrong; of fewer, one does without."""
_LEAST_MEAN_G_PER_KWH = 1.0
"""Below all that a grid has in the mean of weeks: water emits 6 g/kWh at least (UNECE 2021). But 400 g are 0.4 kg."""


class CarbonFeed(Protocol):
    """A client of a live service. It makes no request before it is asked; its methods raise SourceError."""

    name: str
    """As the registry has it, such as `electricity_maps`."""
    origin: str
    """As facts name it, such as `Electricity Maps`."""
    licence: str
    """Under which terms its figures are given."""
    basis: str
    """What the figures are: lifecycle or direct, of consumption or generation."""
    signal: Signal

    def zone_of(self, region: str) -> str | None:
        """The service's name for a region's grid; None if it does not cover it."""

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """The hours from `start` to before `end` (UTC, on the hour) that are published, in as many calls as it takes.

        Missing hours are not made up. Whether a value is its publisher's estimate stands with it.
        """

    def forecast(self, region: str, now: datetime) -> HourlySeries | None:
        """The hours from `now` on that the service forecasts; None if it publishes no forecast."""

    def notes(self, region: str) -> Mapping[str, object]:
        """What else is to be kept of where the figures come from, such as a model's date: texts and numbers."""


def by_region(
    feed: CarbonFeed, regions: Collection[str], ask: Callable[[str], T]
) -> tuple[dict[str, T], dict[str, str]]:
    """What `ask` gives of each region that the feed covers, of a zone once; and of those refused, why.

    When the service itself is at fault, it is not asked on.
    """
    covered = {region: zone for region in regions if (zone := feed.zone_of(region)) is not None}
    given: dict[str, T] = {}
    refused: dict[str, str] = {}
    for region, zone in covered.items():
        if zone in given or zone in refused:
            continue
        try:
            given[zone] = ask(region)
        except SourceError as error:
            refused[zone] = error.why
            if error.reason in WHOLE_SOURCE:
                refused = {**{other: error.why for other in covered.values() if other not in given}, **refused}
    return (
        {region: given[zone] for region, zone in covered.items() if zone in given},
        {region: refused[zone] for region, zone in covered.items() if zone in refused},
    )


def coming(series: HourlySeries, now: datetime) -> HourlySeries:
    """The hours from this one on."""
    return series.between(this_hour(now), datetime.max.replace(tzinfo=UTC))


def utc_text(time: datetime) -> str:
    """A time as services take it."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def checked(series: HourlySeries, feed: CarbonFeed, region: str) -> HourlySeries:
    """The series, if its hours are g/kWh but for a few. Raises SourceError: kilograms and tonnes are a thousandth.

    Pounds for a MWh are in the range of what can be: a client has to know its service's unit.
    """
    known = series.possible()
    if len(series.hours) - len(known.hours) > _MOST_WRONG * len(series.hours):
        wrong = [hour for hour in series.hours if hour not in known.hours]
        first = f"{wrong[0].g_per_kwh:g} g/kWh at {wrong[0].at:%Y-%m-%d %H:%M} UTC in {region}"
        detail = f"{first}, and so {len(wrong)} of {len(series.hours)} hours"
        raise SourceError(feed.origin, Reason.UNITS, detail)
    if known.hours and known.mean < _LEAST_MEAN_G_PER_KWH:
        raise SourceError(feed.origin, Reason.UNITS, f"{known.mean:g} g/kWh in the mean in {region}")
    return series
