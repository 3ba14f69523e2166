"""ENTSO-E: what its documents hide."""

from datetime import UTC, datetime, timedelta

import pytest
from contract import KEY
from grid_cases import key
from grid_services import ENTSOE_MW, Entsoe, acknowledgement, document, period, series
from loopback import Answer, serving

from caribou.collectors.sources import entsoe
from caribou.collectors.sources.entsoe import EntsoeFeed
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.xml_text import XmlError, parsed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START, END = datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
MIX = (200 * 1113 + 300 * 490 + 400 * 12 + 600 * 11) / 1500


@pytest.fixture(autouse=True)
def no_pace(monkeypatch):
    """Nobody waits between two requests."""
    monkeypatch.setattr(entsoe, "_PAUSE_S", 0.0)


def history(service, start=START, end=END, zones=None):
    """Hours, what the feed says of them, and the requests."""
    with serving(service) as there:
        feed = EntsoeFeed(there.url, key, zones or {})
        return feed.history("eu-central-1", start, end).hours, feed.notes("eu-central-1"), there.requests


@pytest.mark.parametrize(
    ("zones", "area"),
    [({}, "10Y1001A1001A83F"), ({"eu-central-1": "ES"}, "10YES-REE------0"), ({"eu-central-1": "X"}, "X")],
)
def test_area_when_a_project_names_one_then_it_is_by_name_or_by_code(zones, area):
    """Facts say the name."""
    _, _, requests = history(Entsoe(), zones=zones)
    assert {request.query["in_Domain"] for request in requests} == {area}
    feed = EntsoeFeed("", key, zones)
    assert feed.zone_of("eu-central-1") == zones.get("eu-central-1", "DE")
    assert feed.zone_of("eu-west-2") is None
    assert feed.forecast("eu-central-1", END) is None


@pytest.mark.parametrize("curve", ["A01", "A03"])
@pytest.mark.parametrize("step", ["PT15M", "PT30M", "PT60M"])
def test_hours_when_steps_are_shorter_then_they_are_means_of_them(step, curve):
    """MW of quarters are no MWh: each step counts with its length."""
    hours, notes, _ = history(Entsoe(step, curve))
    assert [value.at for value in hours] == [START + i * HOUR for i in range(24)]
    assert {round(value.g_per_kwh, 6) for value in hours} == {round(MIX, 6)}
    assert notes["share_without_factor"] == pytest.approx(30 / 1530, abs=1e-4)


def test_hours_when_types_have_steps_of_their_own_then_each_counts_with_its_length():
    """A country changes to quarter hours type by type: four quarters of 100 MW are one hour of 100."""
    quarters = period(START, END, "PT15M", [100.0] * 96, "A01")
    whole = period(START, END, "PT60M", [100.0] * 24, "A03")
    hours, _, _ = history(lambda _: document(series("B05", quarters, "A01") + series("B14", whole)))
    assert [value.g_per_kwh for value in hours] == [416.0] * 24


def test_hours_when_a_curve_leaves_out_equal_values_then_the_last_one_holds_to_the_end():
    """Type A03. Coal stands still all day: read point by point it runs for one hour."""
    day = period(START, END, "PT60M", [500.0] * 24, "A03")
    sun = period(START, END, "PT60M", [0.0] * 8 + [500.0] * 4 + [0.0] * 12, "A03")
    assert day.count("<Point>") == 1
    assert sun.count("<Point>") == 3
    hours, _, _ = history(lambda _: document(series("B05", day) + series("B16", sun)))
    assert [round(value.g_per_kwh) for value in hours] == [820] * 8 + [434] * 4 + [820] * 12


def test_hours_when_a_curve_has_all_values_then_a_missing_one_stays_missing():
    """Type A01: nobody has published that hour."""
    values = [500.0] * 24
    values[5] = None
    hours, _, _ = history(lambda _: document(series("B02", period(START, END, "PT60M", values, "A01"), "A01")))
    assert [value.at.hour for value in hours] == [hour for hour in range(24) if hour != 5]


@pytest.mark.parametrize(
    ("first", "last", "n"),
    [
        (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC), 23),
        (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC), 25),
    ],
)
def test_hours_when_a_day_has_one_less_or_more_then_none_is_twice_or_missing(first, last, n):
    """A local day of Berlin; positions count hours, and not those of a clock."""
    values = [float(i + 1) for i in range(n)]
    nuclear = [100.0] * n
    both = series("B02", period(first, last, "PT60M", values, "A03")) + series(
        "B14", period(first, last, "PT60M", nuclear, "A03")
    )
    hours, _, _ = history(lambda _: document(both), first, last)
    assert [value.at for value in hours] == [first + i * HOUR for i in range(n)]
    assert [value.g_per_kwh for value in hours] == sorted(value.g_per_kwh for value in hours)


def test_hours_when_pumps_run_then_neither_what_they_take_nor_what_they_give_counts():
    """Pumped storage is there twice, and other plants' own use too: added up, the grid would be cleaner by half."""
    week = period(END - 7 * DAY, END, "PT60M", [9000.0] * 7 * 24, "A03")
    own_use = "".join(series(code, week, domain="outBiddingZone_Domain") for code in ("B10", "B14", "B19"))
    hours, _, _ = history(Entsoe(more=own_use + series("B10", week)))
    assert {round(value.g_per_kwh, 6) for value in hours} == {round(MIX, 6)}


def test_spans_when_they_are_long_then_no_call_asks_for_more_than_comes_whole():
    """Series of more than 1,000 points were cut, without a word: a week of quarters has 672."""
    hours, _, requests = history(Entsoe("PT15M"), END - 28 * DAY)
    assert len(hours) == 28 * 24
    spans = [(request.query["periodStart"], request.query["periodEnd"]) for request in requests]
    assert spans == [(f"202602{4 + 7 * i:02}0000", f"202602{11 + 7 * i:02}0000") for i in range(3)] + [
        ("202602250000", "202603040000")
    ]


def test_series_when_it_is_cut_at_1000_rows_then_that_is_an_error():
    """By curve type A03 the last value would hold on for days that nobody has published."""
    values = [float(i % 2) for i in range(1000)] + [None] * 300
    cut = period(END - 1300 * timedelta(minutes=15), END, "PT15M", values, "A03")
    with pytest.raises(SourceError, match="cut at 1000 rows") as caught:
        history(lambda _: document(series("B02", cut)), END - 1300 * timedelta(minutes=15))
    assert caught.value.reason is Reason.GARBLED


def test_hours_when_a_type_is_late_then_those_are_left_out():
    """Gas is published hours after wind."""

    def power(at, code):
        return None if code == "B04" and at >= END - 3 * HOUR else ENTSOE_MW[code]

    hours, notes, _ = history(Entsoe(curve="A01", power=power))
    assert hours[-1].at == END - 4 * HOUR
    assert notes["partial_hours_left_out"] == 3
    assert {round(value.g_per_kwh, 6) for value in hours} == {round(MIX, 6)}


def test_hours_when_nothing_is_published_yet_then_they_are_absent_and_the_others_stay():
    """That comes as another kind of document, with HTTP 200."""
    newest = END - 8 * DAY
    hours, _, _ = history(Entsoe(newest=newest), END - 14 * DAY)
    assert hours[-1].at == newest - HOUR
    assert history(Entsoe(newest=END - 60 * DAY))[0] == ()


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (acknowledgement(f"Invalid query attributes, securityToken={KEY}"), Reason.REQUEST, "reason 999"),
        (document(series("B99", "")), Reason.SCHEMA, "psrType 'B99' is not known"),
        (document(series("B02", "", unit="KWH")), Reason.UNITS, "'KWH' and not MAW"),
        (document(series("B02", "", curve="A05")), Reason.SCHEMA, "curve"),
        (document("<TimeSeries><psr>B02</psr></TimeSeries>"), Reason.SCHEMA, "psr_type"),
        (document(series("B02", period(START, END, "P1D", [1.0], "A03"))), Reason.SCHEMA, "resolution"),
        (document(series("B02", period(START, END, "PT60M", ["x"], "A03"))), Reason.SCHEMA, "quantity"),
        (document(series("B02", period(START, END, "PT60M", [1.0] * 25, "A01"))), Reason.SCHEMA, "outside"),
        (document(series("B02", period(START, END + 40000 * DAY, "PT15M", [1.0], "A03"))), Reason.SCHEMA, "outside"),
        (Answer(b"<Publication_MarketDocument/>"), Reason.SCHEMA, "Publication_MarketDocument"),
        (Answer(b"PK\x03\x04"), Reason.GARBLED, "no XML"),
    ],
)  # fmt: skip
def test_document_when_it_is_another_one_then_the_error_says_what_it_is(answer, reason, said):
    """And shows no text of the service's, in which the token may be."""
    with pytest.raises(SourceError, match=said) as caught:
        history(lambda _: answer)
    assert caught.value.reason is reason
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x [<!ENTITY a "a">]><x>&a;</x>'.encode("utf-16"),
        b"<x>&a;</x>",
        b"<x><y></x>",
        b"",
        b"<x>" + b" " * (16 * 2**20),
    ],
    ids=["laughs", "a file elsewhere", "another encoding", "an entity", "no end", "nothing", "a large one"],
)
def test_xml_when_it_is_none_or_does_more_than_an_answer_then_it_is_refused(body):
    """Entities grow without bounds; nothing is fetched."""
    with pytest.raises(XmlError):
        parsed(body)


def test_xml_when_it_has_namespaces_then_names_are_without_them():
    """Versions of the document differ in them alone."""
    root = parsed(b'<a:x xmlns:a="urn:1" xmlns="urn:2"><y z="1">\xc3\xa9</y></a:x>')
    assert (root.tag, root.findtext("y")) == ("x", "é")
