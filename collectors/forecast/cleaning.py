"""A series as a forecast is made of it: without what can't be, cut where it is too far out, small gaps filled."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caribou.collectors.forecast.window import DAY_H, Hours
from caribou.collectors.series import HIGHEST, Signal

Counts = NDArray[np.int64]

LONGEST_FILLED_H = 6
"""Gaps of up to so many hours are interpolated; in a longer one a grid has been somewhere else and come back."""
FENCE = 1.0
"""How far beyond the middle nine tenths of departures from its hour of day a value may be, in widths of these: it costs
nothing on clean data, and takes most of the harm out of wrong hours; the figures are in docs/forecast.md."""
LEAST_FENCE = 0.25
"""And at least this share of the series' median: a grid whose hours are estimated by the calendar may change it."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """n series, a row each, NaN where nothing is known; and of how many hours of each what is to be said.

    `refused` were no intensities at all, see `possible`; `clipped` were too far out; `filled` are interpolated.
    """

    values: Hours
    refused: Counts
    clipped: Counts
    filled: Counts


def cleaned(values: Hours, signal: Signal) -> Cleaned:
    """Treat n series of whole days, n x hours; NaN is an hour that nobody published."""
    right = possible(values, signal)
    inside = _clipped(right)
    whole = np.stack([_filled(row) for row in inside])
    return Cleaned(
        values=whole,
        refused=(np.isnan(right) & ~np.isnan(values)).sum(axis=1),
        clipped=(np.isfinite(right) & (inside != right)).sum(axis=1),
        filled=(np.isfinite(whole) & np.isnan(right)).sum(axis=1),
    )


def possible(values: Hours, signal: Signal) -> Hours:
    """NaN in the place of what can't be: beyond HIGHEST, and of average intensity below 0. Marginal may be below."""
    lowest = 0.0 if signal is Signal.AVERAGE else -HIGHEST
    return np.where((values >= lowest) & (values <= HIGHEST), values, np.nan)


def _clipped(values: Hours) -> Hours:
    """Each hour's departure from the median of its hour of day, cut at the fence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, where nothing is known
        by_hour = np.nanmedian(values.reshape(len(values), -1, DAY_H), axis=1)
        typical = np.tile(by_hour, (1, values.shape[1] // DAY_H))
        low, high = np.nanquantile(values - typical, (0.05, 0.95), axis=1)[..., None]
        least = LEAST_FENCE * np.abs(np.nanmedian(values, axis=1))[:, None]
    margin = np.maximum(FENCE * (high - low), least)
    return np.clip(values, typical + low - margin, typical + high + margin)


def _filled(row: Hours) -> Hours:
    """Small gaps by a straight line between their neighbours."""
    known = np.flatnonzero(np.isfinite(row))
    unknown = np.flatnonzero(np.isnan(row))
    if not len(known):
        return row
    after = np.searchsorted(known, unknown)
    inner = unknown[(after > 0) & (after < len(known))]
    after = np.searchsorted(known, inner)
    small = inner[known[after] - known[after - 1] - 1 <= LONGEST_FILLED_H]
    whole = row.copy()
    whole[small] = np.interp(small, known, row[known])
    return whole
