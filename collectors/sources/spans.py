"""Spans of time, as services want to be asked for them and as they answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from caribou.collectors.series import HourlySeries, HourValue, Signal, this_hour

WEEK = timedelta(days=7)


def pieces(start: datetime, end: datetime, longest: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """A span in pieces that are no longer than `longest`, for services that give no more at a call."""
    while start < end:
        upto = min(start + longest, end)
        yield start, upto
        start = upto


def whole_weeks(start: datetime, end: datetime) -> datetime:
    """The latest time up to `start` that is whole weeks before `end`: it takes a week to see what is usual."""
    return end - -(-(end - start) // WEEK) * WEEK


def hours_of(signal: Signal, samples: Iterable[HourValue]) -> HourlySeries:
    """Hours out of quarters, halves or whole ones, whichever most hours have; an hour with fewer is left out.

    One service has quarters of one country and hours of another, and the step changes when a country changes it.
    """
    own = list(samples)
    times = {sample.at.astimezone(UTC) for sample in own}
    in_hour = Counter(map(this_hour, times))
    steps = Counter(in_hour.values())
    usual = max(steps, key=lambda n: (steps[n], n), default=1)
    return HourlySeries.of_samples(signal, own, usual)
