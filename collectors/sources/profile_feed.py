"""The packaged profile as hours of any span of time: what stands in where nobody has published any, marked as such."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

from caribou.collectors.profile import MonthlyProfile, next_hour
from caribou.collectors.series import HOUR, HourlySeries, HourValue, Signal
from caribou.collectors.sources.snapshot import CarbonSnapshot

_DIGITS = 3


class ProfileFeed:
    """Each hour has the mean of its month and hour of day, at the newest annual level: every value is an estimate."""

    licence = "ODbL 1.0, Electricity Maps"
    basis = "lifecycle, of consumption; a profile by month and hour of day, no history"
    signal = Signal.AVERAGE

    def __init__(self, name: str, snapshot: CarbonSnapshot) -> None:
        self.name, self.origin, self._snapshot = name, snapshot.origin, snapshot

    def zone_of(self, region: str) -> str | None:
        """The grid zone that a region is taken to be in."""
        return self._snapshot.zone_of(region)

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """The hours (UTC) that begin at `start` (aware) or later, and before `end`: no gap, none twice.

        Of a year in any time zone that is 8,760, in a leap year 8,784, whatever its clocks do in spring and autumn.
        """
        profile, first = self._profiles[region], next_hour(start)
        hours = (first + i * HOUR for i in range(-((first - end) // HOUR)))
        values = (HourValue(at, round(profile.at(at), _DIGITS), estimated=True) for at in hours)
        return HourlySeries.of(Signal.AVERAGE, values)

    @cached_property
    def _profiles(self) -> Mapping[str, MonthlyProfile]:
        return self._snapshot.profiles()

    def forecast(self, region: str, now: datetime) -> HourlySeries | None:  # noqa: ARG002 - as feeds have it
        """None: a profile is no forecast."""
        return None

    def notes(self, region: str) -> Mapping[str, object]:  # noqa: ARG002 - as feeds have it
        """Nothing more."""
        return {}
