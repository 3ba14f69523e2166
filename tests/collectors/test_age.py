"""How old the facts are: said while it matters, and never in the way of log collection."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from caribou.collectors import handlers
from caribou.collectors.age import Freshness, data_age, freshness
from caribou.collectors.bodies import CarbonBody, PerformanceBody, ProviderBody
from caribou.collectors.chain import facts_of
from caribou.collectors.facts import InMemoryFactTable
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.registry import DEFAULT_SOURCE, sources_of
from caribou.model.health.metrics import HealthMetric

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
DAILY = {"carbon": 24, "provider": 24, "performance": 24}
KINDS = {body.kind: body for body in (CarbonBody, ProviderBody, PerformanceBody)}


def collected(**hours_ago):
    """A table in which each kind was collected so many hours ago."""
    table = InMemoryFactTable()
    for kind, hours in hours_ago.items():
        (source,) = sources_of(kind, [DEFAULT_SOURCE], {}, KeyRing(""))
        table.put(facts_of(source, NOW - timedelta(hours=hours)))
    return table


def test_age_when_all_kinds_are_of_the_last_day_then_there_is_nothing_to_say():
    """A metric that is sent costs money; one collection may be missed."""
    assert data_age(collected(carbon=25, provider=1, performance=47), NOW, DAILY) == {}


def test_age_when_a_kind_is_old_then_it_is_that_ones():
    """Each has a collector of its own, of which one may have stopped."""
    assert data_age(collected(carbon=50, provider=1, performance=30), NOW, DAILY) == {HealthMetric.DATA_AGE: 50.0}


def test_age_when_kinds_have_schedules_of_their_own_then_the_most_overdue_is_said():
    """Prices of each week are not old after three days, hourly carbon is after eight hours."""
    every_h = {"carbon": 1, "provider": 168, "performance": 24}
    assert data_age(collected(carbon=7, provider=190, performance=48), NOW, every_h) == {}
    assert data_age(collected(carbon=8, provider=190, performance=48), NOW, every_h) == {HealthMetric.DATA_AGE: 8.0}
    assert data_age(collected(carbon=8, provider=200, performance=48), NOW, every_h) == {HealthMetric.DATA_AGE: 200.0}


def test_age_when_one_region_was_left_by_its_source_then_the_newest_fact_of_the_kind_counts():
    """It keeps the fact that it had, for good."""
    table = collected(carbon=1)
    key = next(iter(table.items))
    table.items[key]["retrieved_at"] = (NOW - timedelta(days=300)).isoformat()
    assert data_age(table, NOW, DAILY) == {}


def test_age_when_a_clock_was_ahead_then_its_facts_hide_no_old_ones_and_are_old():
    """A machine that was a month ahead had a region that no collection has had since; minutes do not matter."""
    table = collected(carbon=60)
    key = next(iter(table.items))
    table.items[key]["retrieved_at"] = (NOW + timedelta(days=30)).isoformat()
    assert data_age(table, NOW, DAILY) == {HealthMetric.DATA_AGE: 60.0}
    (ahead,) = (fact for fact in table.of_kind(CarbonBody) if fact.retrieved_at > NOW)
    assert freshness(ahead, NOW, timedelta(days=1)) is Freshness.OLD
    assert freshness(ahead, ahead.retrieved_at - timedelta(minutes=10), timedelta(days=1)) is Freshness.FRESH


def test_age_when_nothing_was_ever_collected_then_nothing_is_known():
    """On the first day."""
    assert data_age(InMemoryFactTable(), NOW, DAILY) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_age_when_each_kind_in_turn_is_old_then_it_is_said(kind):
    """None is left out."""
    ages = {**dict.fromkeys(KINDS, 1), kind: 60}
    assert data_age(collected(**ages), NOW, DAILY) == {HealthMetric.DATA_AGE: 60.0}


def test_age_when_log_collection_begins_then_its_line_is_one_that_cloudwatch_reads(capsys, monkeypatch):
    """Of the stage, without a dimension; the logger's words in front would hide it."""
    monkeypatch.setenv("CARIBOU_EVERY_H", json.dumps(DAILY))
    handlers._say_age(collected(carbon=1), "dev")
    assert json.loads(capsys.readouterr().out)["DataAgeHours"][0] > 48


def test_age_when_a_fact_is_damaged_then_logs_are_collected_all_the_same(caplog):
    """It is in the log, and no error of the function."""
    table = collected(carbon=1)
    next(iter(table.items.values()))["body"] = "{"
    handlers._say_age(table, "dev")
    assert "the age of facts is not known" in caplog.text
