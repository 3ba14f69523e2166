"""Each method on series whose continuation is known, and none of them sees the future."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.collectors.forecast.cleaning import cleaned
from caribou.collectors.forecast.forecasting import forecast_body
from caribou.collectors.forecast.methods import METHODS
from caribou.collectors.forecast.window import past_row, profile_row
from caribou.collectors.profile import MonthlyProfile, next_hour
from caribou.collectors.series import HOUR, HourlySeries, HourValue, Signal

CYCLE = 300 + 100 * np.cos(np.arange(24) * np.pi / 12)
PAST = np.tile(CYCLE, 28)[None]
PROFILE = np.tile(CYCLE / 2 + 10, 35)[None]
COMING = np.tile(CYCLE, 7)
FLAT = MonthlyProfile(((200.0,) * 24,) * 12)
NOW = st.integers(0, 365 * 24 * 60).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))
POISON = st.sampled_from([0.0, -1e9, 1e9, float("nan"), float("inf"), None])


@pytest.mark.parametrize("name", ["same hour yesterday", "last seven days' mean", "Holt-Winters", "recent days"])
def test_method_when_each_day_is_the_same_then_so_are_those_to_come(name):
    """All that know of hours of day."""
    assert METHODS[name](PAST, PROFILE)[0] == pytest.approx(COMING, abs=0.5)


def test_persistence_when_asked_then_it_is_the_newest_hour():
    """The last one that is known."""
    past = PAST.copy()
    past[0, -3:] = np.nan
    assert set(METHODS["persistence"](past, PROFILE)[0]) == {CYCLE[20]}


def test_profile_when_asked_then_it_is_that_of_the_coming_hours():
    """As it is, or at the level of the last week that is known."""
    assert METHODS["packaged profile"](PAST, PROFILE)[0] == pytest.approx(COMING / 2 + 10)
    scaled = METHODS["profile at last week's level"](PAST, PROFILE)[0]
    assert scaled.mean() == pytest.approx(300)


def test_recent_days_when_a_day_is_five_days_older_then_it_counts_half():
    """The weights are those of the page."""
    days = np.arange(28.0)
    past = np.repeat(days, 24)[None]
    weights = 0.5 ** ((27 - days) / 5)
    level = (weights * days).sum() / weights.sum()
    week = METHODS["recent days"](past, PROFILE)[0]
    assert week == pytest.approx(level + (27 - level) * np.exp(-np.arange(1, 169) / 48))


@pytest.mark.parametrize("name", METHODS)
def test_method_when_it_is_given_many_series_then_each_is_as_if_it_were_alone(name):
    """Rows do not mix, and one of which nothing is known leaves the others alone."""
    chance = np.random.default_rng(7)
    past = PAST * chance.uniform(0.5, 1.5, (5, 672))
    past[3] = np.nan
    together = METHODS[name](past, np.repeat(PROFILE, 5, axis=0))
    for i in (0, 1, 2, 4):
        assert together[i] == pytest.approx(METHODS[name](past[i : i + 1], PROFILE)[0])
        assert np.isfinite(together[i]).all()


def history_of(seed, now):
    """Hours with gaps, until five days after `now`."""
    chance = np.random.default_rng(seed)
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=30)
    hours = [HourValue(first + i * HOUR, float(g)) for i, g in enumerate(chance.uniform(50, 500, 35 * 24))]
    return [hour for hour, drawn in zip(hours, chance.random(len(hours)), strict=True) if drawn > 0.1]


def poisoned(hours, now, value):
    """The same, but with another value, or with none, for each that had not ended by `now`."""
    kept = [hour for hour in hours if hour.at + HOUR <= now or value is not None]
    return [hour if hour.at + HOUR <= now else replace(hour, g_per_kwh=value, estimated=True) for hour in kept]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), now=NOW, poison=POISON)
def test_forecast_when_the_future_is_poisoned_then_it_is_the_same_byte_for_byte(seed, now, poison):
    """By every method, and with all that a fact says."""
    hours = history_of(seed, now)
    histories = [HourlySeries.of(Signal.AVERAGE, values) for values in (hours, poisoned(hours, now, poison))]
    one, other = (repr(forecast_body(history, None, FLAT, now)) for history in histories)
    assert one == other
    rows = [cleaned(past_row(history, now), Signal.AVERAGE).values for history in histories]
    assert rows[0].tobytes() == rows[1].tobytes()
    for method in METHODS.values():
        one, other = (method(row, profile_row(FLAT, next_hour(now))) for row in rows)
        assert one.tobytes() == other.tobytes()
