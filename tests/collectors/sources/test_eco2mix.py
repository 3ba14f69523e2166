"""éCO2mix: two datasets, quarter and half hours, local time."""

from datetime import UTC, datetime, timedelta

import pytest
from grid_services import Odre
from loopback import Answer, serving

from caribou.collectors.sources.eco2mix import Eco2mixFeed
from caribou.collectors.sources.http import Reason, SourceError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START, END = datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)


def history(service, start=START, end=END, zones=None):
    """Hours and the requests."""
    with serving(service) as there:
        return Eco2mixFeed(there.url, zones or {}).history("eu-west-3", start, end).hours, there.requests


def test_hours_when_there_are_real_time_data_then_one_call_gives_them_all():
    """An export has no limit of rows."""
    hours, requests = history(Odre(), END - 28 * DAY)
    assert len(requests) == 1
    assert [value.at for value in hours] == [END - 28 * DAY + i * HOUR for i in range(28 * 24)]
    assert all(value.g_per_kwh == 20 + value.at.hour for value in hours)


def test_hours_when_they_are_older_then_they_are_the_consolidated_ones_by_half_hours():
    """Of these a quarter hour has but demand: null, and no zero."""
    hours, requests = history(Odre(real_time_from=START + 10 * HOUR))
    assert [request.path.split("/")[-3] for request in requests] == [
        "eco2mix-national-tr",
        "eco2mix-national-cons-def",
    ]
    assert [value.g_per_kwh for value in hours] == [20 + hour for hour in range(24)]


@pytest.mark.parametrize(
    ("start", "n"), [(datetime(2026, 3, 28, 23, tzinfo=UTC), 23), (datetime(2026, 10, 24, 22, tzinfo=UTC), 25)]
)
def test_hours_when_a_local_day_has_one_less_or_more_then_none_is_twice_or_missing(start, n):
    """Times are read with their offset. On 25 October 02:00 comes twice by the clock in Paris."""
    hours, _ = history(Odre(zone=2 * HOUR, taux=lambda at: float((at - start) // HOUR + 1)), start, start + n * HOUR)
    assert [(value.at, value.g_per_kwh) for value in hours] == [(start + i * HOUR, i + 1.0) for i in range(n)]


def test_hours_when_they_are_to_come_then_they_are_absent():
    """Rows of the whole day are there, with nulls."""
    hours, _ = history(Odre(taux=lambda at: None if at >= END - 90 * timedelta(minutes=1) else 20.0))
    assert hours[-1].at == END - 3 * HOUR


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+02:00", "9999-12-31T23:00:00-02:00", "2026-03-03T00:00:00"])
def test_row_when_its_time_is_none_then_the_error_says_so(time):
    """Far off, or without an offset: nobody knows which of two hours it is."""
    rows = Answer.json([{"date_heure": time, "taux_co2": 20}])
    with pytest.raises(SourceError, match=r"0\.date_heure") as caught:
        history(lambda _: rows)
    assert caught.value.reason is Reason.SCHEMA


def test_zone_when_a_project_names_another_then_it_is_refused():
    """Its figure of France is not one of Lyon."""
    feed = Eco2mixFeed("http://127.0.0.1:9")
    assert (feed.zone_of("eu-west-3"), feed.zone_of("eu-west-1"), feed.notes("eu-west-3")) == ("FR", None, {})
    assert feed.forecast("eu-west-3", END) is None
    with pytest.raises(SourceError, match="zone '84': it has FR alone"):
        history(Odre(), zones={"eu-west-3": "84"})
