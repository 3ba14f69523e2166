"""A typical year of a grid: means by month and hour of day, and what they say of the coming days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from caribou.collectors.series import HOUR, this_hour

COMING_DAYS = timedelta(days=7)
"""For how long a fact is to do: a placement's usual validity."""


@dataclass(frozen=True, slots=True)
class MonthlyProfile:
    """Average intensity by month and hour of day, UTC: `months[month - 1][hour]`, 12 times 24, g CO2eq/kWh."""

    months: tuple[tuple[float, ...], ...]

    def at(self, hour: datetime) -> float:
        """The mean of that hour of day in that month."""
        utc = hour.astimezone(UTC)
        return self.months[utc.month - 1][utc.hour]

    def coming_days(self, now: datetime) -> tuple[float, ...]:
        """The profile by hour of day, UTC, over the seven days from the next full hour on, g CO2eq/kWh.

        Where a month ends within them, each hour of day takes of either month as much as it has days there.
        """
        by_hour: list[list[float]] = [[] for _ in range(24)]
        for hour in coming_hours(now):
            by_hour[hour.hour].append(self.at(hour))
        return tuple(sum(values) / len(values) for values in by_hour)


def next_hour(now: datetime) -> datetime:
    """The first full hour that has not begun before `now`, UTC."""
    begun = this_hour(now)
    return begun if begun == now else begun + HOUR


def coming_hours(now: datetime) -> tuple[datetime, ...]:
    """The 168 full hours from the next one on, UTC."""
    start = next_hour(now)
    return tuple(start + i * HOUR for i in range(COMING_DAYS // HOUR))
