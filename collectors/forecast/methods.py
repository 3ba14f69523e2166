"""Ways to say the coming week's hours from those of the last four: what is forecast with, and what it is held against.

Notation: y(t) is the intensity of hour t, the last one is t = 0, the coming ones are t = 1 … 168. A method takes many
series at once, a row each, and none sees more than it is given:

    past      n x 672   the last 28 days, g CO2eq/kWh; NaN where nobody published
    profile   n x 840   what the packaged profile has for the hours of `past` and for the coming 168; NaN without one
    result    n x 168   the coming seven days; NaN where a method has nothing to say it from
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from caribou.collectors.forecast.holt_winters import holt_winters
from caribou.collectors.forecast.window import COMING_H, DAY_H, PAST_H, Hours

PAST_DAYS = PAST_H // DAY_H
HALF_LIFE_DAYS = 5.0
"""A day counts half as much as one that is five days younger: chosen on 2022, see docs/forecast.md."""
DEPARTURE_H = 48.0
"""After so many hours 1/e is left of the newest hour's departure from its hour of day: chosen on 2022."""


class Method(Protocol):
    """From what was to what comes, as above."""

    def __call__(self, past: Hours, profile: Hours) -> Hours:
        """The coming week, n x 168."""


def persistence(past: Hours, profile: Hours) -> Hours:  # noqa: ARG001 - of a method's shape
    """As the newest hour, y(h) = y(0)."""
    return np.repeat(_newest(past)[:, None], COMING_H, axis=1)


def yesterday(past: Hours, profile: Hours) -> Hours:  # noqa: ARG001
    """As the newest day that has the hour of day."""
    days = _days(past)
    by_hour = np.stack([_newest(days[:, :, hour]) for hour in range(DAY_H)], axis=1)
    return _repeated(by_hour)


def week_mean(past: Hours, profile: Hours) -> Hours:  # noqa: ARG001
    """The mean of the hour of day over the last seven days."""
    return _repeated(_mean(_days(past)[:, -7:], axis=1))


def packaged_profile(past: Hours, profile: Hours) -> Hours:  # noqa: ARG001
    """The packaged profile, as it is."""
    return profile[:, PAST_H:]


def scaled_profile(past: Hours, profile: Hours) -> Hours:
    """The packaged profile, times what the last seven known days were of it.

    Those are the days up to the newest hour that is known: where it is a week ago, its level is still nearer than that
    of a year.
    """
    last = _last_known_week(past)
    known = np.isfinite(past) & last & np.isfinite(profile[:, :PAST_H])
    level = _mean(np.where(known, past, np.nan), axis=1) / _mean(np.where(known, profile[:, :PAST_H], np.nan), axis=1)
    return profile[:, PAST_H:] * level[:, None]


def recent_days(
    past: Hours,
    profile: Hours,  # noqa: ARG001
    *,
    half_life_days: float = HALF_LIFE_DAYS,
    departure_h: float = DEPARTURE_H,
) -> Hours:
    """Means by hour of day in which newer days count more, and what the newest hour departs from them, fading.

        S(i) = sum_d w_d y(24·d + i) / sum_d w_d,   w_d = 2^(-age of day d / half_life_days)
        y(h) = S(h) + (y(0) - S(0)) · e^(-h / departure_h)

    S is what seasonal exponential smoothing comes to, with a level that returns: a windy day is no windy month.
    """
    days = _days(past)
    age = np.arange(PAST_DAYS - 1, -1, -1.0)[None, :, None]
    weights = np.where(np.isfinite(days), 0.5 ** (age / half_life_days), 0.0)
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):
        typical = (weights * np.nan_to_num(days)).sum(axis=1) / np.where(total, total, np.nan)
    departures = past - np.tile(typical, (1, PAST_DAYS))
    hours_since = _hours_since_newest(past)[:, None] + np.arange(1, COMING_H + 1)
    return _repeated(typical) + _newest(departures)[:, None] * np.exp(-hours_since / departure_h)


def smoothed(past: Hours, profile: Hours) -> Hours:  # noqa: ARG001
    """Holt-Winters with a daily season, additive, its trend damped, fitted on the window."""
    return holt_winters(past, COMING_H)


METHODS: Mapping[str, Method] = {
    "persistence": persistence,
    "same hour yesterday": yesterday,
    "last seven days' mean": week_mean,
    "packaged profile": packaged_profile,
    "profile at last week's level": scaled_profile,
    "Holt-Winters": smoothed,
    "recent days": recent_days,
}


def _days(past: Hours) -> Hours:
    """Rows by day and by the hours since the last one ended: n x 28 x 24."""
    return past.reshape(len(past), -1, DAY_H)


def _repeated(by_hour: Hours) -> Hours:
    return np.tile(by_hour, (1, COMING_H // DAY_H))


def _newest(values: Hours) -> Hours:
    """Of each row the last that is known, NaN where none is."""
    newest: Hours = values[np.arange(len(values)), values.shape[1] - 1 - _hours_since_newest(values)]
    return newest


def _hours_since_newest(values: Hours) -> NDArray[np.int64]:
    """How many places before the last one the newest known value is; 0 where none is."""
    since: NDArray[np.int64] = np.argmax(np.isfinite(values[:, ::-1]), axis=1)
    return since


def _last_known_week(past: Hours) -> NDArray[np.bool_]:
    age = PAST_H - 1 - np.arange(PAST_H)[None, :] - _hours_since_newest(past)[:, None]
    return (age >= 0) & (age < COMING_H)


def _mean(values: Hours, axis: int) -> Hours:
    """The mean of what is known, NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, for a mean of nothing
        mean: Hours = np.nanmean(values, axis=axis)
    return mean
