"""A typical year by month and hour of day, and the coming days in it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caribou.collectors.profile import MonthlyProfile, coming_hours, next_hour

PROFILE = MonthlyProfile(tuple(tuple(100.0 * month + hour for hour in range(24)) for month in range(1, 13)))


@pytest.mark.parametrize(
    ("now", "hour"),
    [
        (datetime(2026, 3, 1, 7, tzinfo=UTC), datetime(2026, 3, 1, 7, tzinfo=UTC)),
        (datetime(2026, 3, 1, 7, 0, 0, 1, tzinfo=UTC), datetime(2026, 3, 1, 8, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2026, 3, 29, 3, 30, tzinfo=ZoneInfo("Europe/Berlin")), datetime(2026, 3, 29, 2, tzinfo=UTC)),
        (datetime(2026, 6, 1, 12, 30, tzinfo=ZoneInfo("Asia/Kolkata")), datetime(2026, 6, 1, 7, tzinfo=UTC)),
    ],
)
def test_next_hour_when_asked_at_any_time_then_it_is_the_first_that_has_not_begun_before(now, hour):
    """In UTC, whatever the clock: India's hours begin at its half hours."""
    assert next_hour(now) == hour
    assert next_hour(now).tzinfo is UTC


def test_profile_when_an_hour_comes_in_a_local_time_then_its_month_and_hour_are_those_of_utc():
    """It is July in Tokyo nine hours before it is in London."""
    assert PROFILE.at(datetime(2026, 7, 1, 8, tzinfo=ZoneInfo("Asia/Tokyo"))) == 623.0


@given(
    st.integers(0, 3 * 365 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(0, 60 * minutes))
)
def test_coming_days_when_it_is_any_time_then_each_hour_of_day_is_the_mean_of_its_own_seven(now):
    """Of both months, where one ends within them."""
    assert len(coming_hours(now)) == 168
    for hour, mean in enumerate(PROFILE.coming_days(now)):
        own = [at for at in coming_hours(now) if at.hour == hour]
        assert len(own) == 7
        assert mean == pytest.approx(sum(100.0 * at.month + hour for at in own) / 7)
        assert timedelta(0) <= own[0] - now < timedelta(days=1)
