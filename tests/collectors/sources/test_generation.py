"""Intensity out of generation by fuel, and spans of time."""

from datetime import UTC, datetime, timedelta

import pytest

from caribou.collectors.series import HourValue, Signal
from caribou.collectors.sources.fuel_factors import G_PER_KWH, Fuel
from caribou.collectors.sources.generation import Generation
from caribou.collectors.sources.spans import hours_of, pieces, whole_weeks

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
END = datetime(2026, 3, 30, tzinfo=UTC)
FUELS = {"coal": Fuel.COAL, "nuc": Fuel.NUCLEAR, "sun": Fuel.SOLAR, "pump": Fuel.STORAGE, "waste": Fuel.OTHER}


def hours(start, n):
    """So many hours from a start on."""
    return [start + i * HOUR for i in range(n)]


def test_factors_when_listed_then_every_fuel_but_storage_and_others_has_one():
    """In g CO2eq/kWh; a unit mixed up would be far off."""
    assert set(Fuel) - set(G_PER_KWH) == {Fuel.STORAGE, Fuel.OTHER}
    assert all(10 < g < 1200 for g in G_PER_KWH.values())


def test_intensity_when_storage_is_filled_or_gives_then_it_does_not_count():
    """What a pump takes is no negative generation, and what it gives was generated before."""
    mixes = [{"coal": 100.0, "nuc": 100.0, "pump": pump} for pump in (-150.0, 0.0, 150.0)]
    series = Generation(dict(zip(hours(END, 3), mixes, strict=True)), FUELS).series()
    assert [value.g_per_kwh for value in series.hours] == [416.0] * 3


def test_intensity_when_a_plant_takes_power_for_itself_then_that_is_no_generation():
    """Solar plants are below zero at night; the naive sum is 1.25 times as dirty."""
    (value,) = Generation({END: {"coal": 100.0, "sun": -20.0}}, FUELS).series().hours
    assert value.g_per_kwh == 820.0


def test_intensity_when_a_fuel_has_no_factor_then_it_counts_as_the_rest_and_its_share_is_said():
    """Waste, other, unknown."""
    generation = Generation({END: {"coal": 50.0, "nuc": 50.0, "waste": 25.0, "pump": 500.0}}, FUELS)
    assert generation.series().hours[0].g_per_kwh == 416.0
    assert generation.notes()["share_without_factor"] == 0.2


def test_intensity_when_nothing_was_generated_then_the_hour_is_left_out():
    """No division by nothing, and no clean hour."""
    assert Generation({END: {"coal": 0.0}, END + HOUR: {"pump": 5.0}}, FUELS).series().hours == ()
    assert Generation({}, FUELS).series().hours == ()
    assert Generation({}, FUELS).share_without_factor() == 0


def test_hours_when_a_usual_fuel_is_not_reported_yet_then_they_are_left_out():
    """Coal comes in late: the last two hours look like nuclear power alone, and are not."""
    by_hour = {at: {"coal": 100.0, "nuc": 100.0} for at in hours(END - WEEK, 7 * 24)}
    for at in (END - HOUR, END - 2 * HOUR):
        del by_hour[at]["coal"]
    generation = Generation(by_hour, FUELS)
    assert generation.partial_hours() == {END - HOUR, END - 2 * HOUR}
    series = generation.series()
    assert {value.g_per_kwh for value in series.hours} == {416.0}
    assert series.hours[-1].at == END - 3 * HOUR
    assert generation.notes()["partial_hours_left_out"] == 2


def test_hours_when_there_is_no_sun_at_night_then_they_are_whole():
    """Some grids give solar power no row at night, others a zero; long days make it a usual fuel all the same."""
    by_hour = {at: {"coal": 100.0, **({"sun": 50.0} if 3 < at.hour < 22 else {})} for at in hours(END - WEEK, 7 * 24)}
    assert Generation(by_hour, FUELS).partial_hours() == set()
    del by_hour[END - 12 * HOUR]["sun"]
    assert Generation(by_hour, FUELS).partial_hours() == {END - 12 * HOUR}


def test_hours_when_a_plant_runs_now_and_then_then_those_without_it_are_whole():
    """A day of coal in a week makes no usual fuel."""
    by_hour = {at: {"nuc": 100.0} for at in hours(END - 4 * WEEK, 28 * 24)}
    for at in hours(END - 3 * DAY, 24):
        by_hour[at]["coal"] = 5.0
    assert Generation(by_hour, FUELS).partial_hours() == set()


@pytest.mark.parametrize(("days", "left_out"), [(2, 2), (5, 5), (7, 7), (14, 7)])
def test_hours_when_a_fuel_stays_away_then_they_are_left_out_for_a_week_or_two(days, left_out):
    """Somebody reports no gas for five days: most of the week looks clean, and the week before says that it is not."""
    by_hour = {at: {"nuc": 100.0, "coal": 100.0} for at in hours(END - 4 * WEEK, 28 * 24)}
    for at in hours(END - days * DAY, days * 24):
        del by_hour[at]["coal"]
    partial = Generation(by_hour, FUELS).partial_hours()
    assert len(partial) == left_out * 24
    assert min(partial) == END - days * DAY


@pytest.mark.parametrize(("days", "weeks"), [(1, 1), (7, 1), (8, 2), (28, 4)])
def test_span_when_it_is_to_show_what_is_usual_then_it_is_whole_weeks(days, weeks):
    """Never shorter than what was asked for."""
    assert whole_weeks(END - days * DAY, END) == END - weeks * WEEK


def test_span_when_it_is_longer_than_a_call_gives_then_it_comes_in_pieces():
    """Without a gap, nothing twice."""
    found = list(pieces(END - 30 * DAY, END, 14 * DAY))
    assert [(last - first) // DAY for first, last in found] == [14, 14, 2]
    assert [first for first, _ in found[1:]] == [last for _, last in found[:-1]]
    assert list(pieces(END, END, DAY)) == []


def samples(*minutes):
    """Samples at minutes after the end, each of its own minute."""
    return [HourValue(END + timedelta(minutes=m), float(m % 60)) for m in minutes]


def test_hours_when_samples_are_quarters_then_an_hour_without_all_four_is_left_out():
    """Also when there are whole hours with more by half: the newest one is seldom complete."""
    series = hours_of(Signal.AVERAGE, samples(*range(0, 180, 15), 180, 195))
    assert [(value.at.hour, value.g_per_kwh) for value in series.hours] == [(0, 22.5), (1, 22.5), (2, 22.5)]


def test_hours_when_samples_are_hours_or_halves_then_they_are_taken_as_that():
    """Whatever most hours have."""
    assert len(hours_of(Signal.AVERAGE, samples(0, 60, 120)).hours) == 3
    assert len(hours_of(Signal.AVERAGE, samples(0, 30, 60, 90, 120)).hours) == 2
    assert hours_of(Signal.AVERAGE, []).hours == ()
