"""Holt-Winters' exponential smoothing: a level, a damped trend and a daily season, all additive.

Notation, of hours t = 1 … T with m = 24, in the form of error correction that statsmodels' and the textbooks' comes to
(https://otexts.com/fpp3/holt-winters.html, https://www.statsmodels.org/stable/tsa.html#exponential-smoothing):

    e(t) = y(t) - l(t-1) - phi b(t-1) - s(t-m)
    l(t) = l(t-1) + phi b(t-1) + alpha e(t)
    b(t) = phi b(t-1) + alpha beta e(t)
    s(t) = s(t-m) + gamma e(t),                                gamma <= 1 - alpha
    y(T+h) = l(T) + (phi + … + phi^h) b(T) + s(T + h - km),    k such that it is of the last day

An hour that nobody published has e(t) = 0. Level and season begin as means of the first week, the trend as 0. The
parameters are those of a grid with the least sum e(t)² over the window after its first week; then those of a finer grid
around them, twice.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import product

import numpy as np

from caribou.collectors.forecast.window import DAY_H, Hours

FIRST_H = 7 * DAY_H
"""What the state begins with, and whose errors do not count."""
_BEGIN = ((0.02, 0.1, 0.3, 0.6, 0.9), (0.01, 0.1, 0.3), (0.02, 0.1, 0.3), (0.8, 0.98))
"""Where the search begins: alpha, beta, gamma / (1 - alpha), phi, each of which may be anything from 0 to 1."""
_STEPS = (0.8, 0.3)
"""How far the finer grids go to either side, in logits."""
_ROWS = 64
"""So many series at a time: their states stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """alpha, beta, gamma and phi, each n x p: p candidates for each of n series."""

    alpha: Hours
    beta: Hours
    gamma: Hours
    phi: Hours


@dataclass(frozen=True, slots=True)
class State:
    """Level and trend at some hour, n x p, the season from there on, n x p x 24, and sum e² until then, n x p."""

    level: Hours
    trend: Hours
    season: Hours
    squares: Hours


def holt_winters(past: Hours, hours: int) -> Hours:
    """The coming hours, n x hours, after n series of whole days; NaN in `past` is not known.

    A series whose first week lacks an hour of day altogether is NaN.
    """
    return np.concatenate([_of_some(past[i : i + _ROWS], hours) for i in range(0, len(past), _ROWS)])


def begun(past: Hours) -> State:
    """The state before the first hour, of one candidate: the means of the first week."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, for a mean of nothing
        by_hour = np.nanmean(past[:, :FIRST_H].reshape(len(past), -1, DAY_H), axis=1)
    level = by_hour.mean(axis=1)[:, None]
    nothing = np.zeros_like(level)
    return State(level, nothing, (by_hour - level)[:, None, :], nothing)


def smoothed(past: Hours, by: Parameters, state: State) -> State:
    """The state after n x whole days, for each candidate."""
    shape = by.alpha.shape
    level, trend, squares = (np.broadcast_to(part, shape) for part in (state.level, state.trend, state.squares))
    season = np.moveaxis(np.broadcast_to(state.season, (*shape, DAY_H)), 2, 0).copy()
    for t in range(past.shape[1]):
        carried = by.phi * trend
        expected = level + carried
        error = np.nan_to_num(past[:, t, None] - expected - season[t % DAY_H])
        level = expected + by.alpha * error
        trend = carried + by.alpha * by.beta * error
        season[t % DAY_H] += by.gamma * error
        if t >= FIRST_H:
            squares = squares + error**2
    return State(level, trend, np.moveaxis(season, 0, 2), squares)


def ahead(state: State, by: Parameters, hours: int) -> Hours:
    """The coming hours, n x p x hours."""
    damping = np.cumsum(by.phi[..., None] ** np.arange(1, hours + 1), axis=-1)
    return state.level[..., None] + damping * state.trend[..., None] + state.season[..., np.arange(hours) % DAY_H]


def fitted(past: Hours, before: State) -> Parameters:
    """The parameters of each series that leave the least squares, n x 1."""
    best = _best(past, np.repeat(_logit(np.array(list(product(*_BEGIN))))[None], len(past), axis=0), before)
    around = np.array(list(product((-1.0, 0.0, 1.0), repeat=len(_BEGIN))))
    for step in _STEPS:
        best = _best(past, best + step * around, before)
    return _parameters(best)


def _of_some(past: Hours, hours: int) -> Hours:
    before = begun(past)
    by = fitted(past, before)
    return ahead(smoothed(past, by, before), by, hours)[:, 0]


def _best(past: Hours, logits: Hours, before: State) -> Hours:
    """Of n x p x 4 candidates the one of each series with the least squares, n x 1 x 4."""
    squares = smoothed(past, _parameters(logits), before).squares
    return np.take_along_axis(logits, squares.argmin(axis=1)[:, None, None], axis=1)


def _parameters(logits: Hours) -> Parameters:
    alpha, beta, share, phi = np.moveaxis(1 / (1 + np.exp(-logits)), 2, 0)
    return Parameters(alpha, beta, share * (1 - alpha), phi)


def _logit(share: Hours) -> Hours:
    return np.log(share / (1 - share))
