"""What a forecast may see: the hours of the last four weeks that had ended, and what a profile has for them."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from caribou.collectors.profile import COMING_DAYS, MonthlyProfile, next_hour
from caribou.collectors.series import HOUR, HourlySeries, this_hour

Hours = NDArray[np.float64]

DAY_H = 24
PAST_H = 28 * DAY_H
COMING_H = COMING_DAYS // HOUR


def ended(history: HourlySeries, now: datetime) -> HourlySeries:
    """The hours of the last four weeks that had ended by `now`, in UTC; of the one that goes on nobody can know."""
    return history.between(next_hour(now) - PAST_H * HOUR, this_hour(now))


def past_row(history: HourlySeries, now: datetime) -> Hours:
    """Those hours as 1 x 672, up to the next full hour, NaN where there is none."""
    return _row(ended(history, now), next_hour(now) - PAST_H * HOUR, PAST_H)


def coming_row(published: HourlySeries | None, now: datetime) -> Hours:
    """What a publisher says of the seven days from the next full hour on, 1 x 168, NaN where it says nothing."""
    return np.full((1, COMING_H), np.nan) if published is None else _row(published, next_hour(now), COMING_H)


def joined(past: Hours, published: Hours) -> Hours:
    """The four weeks before the end of the publisher's forecast, n x 672, of which its hours are the newest."""
    return np.concatenate([past, published[:, : end_of(published)]], axis=1)[:, -PAST_H:]


def end_of(published: Hours) -> int:
    """How many hours it is from the beginning of rows to the end of what is known of any of them."""
    known = np.flatnonzero(np.isfinite(published).any(axis=0))
    return int(known[-1]) + 1 if len(known) else 0


def profile_row(profile: MonthlyProfile | None, start: datetime) -> Hours:
    """What a profile has for the four weeks before an hour and the week from it on, 1 x 840, NaN without one."""
    values = [np.nan if profile is None else profile.at(start + i * HOUR) for i in range(-PAST_H, COMING_H)]
    return np.array([values])


def _row(series: HourlySeries, start: datetime, hours: int) -> Hours:
    row = np.full((1, hours), np.nan)
    for value in series.between(start, start + hours * HOUR).hours:
        row[0, (value.at - start) // HOUR] = value.g_per_kwh
    return row
