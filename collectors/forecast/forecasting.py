"""What a region's carbon fact says of the coming days: its publisher's forecast, and ours where that ends.

    forecast = forecast_body(history, published, profile, now)
    CarbonBody(forecast.average, forecast.hourly, provenance={"basis": forecast.method, **forecast.notes})

Ours is made of the 28 days before by the method that won on two years of hours (docs/forecast.md); hours of the
publisher's forecast are the newest of these. Only hours that had ended by `now` are history, whoever gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    end_of,
    ended,
    joined,
    past_row,
    profile_row,
)
from caribou.collectors.profile import MonthlyProfile, next_hour
from caribou.collectors.series import HIGHEST, HOUR, HourlySeries, Signal
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
class _Own:
    """Our forecast of 168 hours, NaN where there is nothing to make one of; by what, and what is to be said of that."""

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
    start, signal = next_hour(now), history.signal
    past, given = past_row(history, now), possible(coming_row(published, now), signal)
    end, covered = end_of(given), np.isfinite(given[0]).tolist()
    before = cleaned(past, signal)
    first = _own(before.values, profile, start)
    then = _own(cleaned(joined(past, given), signal).values, profile, start + end * HOUR)
    week = np.where(covered, given[0], np.concatenate([first.values[:end], then.values[: COMING_H - end]]))
    if not np.isfinite(week).all():
        raise OperationFailedError(_nothing(history, start, sum(covered)))
    own = then if end < COMING_H else first
    notes = {} if all(covered) else _stands_in(covered, start) | own.notes | _treatment(ended(history, now), before)
    week, below_zero = _bounded(week, signal)
    hourly = np.roll(week.reshape(-1, DAY_H).mean(axis=0), start.hour)
    return Forecast(
        start=start,
        next_day=_rounded(week[:DAY_H]),
        hourly=_rounded(hourly),
        average=round(float(hourly.mean()), _DIGITS),
        method=_method(covered, own.method),
        notes=notes | below_zero,
    )


def _check_signals(history: HourlySeries, published: HourlySeries | None, profile: MonthlyProfile | None) -> None:
    if published is not None and published.signal is not history.signal:
        raise ValueError(f"a history of {history.signal} intensity, and a forecast of {published.signal}")
    if profile is not None and history.signal is not Signal.AVERAGE:
        raise ValueError(f"a history of {history.signal} intensity, and a profile of {Signal.AVERAGE}")


def _own(past: Hours, profile: MonthlyProfile | None, start: datetime) -> _Own:
    """What the four weeks before an hour, 1 x 672, or the profile say of the seven days from it on."""
    known = np.isfinite(past[0])
    last_week = int(known[-COMING_H:].sum())
    is_enough = last_week >= ENOUGH_H and known.reshape(-1, DAY_H).any(axis=0).all()
    why = f"{last_week} of the {COMING_H} hours before are known, {ENOUGH_H} and all hours of day needed"
    notes: Notes = {} if is_enough else {"too_short": why}
    method: Method
    if is_enough or profile is None:
        method, text = recent_days, RECENT_DAYS
    elif known.sum() >= LEVEL_H:
        method, text = scaled_profile, f"{PROFILE}, at the level of the newest week that is known"
    else:
        method, text = packaged_profile, PROFILE
    return _Own(method(past, profile_row(profile, start))[0], text, notes)


def _treatment(history: HourlySeries, past: Cleaned) -> Notes:
    """What is to be said of the hours that were used."""
    if not history.hours:
        return {"history": "none"}
    first, newest = history.hours[0].at, history.hours[-1].at
    span_h = (newest - first) // HOUR + 1
    counts = {
        "refused": (int(past.refused[0]), f"below 0 or above {HIGHEST:g} g/kWh: taken as not known"),
        "outliers": (int(past.clipped[0]), "too far from others of their hour of day: cut"),
        "interpolated": (int(past.filled[0]), f"not known, in gaps of at most {LONGEST_FILLED_H} hours: interpolated"),
        "left_out": (span_h - int(np.isfinite(past.values).sum()), "not known, in longer gaps: left out"),
    }
    return {
        "history": f"{_text(first)} to {_text(newest)}",
        **{key: f"{count} of {span_h} hours, {what}" for key, (count, what) in counts.items() if count},
        "estimated_share": round(history.estimated_share, _DIGITS),
    }


def _bounded(week: Hours, signal: Signal) -> tuple[Hours, Notes]:
    """Average intensity that came out below 0 as 0, and what is to be said of that."""
    below = int((week < 0).sum())
    if signal is not Signal.AVERAGE or not below:
        return week, {}
    return np.maximum(week, 0.0), {"below_zero": f"{below} of {COMING_H} hours came out below 0 and are taken as 0"}


def _stands_in(covered: list[bool], start: datetime) -> Notes:
    """From which hour on ours takes the place of the publisher's forecast; nothing if there is none."""
    if not any(covered):
        return {}
    end = COMING_H - covered[::-1].index(True)
    gaps = f"{end - sum(covered)} of {end} hours until then" if not all(covered[:end]) else ""
    rest = f"from {_text(start + end * HOUR)} on, after {end} of {COMING_H} hours" if end < COMING_H else ""
    return {"stands_in": "; ".join(part for part in (rest, gaps) if part)}


def _method(covered: list[bool], own: str) -> str:
    if all(covered):
        return "its publisher's forecast"
    return f"its publisher's forecast; where that has none: {own}" if any(covered) else own


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
