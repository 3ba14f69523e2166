"""What a region's carbon fact says of the coming days: its publisher's forecast, and ours where that ends.

    forecast = forecast_body(history, published, profile, now)
    CarbonBody(forecast.average, forecast.hourly, provenance={"basis": forecast.method, **forecast.notes})

Ours is made of the last 28 days by the method that won on two years of hours (docs/forecast.md). Only hours that had
ended by `now` are history, whoever gives them: what a publisher says of a later one is a forecast.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from caribou.collectors.forecast.cleaning import LONGEST_FILLED_H, Cleaned, cleaned, possible
from caribou.collectors.forecast.methods import Method, packaged_profile, recent_days, scaled_profile
from caribou.collectors.forecast.window import (
    COMING_H,
    DAY_H,
    PAST_H,
    Hours,
    coming_row,
    ended,
    past_row,
    profile_row,
)
from caribou.collectors.profile import MonthlyProfile, next_hour
from caribou.collectors.series import HOUR, HourlySeries, Signal
from caribou.model.errors import OperationFailedError

Notes = dict[str, str | float]

ENOUGH_H = 48
"""Hours of the last seven days that must be known, or the profile stands in: two days say more than it does."""
LEVEL_H = 24
"""Hours that must be known to bring the profile to their level."""
RECENT_DAYS = "means by hour of day of the last 28 days, newer ones counting more, and the newest hour's departure"
PROFILE = "packaged profile by month and hour of day"
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Forecast:
    """Intensity to come, g CO2eq/kWh.

    `next_day` are the 24 hours from `start` on, the next full hour (UTC). `hourly` are means by hour of day, UTC, from
    0, over the seven days from `start` on; `average` is their mean. `method` says by what they are made, `notes` what
    stands in from which hour and what was wrong with the history: texts and figures for a fact's provenance.
    """

    start: datetime
    next_day: tuple[float, ...]
    hourly: tuple[float, ...]
    average: float
    method: str
    notes: Notes


@dataclass(frozen=True, slots=True)
class _Choice:
    """A method, what a fact calls it, and what is to be said of its being chosen."""

    method: Method
    text: str
    notes: Notes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Own:
    """Our forecast of 168 hours, NaN where there is nothing to make one of; by what, and what is to be said of it."""

    values: Hours
    method: str
    notes: Notes


def forecast_body(
    history: HourlySeries, published: HourlySeries | None, profile: MonthlyProfile | None, now: datetime
) -> Forecast:
    """Forecast the seven days from the next full hour on.

    `history` may be short, or empty; `published` is its publisher's own forecast of the same signal; `profile` is for
    average intensity only. Raises ValueError where signals are mixed, and OperationFailedError if there is an hour for
    which none of the three has anything.
    """
    _check_signals(history, published, profile)
    own = _own(history, profile, now)
    given = possible(coming_row(published, now), history.signal)[0]
    covered = np.isfinite(given).tolist()
    week = np.where(covered, given, own.values)
    start = next_hour(now)
    if not np.isfinite(week).all():
        raise OperationFailedError(_nothing(history, start, sum(covered)))
    hourly = np.roll(week.reshape(-1, DAY_H).mean(axis=0), start.hour)
    return Forecast(
        start=start,
        next_day=_rounded(week[:DAY_H]),
        hourly=_rounded(hourly),
        average=round(float(hourly.mean()), _DIGITS),
        method=f"its publisher's forecast; where that ends: {own.method}" if any(covered) else own.method,
        notes=_stands_in(covered, start) | ({} if all(covered) else own.notes),
    )


def _check_signals(history: HourlySeries, published: HourlySeries | None, profile: MonthlyProfile | None) -> None:
    if published is not None and published.signal is not history.signal:
        raise ValueError(f"a history of {history.signal} intensity, and a forecast of {published.signal}")
    if profile is not None and history.signal is not Signal.AVERAGE:
        raise ValueError(f"a history of {history.signal} intensity, and a profile of {Signal.AVERAGE}")


def _own(history: HourlySeries, profile: MonthlyProfile | None, now: datetime) -> _Own:
    """What the last four weeks, or the profile, say of the coming seven days."""
    past = cleaned(past_row(history, now), history.signal)
    chosen = _chosen(past.values[0], has_profile=profile is not None)
    values = chosen.method(past.values, profile_row(profile, now))[0]
    notes = chosen.notes | _treatment(ended(history, now), past)
    if history.signal is Signal.AVERAGE and (below := int((values < 0).sum())):
        notes["below_zero"] = f"{below} of {COMING_H} hours came out below 0 and are taken as 0"
        values = np.maximum(values, 0.0)
    return _Own(values, chosen.text, notes)


def _chosen(past: Hours, *, has_profile: bool) -> _Choice:
    """The method for as much as is known of the past."""
    known = np.isfinite(past)
    last_week = int(known[-COMING_H:].sum())
    is_enough = last_week >= ENOUGH_H and known.reshape(-1, DAY_H).any(axis=0).all()
    if is_enough or not has_profile:
        return _Choice(recent_days, RECENT_DAYS)
    why: Notes = {
        "too_short": f"{last_week} of the last {COMING_H} hours are known, {ENOUGH_H} and all hours of day needed"
    }
    if known.sum() >= LEVEL_H:
        return _Choice(scaled_profile, f"{PROFILE}, at the level of the newest week that is known", why)
    return _Choice(packaged_profile, PROFILE, why)


def _treatment(history: HourlySeries, past: Cleaned) -> Notes:
    """What is to be said of the hours that were used."""
    if not history.hours:
        return {"history": "none"}
    first, newest = history.hours[0].at, history.hours[-1].at
    span_h = (newest - first) // HOUR + 1
    counts = {
        "refused": (int(past.refused[0]), "no numbers, or below 0: taken as not known"),
        "outliers": (int(past.clipped[0]), "too far from others of their hour of day: cut"),
        "interpolated": (int(past.filled[0]), f"not known, in gaps of at most {LONGEST_FILLED_H} hours: interpolated"),
        "left_out": (span_h - int(np.isfinite(past.values).sum()), "not known, in longer gaps: left out"),
    }
    return {
        "history": f"{_text(first)} to {_text(newest)}",
        **{key: f"{count} of {span_h} hours, {what}" for key, (count, what) in counts.items() if count},
        "estimated_share": round(history.estimated_share, _DIGITS),
    }


def _stands_in(covered: list[bool], start: datetime) -> Notes:
    """From which hour on ours takes the place of the publisher's forecast; nothing if there is none, or all of it."""
    if not any(covered) or all(covered):
        return {}
    end = COMING_H - covered[::-1].index(True)
    gaps = f"{end - sum(covered)} of {end} hours until then" if not all(covered[:end]) else ""
    rest = f"from {_text(start + end * HOUR)} on, after {end} of {COMING_H} hours" if end < COMING_H else ""
    return {"stands_in": "; ".join(part for part in (rest, gaps) if part)}


def _nothing(history: HourlySeries, start: datetime, covered: int) -> str:
    return (
        f"There is nothing to forecast the week from {_text(start)} by: of the {PAST_H} hours before it, the history "
        f"has {len(history.between(start - PAST_H * HOUR, start).hours)}, not one of each hour of day; of the "
        f"{COMING_H} to come, its publisher's forecast has {covered}; and there is no packaged profile."
    )


def _rounded(values: Hours) -> tuple[float, ...]:
    return tuple(round(float(value), _DIGITS) for value in values)


def _text(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:00Z}"
