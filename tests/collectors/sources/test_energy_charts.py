"""Energy-Charts: quarter hours of one country, hours of another, and nulls at the end."""

from datetime import UTC, datetime, timedelta

import pytest
from grid_services import EnergyCharts
from loopback import Answer, serving

from caribou.collectors.sources import energy_charts
from caribou.collectors.sources.energy_charts import EnergyChartsFeed
from caribou.collectors.sources.http import Reason, SourceError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START, END = datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_pace(monkeypatch):
    """Nobody waits between two requests."""
    monkeypatch.setattr(energy_charts, "_PAUSE_S", 0.0)


def history(service, region, zones=None):
    """Hours, notes, and the requests."""
    with serving(service) as there:
        feed = EnergyChartsFeed(there.url, zones or {})
        return feed.history(region, START, END).hours, feed.notes(region), there.requests


@pytest.mark.parametrize(("region", "mean"), [("eu-central-1", 322.5), ("eu-north-1", 300.0)])
def test_hours_when_a_country_has_quarters_or_hours_then_they_are_its_means(region, mean):
    """Germany has four values an hour, Sweden one; the last time of an answer is the end's and not asked for."""
    hours, _, _ = history(EnergyCharts(), region)
    assert [value.at for value in hours] == [START + i * HOUR for i in range(24)]
    assert {value.g_per_kwh for value in hours} == {mean}


def test_hours_when_they_are_not_known_yet_then_they_are_the_forecasts_and_say_so():
    """Null is no zero: the newest three hours would be the cleanest of the year."""
    hours, _, _ = history(EnergyCharts(now=END - 3 * HOUR + timedelta(minutes=30)), "eu-central-1")
    assert [(value.g_per_kwh, value.estimated) for value in hours[-4:]] == [
        (322.5, False),
        ((300 + 315 + 400 + 400) / 4, True),
        (400.0, True),
        (400.0, True),
    ]


def test_hours_when_a_quarter_is_missing_then_that_hour_is_left_out():
    """Neither measured nor forecast."""
    gap = START + 7 * HOUR + timedelta(minutes=15)
    hours, _, _ = history(EnergyCharts(measured=lambda at: None if at == gap else 300.0), "eu-central-1")
    assert [value.at.hour for value in hours] == [hour for hour in range(24) if hour != 7]


def test_forecast_when_asked_for_then_it_begins_with_the_hour_that_runs():
    """Two days at most."""
    with serving(EnergyCharts(now=START)) as there:
        series = EnergyChartsFeed(there.url).forecast("eu-west-1", START + timedelta(minutes=20))
    assert [value.at for value in series.hours] == [START + i * HOUR for i in range(48)]


def test_forecast_when_hours_up_to_now_were_asked_for_then_it_is_in_that_answer():
    """One call a country and collection: its limits are strict."""
    with serving(EnergyCharts(now=END)) as there:
        feed = EnergyChartsFeed(there.url)
        past = feed.history("eu-west-1", START, END)
        coming = feed.forecast("eu-west-1", END + timedelta(minutes=20))
        assert len(there.requests) == 1
        assert feed.forecast("eu-west-1", END + HOUR).hours[0].at == END + HOUR
        assert len(there.requests) == 2
    assert past.hours[-1].at == END - HOUR
    assert [value.at for value in coming.hours] == [END + i * HOUR for i in range(48)]


def test_notes_when_the_service_is_going_to_end_then_they_say_so():
    """Six months before, by a flag in the answer."""
    assert history(EnergyCharts(), "eu-west-3")[1] == {}
    assert history(EnergyCharts(deprecated=True), "eu-west-3")[1] == {
        "deprecated": "its publisher is going to end this service"
    }


def test_country_when_a_project_names_another_then_that_one_is_asked():
    """By `caribou:source_zones`, for regions of its own too."""
    _, _, requests = history(EnergyCharts(), "eu-west-2", {"eu-west-2": "nl"})
    assert requests[0].query == {"country": "nl", "start": "2026-03-03T00:00Z", "end": "2026-03-06T00:00Z"}
    assert EnergyChartsFeed("http://127.0.0.1:9").zone_of("eu-west-2") is None


def test_answer_when_it_has_more_times_than_values_then_it_is_refused():
    """Which value is whose, nobody knows."""
    answer = Answer.json({"unix_seconds": [1772496000, 1772496900], "co2eq": [1.0], "co2eq_forecast": [None, None]})
    with pytest.raises(SourceError, match="as many times as values") as caught:
        history(lambda _: answer, "eu-west-3")
    assert caught.value.reason is Reason.SCHEMA
