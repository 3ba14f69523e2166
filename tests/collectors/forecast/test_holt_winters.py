"""Holt-Winters against statsmodels, and what it does with gaps."""

import math

import numpy as np
import pytest

from caribou.collectors.forecast.holt_winters import Parameters, ahead, begun, fitted, holt_winters, smoothed

SERIES = np.array(
    [300 + 80 * math.cos(math.tau * (t - 18) / 24) + 30 * math.sin(t / 25) + (7919 * t) % 101 / 5 for t in range(336)]
)
"""A daily cycle on a slow wave, with noise that is the same everywhere.

What statsmodels 0.14.6 says of it was recorded by `uv run --with statsmodels==0.14.6 python`, and:

    days = SERIES[:168].reshape(7, 24).mean(axis=0)
    begun = {"initial_level": days.mean(), "initial_trend": 0.0, "initial_seasonal": days - days.mean()}
    kind = {"trend": "add", "damped_trend": True, "seasonal": "add", "seasonal_periods": 24}
    model = ETSModel(SERIES, error="add", **kind, initialization_method="known", **begun)
    said = model.smooth([0.3, 0.3 * 0.1, 0.2, 0.95])  # its trend's parameter is alpha beta
    said.forecast(48), (said.resid[168:] ** 2).sum()
    best = ExponentialSmoothing(SERIES, **kind, initialization_method="known", **begun).fit()
    (best.resid[168:] ** 2).sum()

ETSModel, since ExponentialSmoothing's forecast takes for every 24th hour the season before its last update.
"""
SAID = {1: 338.155472, 2: 313.977506, 12: 320.916218, 24: 369.508796, 25: 350.280815, 48: 373.235603}
SQUARES, LEAST_SQUARES = 9856.5184, 7635.6643


def by(alpha, beta, gamma, phi):
    """Parameters of one candidate of one series."""
    return Parameters(*(np.array([[value]]) for value in (alpha, beta, gamma, phi)))


def test_holt_winters_when_parameters_are_given_then_it_says_what_statsmodels_says():
    """The forecast and the sum of squares after the first week."""
    parameters = by(0.3, 0.1, 0.2, 0.95)
    state = smoothed(SERIES[None], parameters, begun(SERIES[None]))
    week = ahead(state, parameters, 48)[0, 0]
    assert {hour: week[hour - 1] for hour in SAID} == pytest.approx(SAID, abs=1e-6)
    assert state.squares.item() == pytest.approx(SQUARES, abs=1e-4)


def test_holt_winters_when_it_is_fitted_then_few_squares_are_left_of_what_statsmodels_leaves():
    """Its search goes on to the bottom of a valley, ours over three grids."""
    before = begun(SERIES[None])
    squares = smoothed(SERIES[None], fitted(SERIES[None], before), before).squares.item()
    assert squares < 1.01 * LEAST_SQUARES


def test_holt_winters_when_there_are_many_series_then_each_is_as_if_it_were_alone():
    """Rows are fitted in groups; none sees another."""
    many = np.stack([SERIES * (1 + i / 50) for i in range(70)])
    week = holt_winters(many, 24)
    assert week[66].tolist() == pytest.approx(holt_winters(many[66:67], 24)[0].tolist())


def test_holt_winters_when_hours_are_not_known_then_the_state_is_carried_over_them():
    """A gap is no error of 0 intensity."""
    gap = SERIES.copy()
    gap[200:260] = np.nan
    assert np.abs(holt_winters(gap[None], 24) - holt_winters(SERIES[None], 24)).max() < 20
