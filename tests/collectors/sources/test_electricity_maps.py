"""Electricity Maps' client: what is asked for, what is kept of an answer, and what is refused."""

from datetime import timedelta

import pytest
from contract import make_impatient
from keyed_cases import DAY_END, DAY_START, electricity_maps
from keyed_services import HOUR, NOW, ElectricityMapsService, intensity
from loopback import serving

from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.live_carbon import LiveCarbon


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Nobody waits."""
    return make_impatient(monkeypatch)


def test_history_when_it_is_of_four_weeks_then_it_comes_in_calls_of_ten_days_without_a_gap():
    """By the data centre's name, lifecycle, hourly, and never of the caller's own place."""
    with serving(ElectricityMapsService()) as there:
        series = electricity_maps(there.url).history("us-east-1", DAY_END - timedelta(days=28), DAY_END)
        queries = [request.query for request in there.requests]
    assert [hour.at for hour in series.hours] == [DAY_END - timedelta(days=28) + i * HOUR for i in range(28 * 24)]
    assert series.hours[0].g_per_kwh == intensity(series.hours[0].at)
    assert len(queries) == 3
    assert queries[0] == {
        "dataCenterProvider": "aws",
        "dataCenterRegion": "us-east-1",
        "emissionFactorType": "lifecycle",
        "temporalGranularity": "hourly",
        "shouldUseFallbackCallerLookup": "false",
        "start": "2026-02-04T05:00:00Z",
        "end": "2026-02-14T05:00:00Z",
    }


def test_history_when_hours_are_estimated_missing_or_double_then_their_share_and_number_are_right():
    """An estimate is kept and counted; a gap stays one; what came twice counts once."""
    missing = frozenset({DAY_START + 3 * HOUR})
    with serving(ElectricityMapsService(skip=missing, twice=True)) as there:
        feed = electricity_maps(there.url)
        series = feed.history("us-east-1", DAY_START, DAY_END)
    assert len(series.hours) == 23
    assert series.estimated_share == pytest.approx(5 / 23)  # one of six, 08:00, is missing
    assert feed.notes("us-east-1") == {"estimation_methods": "TIME_SLICER_AVERAGE"}


def test_history_when_an_hour_has_no_figure_then_it_is_not_there():
    """Null is no number, and no zero."""
    with serving(ElectricityMapsService(change={"carbonIntensity": None})) as there:
        assert electricity_maps(there.url).history("us-east-1", DAY_START, DAY_END).hours == ()


def test_history_when_the_plan_has_no_past_range_then_the_last_day_stands_in_and_says_so():
    """As free keys have it; of a time that is longer ago the refusal counts."""
    with serving(ElectricityMapsService(ranges=False)) as there:
        feed = electricity_maps(there.url)
        series = feed.history("us-east-1", DAY_END - timedelta(days=28), DAY_END)
        assert len(series.hours) == 24
        assert "last 24 hours" in feed.notes("us-east-1")["plan"]
        given = LiveCarbon(feed).collect(NOW, ["us-east-1"])
        assert "last 24 hours" in given.bodies["us-east-1"].provenance["plan"]
        with pytest.raises(SourceError) as caught:
            feed.history("us-east-1", DAY_START - timedelta(days=365), DAY_END - timedelta(days=365))
    assert caught.value.reason is Reason.NOT_IN_PLAN


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        (ElectricityMapsService(sandbox=True), Reason.NOT_IN_PLAN),
        (
            ElectricityMapsService(change={"estimationMethod": "SANDBOX_MODE_DATA", "isEstimated": True}),
            Reason.NOT_IN_PLAN,
        ),
        (ElectricityMapsService(change={"emissionFactorType": "direct"}), Reason.SCHEMA),
        (ElectricityMapsService(change={"datetime": "2026-03-04T04:30:00Z"}), Reason.SCHEMA),
        (ElectricityMapsService(change={"datetime": "2026-03-04T04:00:00"}), Reason.SCHEMA),
        (ElectricityMapsService(change={"datetime": "0001-01-01T00:00:00+14:00"}), Reason.SCHEMA),
        (ElectricityMapsService(zones={"us-east-1": "DE"}), Reason.NOT_FOUND),
    ],
    ids=["sandbox", "made up", "direct", "half past", "no time zone", "no such time", "another zone"],
)
def test_history_when_figures_are_made_up_or_of_something_else_then_they_are_refused(service, reason):
    """A sandbox's numbers look like true ones; an unknown place may be answered with that of the caller."""
    with serving(service) as there, pytest.raises(SourceError) as caught:
        electricity_maps(there.url).history("us-east-1", DAY_START, DAY_END)
    assert caught.value.reason is reason


def test_zone_when_it_is_not_in_the_plan_then_that_region_alone_is_refused():
    """403 is of one zone; others are asked on."""
    with serving(ElectricityMapsService(plan=frozenset({"US-NW-PACW", "SE"}))) as there:
        given = LiveCarbon(electricity_maps(there.url)).collect(NOW, ["us-east-1", "us-west-2", "eu-north-1"])
    assert {region: body.zone for region, body in given.bodies.items()} == {
        "us-west-2": "US-NW-PACW",
        "eu-north-1": "SE",
    }
    assert given.refused["us-east-1"].startswith(
        "does not give this to the key's plan: v4/carbon-intensity/history: HTTP"
    )
    body = given.bodies["us-west-2"]
    assert body.provenance["estimated_share"] == 0.25
    assert body.provenance["basis"].startswith("lifecycle, average, of consumption")


def test_zone_when_the_user_chose_it_then_it_is_asked_for_and_blamed_for_what_it_lacks():
    """One error, with the zone, the region and the key of cdk.json."""
    with serving(ElectricityMapsService()) as there:
        feed = electricity_maps(there.url, us_east_1="DE", us_west_2="XX-1")
        assert feed.history("us-east-1", DAY_START, DAY_END).hours
        assert there.requests[0].query["zone"] == "DE"
        assert feed.zone_of("us-east-1") == "DE"
        with pytest.raises(SourceError, match=r"zone XX-1, which caribou:source_zones names for us-west-2: .*HTTP 404"):
            feed.history("us-west-2", DAY_START, DAY_END)


def test_facts_when_the_unit_is_kilograms_then_they_are_refused():
    """0.4 kg/kWh is a plausible number of the wrong size."""
    with serving(ElectricityMapsService(change={"carbonIntensity": 0.4})) as there:
        given = LiveCarbon(electricity_maps(there.url)).collect(NOW, ["us-east-1"])
    assert given.refused["us-east-1"].startswith("gave figures in another unit")


def test_forecast_when_asked_then_it_is_of_the_next_three_days():
    """From this hour on."""
    with serving(ElectricityMapsService()) as there:
        series = electricity_maps(there.url).forecast("us-east-1", NOW)
    assert (series.hours[0].at, len(series.hours)) == (DAY_END, 72)


def test_zone_when_the_service_takes_another_one_then_that_is_no_silent_change():
    """The name of a zone stands in facts and files; whoever means the other one says so."""
    with serving(ElectricityMapsService(zones={"eu-north-1": "SE-SE3"})) as there:
        said = "answers for eu-north-1 with zone SE-SE3, not SE: say by caribou:source_zones which you mean"
        with pytest.raises(SourceError, match=said):
            electricity_maps(there.url).history("eu-north-1", DAY_START, DAY_END)
        assert electricity_maps(there.url, eu_north_1="SE-SE3").history("eu-north-1", DAY_START, DAY_END).hours


def test_zones_when_two_regions_share_one_then_it_is_asked_once():
    """us-east-1 and us-east-2."""
    with serving(ElectricityMapsService()) as there:
        given = LiveCarbon(electricity_maps(there.url)).collect(NOW, ["us-east-1", "us-east-2"])
        assert len(there.requests) == 4  # three of the past, one of what is to come
    assert {body.zone for body in given.bodies.values()} == {"US-MIDA-PJM"}
