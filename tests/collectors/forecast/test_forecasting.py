"""Forecasts of the coming week: what they are made of, what stands in, what is said."""

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caribou.collectors.bodies import CarbonBody
from caribou.collectors.forecast.forecasting import forecast_body
from caribou.collectors.profile import MonthlyProfile
from caribou.collectors.series import HOUR, HourlySeries, HourValue, Signal
from caribou.model.errors import OperationFailedError

NOW = datetime(2026, 11, 10, 9, 20, tzinfo=UTC)
START = datetime(2026, 11, 10, 10, tzinfo=UTC)
NEWEST = datetime(2026, 11, 10, 8, tzinfo=UTC)
"""The last hour that has ended at NOW."""
CYCLE = tuple(300.0 + 100 * math.cos(math.tau * (hour - 18) / 24) for hour in range(24))
PROFILE = MonthlyProfile(months=tuple(tuple(50.0 + hour for hour in range(24)) for _ in range(12)))
WEEK = timedelta(days=7)


def series(start, hours, value, signal=Signal.AVERAGE):
    """Hours from `start` on: what `value` makes of each, None for a gap."""
    at = [start + i * HOUR for i in range(hours)]
    return HourlySeries.of(signal, [HourValue(hour, value(hour)) for hour in at if value(hour) is not None])


def cyclic(hours=671, value=lambda at: CYCLE[at.astimezone(UTC).hour], **kwargs):
    """A history of so many hours until NEWEST, the same each day; 28 days but for the hour that goes on."""
    return series(NEWEST - (hours - 1) * HOUR, hours, value, **kwargs)


def but(values):
    """The cycle, with other values at some hours before NEWEST: hours ago to value."""
    return lambda at: values.get((NEWEST - at) // HOUR, CYCLE[at.hour])


def test_forecast_when_each_day_is_the_same_then_so_are_those_to_come():
    """From the next full hour on, and by hour of day from 0."""
    forecast = forecast_body(cyclic(), None, None, NOW)
    assert forecast.start == START
    assert forecast.next_day == pytest.approx([CYCLE[(10 + i) % 24] for i in range(24)], abs=0.001)
    assert forecast.hourly == pytest.approx(CYCLE, abs=0.001)
    assert forecast.average == pytest.approx(300, abs=0.001)
    assert dict(forecast.notes) == {"history": "2026-10-13T10:00Z to 2026-11-10T08:00Z", "estimated_share": 0.0}


def test_forecast_when_it_is_made_then_a_fact_takes_it():
    """What it says goes into the provenance as it is."""
    made = forecast_body(cyclic(), None, PROFILE, NOW)
    body = CarbonBody(made.average, made.hourly, provenance={"basis": made.method, **made.notes})
    assert CarbonBody.from_json(body.to_json()) == body


def test_forecast_when_the_newest_hour_departs_then_that_fades_within_days():
    """By a third in a day, by nine tenths in five."""
    forecast = forecast_body(cyclic(value=but(dict.fromkeys(range(6), 390.0))), None, None, NOW)
    departures = [value - CYCLE[(10 + i) % 24] for i, value in enumerate(forecast.next_day)]
    assert departures[0] > departures[-1] > 0.4 * departures[0]
    assert forecast.average < 320


def test_forecast_when_its_publisher_has_one_then_that_is_taken_as_far_as_it_goes():
    """It is said from which hour on ours stands in, which goes on from there as from the newest hour."""
    published = series(START - 2 * HOUR, 32, lambda at: CYCLE[at.hour] + 60)
    forecast = forecast_body(cyclic(), published, PROFILE, NOW)
    assert forecast.next_day == pytest.approx([CYCLE[(10 + i) % 24] + 60 for i in range(24)], abs=0.001)
    assert forecast.notes["stands_in"] == "from 2026-11-11T16:00Z on, after 30 of 168 hours"
    assert forecast.method.startswith("its publisher's forecast; where that has none: means by hour of day")
    departures = [value - CYCLE[hour] for hour, value in enumerate(forecast.hourly)]
    assert departures[15] > departures[16]  # of which the publisher has two of the seven days, and one
    weeks = [sum(60 * math.exp(-(24 * day + 1) / 48) for day in range(6)), 6 * 60]
    assert 60 + weeks[0] * 0.8 < 7 * departures[16] < 60 + weeks[1] / 2


def test_forecast_when_its_publisher_left_hours_out_then_ours_stands_in_for_those_too():
    """Also for what can't be: below 0, or no number."""
    wrong = {2: None, 3: -1.0, 4: math.nan, 5: math.inf}
    published = series(START, 168, lambda at: wrong.get((at - START) // HOUR, 77.0))
    forecast = forecast_body(cyclic(), published, None, NOW)
    assert set(forecast.next_day[:2] + forecast.next_day[6:]) == {77.0}
    assert forecast.next_day[2:6] == pytest.approx([CYCLE[12 + i] for i in range(4)], abs=0.001)
    assert forecast.notes["stands_in"] == "4 of 168 hours until then"


def test_forecast_when_its_publisher_has_the_whole_week_then_nothing_stands_in():
    """No history is needed then, and nothing is said of one."""
    forecast = forecast_body(HourlySeries(Signal.AVERAGE, ()), series(START, 200, lambda _: 77.0), None, NOW)
    assert set(forecast.hourly) == {77.0}
    assert forecast.method == "its publisher's forecast"
    assert dict(forecast.notes) == {}


def test_forecast_when_its_publisher_has_no_history_then_two_days_of_its_forecast_do_for_one():
    """They say more than a year's profile."""
    published = series(START, 48, lambda at: CYCLE[at.hour])
    forecast = forecast_body(HourlySeries(Signal.AVERAGE, ()), published, PROFILE, NOW)
    assert forecast.hourly == pytest.approx(CYCLE, abs=0.001)
    assert dict(forecast.notes) == {
        "stands_in": "from 2026-11-12T10:00Z on, after 48 of 168 hours",
        "history": "none",
    }


def test_forecast_when_hours_are_missing_then_small_gaps_are_filled_and_long_ones_left_out():
    """Both are said."""
    gaps = dict.fromkeys([*range(50, 56), *range(100, 107)])
    forecast = forecast_body(cyclic(value=but(gaps)), None, None, NOW)
    assert forecast.hourly == pytest.approx(CYCLE, rel=0.05)
    assert forecast.notes["interpolated"] == "6 of 671 hours, not known, in gaps of at most 6 hours: interpolated"
    assert forecast.notes["left_out"] == "7 of 671 hours, not known, in longer gaps: left out"


def test_forecast_when_hours_can_not_be_then_they_are_cut_or_taken_as_not_known():
    """A unit mixed up for an hour, a minus sign, no number."""
    wild = {30: 300_000.0, 40: 2000.0, 60: 0.3, 90: -5.0, 91: math.nan, 92: math.inf}
    forecast = forecast_body(cyclic(value=but(wild)), None, None, NOW)
    assert forecast.hourly == pytest.approx(CYCLE, rel=0.05)
    assert forecast.notes["refused"] == "3 of 671 hours, below 0 or above 2500 g/kWh: taken as not known"
    assert forecast.notes["outliers"] == "2 of 671 hours, too far from others of their hour of day: cut"
    assert forecast.notes["interpolated"].startswith("4 of 671 hours")


def test_forecast_when_intensity_is_marginal_then_it_may_be_below_0():
    """The plant that answers may be one that is paid to stop."""
    forecast = forecast_body(cyclic(value=lambda _: -20.0, signal=Signal.MARGINAL), None, None, NOW)
    assert set(forecast.hourly) == {-20.0}


def test_forecast_when_average_intensity_would_fall_below_0_then_it_is_0_and_said():
    """The newest hour may depart by more than other hours of day have."""
    solar = cyclic(value=lambda at: 100.0 if at == NEWEST else 2.0 if 9 <= at.hour < 15 else 300.0)
    forecast = forecast_body(solar, None, None, NOW)
    assert min(forecast.next_day) == 0
    assert "taken as 0" in forecast.notes["below_zero"]


@pytest.mark.parametrize("mixed", ["forecast", "profile"])
def test_forecast_when_signals_are_mixed_then_it_is_refused(mixed):
    """Average and marginal intensity are two things."""
    history = cyclic(signal=Signal.MARGINAL)
    published = cyclic() if mixed == "forecast" else None
    with pytest.raises(ValueError, match=f"marginal intensity, and a {mixed} of average"):
        forecast_body(history, published, PROFILE if mixed == "profile" else None, NOW)


@pytest.mark.parametrize(
    ("hours", "level", "method"),
    [(0, 50, "day"), (23, 50, "day"), (24, 250, "known"), (47, 250, "known")],
    ids=["none", "under a day", "a day", "under two days"],
)
def test_forecast_when_the_history_is_too_short_then_the_profile_stands_in(hours, level, method):
    """At the level of what is known, if that is a day; and it is said."""
    history = series(NEWEST - (hours - 1) * HOUR, hours, lambda at: 250.0 + 5 * at.hour)
    forecast = forecast_body(history, None, PROFILE, NOW)
    assert forecast.hourly[0] == pytest.approx(level, rel=0.01)
    assert forecast.method.startswith("packaged profile by month and hour of day")
    assert forecast.method.endswith(method)
    assert forecast.notes["too_short"] == f"{hours} of the 168 hours before are known, 48 and all hours of day needed"


def test_forecast_when_the_history_ended_long_ago_then_its_level_is_still_nearer_than_a_years():
    """A publisher that was silent for two weeks."""
    old = series(NEWEST - 25 * 24 * HOUR, 240, lambda at: 250.0 + 5 * at.hour)
    forecast = forecast_body(old, None, PROFILE, NOW)
    assert forecast.hourly == pytest.approx([250 + 5 * hour for hour in range(24)], abs=0.01)
    assert forecast.notes["history"] == "2026-10-16T08:00Z to 2026-10-26T07:00Z"


def test_forecast_when_the_newest_hours_are_not_published_yet_then_the_departure_fades_from_the_last_one():
    """Some grids publish a day late."""
    late = cyclic(value=but({i: None if i < 24 else CYCLE[(8 - i) % 24] + 40 for i in range(30)}))
    forecast = forecast_body(late, None, None, NOW)
    assert 0 < forecast.next_day[0] - CYCLE[10] < 40 * math.exp(-25 / 48) + 3


def test_forecast_when_a_short_history_has_no_profile_beside_it_then_it_is_what_there_is():
    """A zone that is not packaged."""
    forecast = forecast_body(cyclic(30), None, None, NOW)
    assert forecast.hourly == pytest.approx(CYCLE, abs=0.001)
    assert forecast.notes["too_short"].startswith("30 of the 168 hours before are known")


@settings(max_examples=50, deadline=None)
@given(
    values=st.dictionaries(st.integers(0, 700), st.floats() | st.floats(0, 1000), max_size=60),
    signal=st.sampled_from(Signal),
)
def test_forecast_when_hours_are_anything_then_it_is_an_intensity(values, signal):
    """Whatever floats a publisher sends, and however few."""
    history = HourlySeries.of(signal, [HourValue(NEWEST - ago * HOUR, value) for ago, value in values.items()])
    published = series(START, 100, lambda at: values.get((at - START) // HOUR), signal)
    try:
        forecast = forecast_body(history, published, PROFILE if signal is Signal.AVERAGE else None, NOW)
    except OperationFailedError:
        assert signal is Signal.MARGINAL
    else:
        assert all(abs(value) <= 5_000 for value in (*forecast.next_day, *forecast.hourly))
        assert signal is Signal.MARGINAL or min(*forecast.next_day, *forecast.hourly) >= 0


def test_forecast_when_there_is_nothing_to_make_it_of_then_it_is_one_clear_error():
    """Of some hours of day nothing is known, and no profile is there."""
    with pytest.raises(OperationFailedError, match="the history has 20, not one of each hour of day; of the 168"):
        forecast_body(cyclic(20), None, None, NOW)


def test_forecast_when_hours_were_estimated_then_their_share_is_said():
    """Whoever solves by them should know."""
    half = [HourValue(value.at, value.g_per_kwh, estimated=value.at.hour < 12) for value in cyclic().hours]
    forecast = forecast_body(HourlySeries.of(Signal.AVERAGE, half), None, None, NOW)
    assert forecast.notes["estimated_share"] == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("now", [datetime(2026, 3, 31, 9, tzinfo=UTC), datetime(2026, 10, 27, 9, tzinfo=UTC)])
def test_forecast_when_hours_come_in_a_local_time_then_days_of_23_and_25_hours_are_none(now):
    """Of the hours that a clock shows twice none is lost, and after a change none is moved."""
    berlin = ZoneInfo("Europe/Berlin")
    hours = [now - i * HOUR for i in range(1, 673)]
    values = [HourValue(at.astimezone(berlin), CYCLE[at.hour]) for at in hours]
    history = HourlySeries.of(Signal.AVERAGE, values)
    assert [value.at for value in history.hours] == sorted(hours)
    forecast = forecast_body(history, None, None, now.astimezone(berlin))
    assert forecast.hourly == pytest.approx(CYCLE, abs=0.001)
    assert set(forecast.notes) == {"history", "estimated_share"}
