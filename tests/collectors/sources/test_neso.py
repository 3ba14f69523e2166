"""NESO's Carbon Intensity: half hours, 14 days a call, actual and forecast."""

from datetime import UTC, datetime, timedelta

import pytest
from grid_services import Neso
from loopback import serving

from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.neso import NesoFeed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START, END = datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)


def history(service, start=START, zones=None):
    """Hours and the requests."""
    with serving(service) as there:
        return NesoFeed(there.url, zones or {}).history("eu-west-2", start, END).hours, there.requests


def test_hours_when_the_span_is_long_then_each_is_there_once():
    """Four weeks in two calls, each of which has the half hour before its first as well."""
    hours, requests = history(Neso(), END - 28 * DAY)
    assert len(requests) == 2
    assert [value.at for value in hours] == [END - 28 * DAY + i * HOUR for i in range(28 * 24)]
    assert all(value.g_per_kwh == 100 + value.at.hour and not value.estimated for value in hours)


def test_hours_when_what_was_is_not_known_then_they_are_what_was_forecast_and_say_so():
    """Nulls are no zeros. An hour of which half is forecast is an estimate too."""
    gap = START + 5 * HOUR + timedelta(minutes=30)
    hours, _ = history(Neso(now=END - 2 * HOUR, actual=lambda at: None if at == gap else 100.0))
    assert [value.at.hour for value in hours if value.estimated] == [5, 22, 23]
    assert (hours[5].g_per_kwh, hours[23].g_per_kwh, hours[6].g_per_kwh) == ((100 + 205) / 2, 223, 100)


def test_hours_when_a_project_wants_london_then_they_are_its_regions_and_estimates():
    """Regions have no actual values."""
    hours, requests = history(Neso(), zones={"eu-west-2": "13"})
    assert requests[0].path == "/regional/intensity/2026-03-03T00:00Z/2026-03-04T00:00Z/regionid/13"
    assert len(hours) == 24
    assert all(value.estimated for value in hours)
    with pytest.raises(SourceError, match="zone 'London': it has GB and regions 1 to 17") as caught:
        history(Neso(), zones={"eu-west-2": "London"})
    assert caught.value.reason is Reason.NOT_FOUND


def test_forecast_when_asked_for_then_it_is_of_the_next_48_hours():
    """From the hour that runs now."""
    with serving(Neso(now=START)) as there:
        series = NesoFeed(there.url).forecast("eu-west-2", START + timedelta(minutes=50))
    assert [value.at for value in series.hours] == [START + i * HOUR for i in range(48)]
    assert all(value.estimated for value in series.hours)


def test_zones_when_nobody_says_otherwise_then_it_is_great_britain_for_london():
    """And nothing else."""
    feed = NesoFeed("http://127.0.0.1:9")
    assert (feed.zone_of("eu-west-2"), feed.zone_of("eu-west-1"), feed.notes("eu-west-2")) == ("GB", None, {})
