"""Backfill: which pieces are asked for, of whom, and what becomes of those that a source does not give."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from caribou.collectors.series import HourlySeries, HourValue, Signal
from caribou.collectors.sources.history import PIECE_DAYS, Span, feeds_of, fill, missing_spans
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.live_carbon import LiveCarbon
from caribou.collectors.sources.profile_feed import ProfileFeed
from caribou.collectors.sources.registry import SOURCES, Row
from caribou.collectors.sources.snapshot import CarbonSnapshot
from caribou.model.errors import OperationFailedError

QUARTER = Span(date(2026, 1, 1), date(2026, 4, 1))
REGIONS = ("us-east-1", "us-east-2", "us-west-1", "eu-west-2")
HOUR = timedelta(hours=1)


class Feed:
    """Hours of three zones; `errors` by zone and first day of a piece, or by zone."""

    licence, basis, signal = "CC0", "lifecycle", Signal.AVERAGE

    def __init__(self, name, zones, errors=None):
        self.name, self.origin, self.zones, self.errors, self.asked = name, name.title(), zones, errors or {}, []

    def zone_of(self, region):
        """A zone of the table."""
        return self.zones.get(region)

    def history(self, region, start, end):
        """One hour after the other: the first was not asked for, and the last can't be."""
        zone = self.zones[region]
        self.asked.append((zone, start.date(), end.date()))
        error = self.errors.get((zone, start.date())) or self.errors.get(zone)
        if error is not None:
            raise error
        hours = [HourValue(start + i * HOUR, 100.0 + i) for i in range(-1, int((end - start) / HOUR) - 1)]
        return HourlySeries.of(Signal.AVERAGE, [*hours, HourValue(end - HOUR, 1e9)])


class Pieces(dict):
    """Pieces in memory: source, zone and span to hours."""

    def known(self, feed, zone):
        """The pieces of a zone."""
        return [span for name, own, span in self if (name, own) == (feed.name, zone)]

    def put(self, feed, zone, span, series):
        """Keep a piece."""
        self[feed.name, zone, span] = series


ZONES = {"us-east-1": "PJM", "us-east-2": "PJM", "us-west-1": "CISO", "eu-west-2": "GB"}


def refusal(reason):
    """An error of a service."""
    return SourceError("Grid Co", reason)


def test_history_when_it_is_filled_then_each_zone_is_asked_once_in_pieces_and_never_again():
    """Two regions of one zone are one question; what can't be is left out; nothing outside the piece is kept."""
    feed, pieces = Feed("grid", ZONES), Pieces()
    filled = fill([feed], REGIONS, QUARTER, pieces)
    assert (filled.grids[0].zone, filled.grids[0].regions) == ("PJM", ("us-east-1", "us-east-2"))
    assert (filled.failures, filled.fallbacks, filled.missing) == ([], [], ())
    assert len(feed.asked) == len(set(feed.asked)) == 3 * 90 / PIECE_DAYS
    first = pieces["grid", "PJM", Span(date(2026, 1, 1), date(2026, 1, 11))]
    assert [hour.g_per_kwh for hour in first.hours] == [100.0 + i for i in range(PIECE_DAYS * 24 - 1)]
    fill([feed], REGIONS, Span(date(2026, 2, 3), date(2026, 2, 20)), pieces)
    assert len(feed.asked) == 27


@pytest.mark.parametrize("killed_at", range(1, 10))
def test_history_when_it_is_cut_off_at_any_piece_then_the_next_time_asks_for_the_rest_alone(killed_at):
    """The pieces are those of a backfill that went through."""
    whole, pieces, feed = Pieces(), Pieces(), Feed("grid", {"eu-west-2": "GB"})
    fill([Feed("grid", {"eu-west-2": "GB"})], REGIONS, QUARTER, whole)

    def kill(_, done, __):
        if done == killed_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill([feed], REGIONS, QUARTER, pieces, kill)
    assert len(pieces) == killed_at
    fill([feed], REGIONS, QUARTER, pieces)
    assert pieces == whole
    assert len(feed.asked) == len(set(feed.asked)) == 9


def test_spans_when_some_days_are_known_then_the_others_are_asked_for_in_pieces():
    """Of a span that begins before and ends after what is there."""
    known = [Span(date(2026, 1, 5), date(2026, 1, 8)), Span(date(2026, 1, 8), date(2026, 1, 10))]
    spans = list(missing_spans(known, Span(date(2026, 1, 3), date(2026, 1, 23))))
    assert [(span.start.day, span.end.day) for span in spans] == [(3, 5), (10, 20), (20, 23)]
    assert list(missing_spans(spans, spans[1])) == []


def test_history_when_a_plan_lacks_a_zone_then_the_next_source_is_asked_for_its_regions():
    """As far as it covers them."""
    first = Feed("first", ZONES, {"PJM": refusal(Reason.NOT_IN_PLAN)})
    filled = fill([first, Feed("second", {"us-east-1": "X", "us-west-1": "Y"})], REGIONS, QUARTER, Pieces())
    grids = {(grid.feed.name, *grid.regions) for grid in filled.grids}
    assert grids == {("first", "us-west-1"), ("first", "eu-west-2"), ("second", "us-east-1")}
    assert filled.fallbacks == ["First, PJM (us-east-1, us-east-2): Grid Co does not give this to the key's plan"]
    assert filled.missing == ("us-east-2",)


def test_history_when_a_key_is_refused_then_the_source_is_asked_once():
    """For none of its zones any more."""
    first = Feed("first", ZONES, dict.fromkeys(("PJM", "CISO", "GB"), refusal(Reason.REFUSED)))
    filled = fill([first, Feed("second", ZONES)], REGIONS, QUARTER, Pieces())
    assert len(first.asked) == 1
    assert {grid.feed.name for grid in filled.grids} == {"second"}
    assert len(filled.fallbacks) == 3


def test_history_when_there_is_no_key_then_the_next_source_is_asked():
    """As a chain of facts does."""
    first = Feed("first", ZONES, {"PJM": OperationFailedError("no key: set it")})
    filled = fill([first, Feed("second", ZONES)], REGIONS, QUARTER, Pieces())
    assert {grid.feed.name for grid in filled.grids} == {"second"}
    assert len(filled.fallbacks) == 3
    assert len(first.asked) == 1


def test_history_when_a_piece_can_t_be_written_then_no_other_source_is_asked():
    """The disk is full."""

    def refuse(*_):
        raise OperationFailedError("no space left")

    full, second = SimpleNamespace(known=lambda *_: [], put=refuse), Feed("second", ZONES)
    with pytest.raises(OperationFailedError, match="no space left"):
        fill([Feed("first", ZONES), second], REGIONS, QUARTER, full)
    assert second.asked == []


@pytest.mark.parametrize(("reason", "asked"), [(Reason.SILENT, {"PJM"}), (Reason.SCHEMA, {"PJM", "CISO", "GB"})])
def test_history_when_what_may_pass_goes_wrong_then_it_is_a_failure_and_what_was_got_stays(reason, asked):
    """A service that is silent is not asked on; another source would be another history."""
    feed = Feed("grid", ZONES, {("PJM", date(2026, 1, 21)): refusal(reason)})
    pieces, other = Pieces(), Feed("other", ZONES)
    filled = fill([feed, other], REGIONS, QUARTER, pieces)
    assert {zone for zone, _, _ in feed.asked} == asked
    assert [span.start.day for _, zone, span in pieces if zone == "PJM"] == [1, 11]
    assert "PJM (us-east-1, us-east-2): Grid Co" in filled.failures[0]
    assert other.asked == []
    feed.errors.clear()
    fill([feed], REGIONS, QUARTER, pieces)
    assert len([span for _, zone, span in pieces if zone == "PJM"]) == 9


def test_history_when_a_source_has_nothing_of_a_time_then_the_piece_is_empty_and_not_asked_for_again():
    """Years before a service began, say."""
    feed, pieces = Feed("grid", {"eu-west-2": "GB"}, {("GB", date(2026, 1, 1)): refusal(Reason.NOTHING)}), Pieces()
    for _ in range(2):
        assert fill([feed], REGIONS, QUARTER, pieces).failures == []
    assert len(feed.asked) == 9
    assert pieces["grid", "GB", Span(date(2026, 1, 1), date(2026, 1, 11))].hours == ()


def test_feeds_when_sources_are_chosen_then_they_are_those_that_have_hours(monkeypatch):
    """Of a live source its feed, of a snapshot its profile."""
    feed = Feed("live", ZONES)
    monkeypatch.setitem(SOURCES.carbon, "live", Row(lambda *_: LiveCarbon(feed)))
    found = feeds_of(["live", "snapshot_other_zones"], {}, KeyRing(""))
    assert found[0] is feed
    assert (found[1].name, found[1].zone_of("us-west-2")) == ("snapshot_other_zones", "US-NW-BPAT")
    assert found[1].zone_of("moon") is None
    assert found[1].forecast("us-west-2", datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Australia/Sydney"])
@pytest.mark.parametrize(("year", "hours"), [(2025, 8_760), (2028, 8_784)])
def test_profile_when_it_is_a_year_of_local_hours_then_none_is_missing_and_none_comes_twice(zone, year, hours):
    """Clocks that leave out an hour in spring show one twice in autumn; some are half an hour off."""
    local = ZoneInfo(zone)
    start, end = datetime(year, 1, 1, tzinfo=local), datetime(year + 1, 1, 1, tzinfo=local)
    series = ProfileFeed("snapshot", CarbonSnapshot()).history("us-west-1", start, end)
    times = [hour.at for hour in series.hours]
    assert len(times) == len(set(times)) == hours
    assert {b - a for a, b in pairwise(times)} == {HOUR}
    assert start <= times[0] < start + HOUR
    assert end - HOUR <= times[-1] < end
    assert all(hour.estimated for hour in series.hours)


def test_profile_when_an_hour_is_asked_for_then_it_is_the_one_that_a_fact_has():
    """The same month and hour of day, at the same level."""
    start = datetime(2026, 7, 6, tzinfo=UTC)
    series = ProfileFeed("snapshot", CarbonSnapshot()).history("us-west-1", start, start + timedelta(days=1))
    fact = CarbonSnapshot().collect(start, ["us-west-1"]).bodies["us-west-1"]
    assert [hour.g_per_kwh for hour in series.hours] == pytest.approx(fact.hourly, abs=0.06)
