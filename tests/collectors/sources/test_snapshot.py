"""The packaged snapshots: complete, plausible, and what the raw data says."""

import json
from calendar import monthrange
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from caribou.collectors.bodies import KINDS
from caribou.collectors.sources.data import derive
from caribou.collectors.sources.distance import distance_km, fitted, least_round_trip_s
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.registry import sources_of
from caribou.collectors.sources.snapshot import CarbonSnapshot, packaged_facts, places_of_regions
from caribou.model.regions import KNOWN_REGIONS

DATA = files("caribou.collectors.sources") / "data"
RAW = Path(__file__).parents[4] / "shared" / "data"
NOW = datetime(2026, 1, 15, tzinfo=UTC)
PROFILES = json.loads((DATA / "carbon" / "profiles.json").read_text(encoding="utf-8"))


def test_snapshots_when_the_raw_data_is_at_hand_then_deriving_gives_the_same_bytes():
    """Nobody edits the files: they follow from the raw data."""
    if not RAW.is_dir():
        pytest.skip(f"the raw data is not at {RAW}: the snapshots can't be derived again")
    for name, text in derive.snapshots(RAW).items():
        assert (DATA / name).read_text(encoding="utf-8") == text, name


@pytest.mark.parametrize("name", ["carbon/profiles.json", "regions.json", "prices.json", "latency.json"])
def test_snapshot_when_opened_then_it_says_source_date_basis_and_licence(name):
    """A figure without a source is a rumour."""
    provenance = json.loads((DATA / name).read_text(encoding="utf-8"))["provenance"]
    assert {"source", "date", "basis", "licence"} <= set(provenance)


def test_carbon_folder_when_it_is_passed_on_then_the_licence_is_in_it():
    """ODbL: credit, and share-alike of derived databases."""
    notice = (DATA / "carbon" / "LICENSE.md").read_text(encoding="utf-8")
    assert "Open Database License" in notice
    assert "Electricity Maps" in notice


def test_snapshots_when_counted_then_they_are_small():
    """The package carries facts, not data sets."""
    assert sum(path.stat().st_size for path in Path(str(DATA)).rglob("*.json")) < 500_000


@pytest.mark.parametrize("kind", KINDS)
def test_facts_when_collected_then_every_known_region_has_one(kind):
    """A known region is one that there are facts of."""
    assert set(packaged_facts(NOW).of(kind)) == set(KNOWN_REGIONS)


@pytest.mark.parametrize(
    ("now", "days_of_june"),
    [
        (datetime(2026, 6, 23, 23, 59, tzinfo=UTC), 7),
        (datetime(2026, 6, 25, tzinfo=UTC), 6),
        (datetime(2026, 6, 28, tzinfo=UTC), 3),
        (datetime(2026, 6, 30, tzinfo=UTC), 1),
        (datetime(2026, 6, 30, 23, 59, tzinfo=UTC), 0),
    ],
)
def test_carbon_when_a_month_ends_within_a_week_then_the_profile_is_of_both_by_their_days(now, days_of_june):
    """A plan that is solved on the 28th is for three days of this month and four of the next."""
    june, july = (packaged_facts(NOW.replace(month=month)).carbon["us-west-1"].body.hourly for month in (6, 7))
    both = packaged_facts(now).carbon["us-west-1"].body
    expected = [(days_of_june * a + (7 - days_of_june) * b) / 7 for a, b in zip(june, july, strict=True)]
    assert both.hourly == pytest.approx(expected, abs=0.11)  # each is rounded to 0.1
    named = {7: "month 6 of", 0: "month 7 of"}.get(days_of_june, "months 6 and 7, by their days, of")
    assert both.provenance["basis"].startswith(f"means of {named} 2023 by hour of day, at the level of 2025")


def test_carbon_when_a_month_ends_during_a_day_then_each_hour_of_day_has_its_own_seven():
    """At noon of the 28th the hours before noon have two days of the month left, those after it three."""
    june, july = (packaged_facts(NOW.replace(month=month)).carbon["us-west-1"].body.hourly for month in (6, 7))
    both = packaged_facts(datetime(2026, 6, 28, 12, tzinfo=UTC)).carbon["us-west-1"].body.hourly
    assert both[11] == pytest.approx((2 * june[11] + 5 * july[11]) / 7, abs=0.11)
    assert both[12] == pytest.approx((3 * june[12] + 4 * july[12]) / 7, abs=0.11)


def test_carbon_when_a_year_ends_within_a_week_then_january_follows_december():
    """Of the same year's shape: nobody knows the next one's."""
    basis = packaged_facts(datetime(2026, 12, 30, 12, tzinfo=UTC)).carbon["us-west-1"].body.provenance["basis"]
    assert basis.startswith("means of months 12 and 1, by their days, of 2023")


def test_profiles_when_a_forecast_falls_back_to_one_then_it_is_the_facts_own():
    """Of each region, and of the other zone where that source is chosen."""
    for source in (CarbonSnapshot(), CarbonSnapshot(other_zones=True)):
        bodies = source.collect(NOW, KNOWN_REGIONS).bodies
        profiles = source.profiles()
        assert {region: body.hourly for region, body in bodies.items()} == {
            region: tuple(round(value, 1) for value in profile.coming_days(NOW)) for region, profile in profiles.items()
        }


@pytest.mark.parametrize("month", [1, 7])
def test_carbon_when_the_month_changes_then_the_profile_is_that_months(month):
    """24 means by hour of day, UTC, in the shape of its month, and their mean."""
    body = packaged_facts(NOW.replace(month=month)).carbon["us-west-1"].body
    shape = PROFILES["zones"]["US-CAL-CISO"]["monthly_hourly"][month - 1]
    ratios = [intensity / raw for intensity, raw in zip(body.hourly, shape, strict=True)]
    assert max(ratios) - min(ratios) < 0.002  # rounding
    assert body.average == pytest.approx(sum(body.hourly) / 24, abs=0.001)


@pytest.fixture(scope="module")
def months():
    """The carbon facts of each month."""
    return [packaged_facts(NOW.replace(month=month)).carbon for month in range(1, 13)]


@pytest.mark.parametrize("region", KNOWN_REGIONS)
def test_carbon_when_a_year_is_averaged_then_it_is_the_newest_annual_level(region, months):
    """Grids change by up to half within a few years: an old year's shape is no reason for an old year's level."""
    year = [month[region].body for month in months]
    days = [monthrange(2023, month)[1] for month in range(1, 13)]
    mean = sum(n * body.average for n, body in zip(days, year, strict=True)) / sum(days)
    level = PROFILES["zones"][year[0].provenance["zone"]]["annual_levels"]["2025"]
    assert mean == pytest.approx(level, rel=0.005)
    assert year[0].provenance["level"] == level


@pytest.mark.parametrize(
    ("zone", "level"), [("CH", 50), ("FR", 31), ("IE", 301), ("US-CAL-CISO", 208), ("CA-QC", 41), ("HK", 590)]
)
def test_levels_when_read_then_they_are_those_of_2025(zone, level):
    """As published by Electricity Maps, g CO2eq/kWh; these moved most."""
    assert PROFILES["zones"][zone]["annual_levels"]["2025"] == level


def test_profiles_when_hours_are_estimated_then_the_share_says_so():
    """The flag comes as `True` and as `true`: two zones that are estimated throughout were taken for measured."""
    zones = PROFILES["zones"]
    assert [zones[zone]["estimated_share"] for zone in ("JP-TK", "IN-WE", "IN-SO")] == [1.0, 1.0, 1.0]
    assert zones["FR"]["estimated_share"] < 0.01
    assert zones["IE"]["estimated_share"] is None  # nobody says


def test_profiles_when_they_did_not_come_from_the_portal_then_the_source_says_so():
    """And the licence notice names the same zones."""
    research = {zone for zone, profile in PROFILES["zones"].items() if profile["shape_source"] == derive.RESEARCH}
    assert research == {"CH", "HK", "ID", "IE", "IL", "IT-NO", "JP-KN", "TW"}
    notice = (DATA / "carbon" / "LICENSE.md").read_text(encoding="utf-8")
    assert ", ".join(sorted(research)) in " ".join(notice.split())


def test_carbon_when_two_zones_are_named_for_a_region_then_the_fact_says_both_and_a_source_takes_the_other():
    """Oregon is PACW for some and BPAT for others, and the answers differ by a third."""
    one, other = (
        source.collect(NOW, ["us-west-2"]).bodies["us-west-2"]
        for source in sources_of("carbon", ["snapshot", "snapshot_other_zones"], {}, KeyRing(""))
    )
    assert one.provenance["zone"] == "US-NW-PACW"
    assert one.provenance["contested"] == "is taken as US-NW-PACW (204 g/kWh), others name US-NW-BPAT (129 g/kWh)"
    assert other.provenance["zone"] == "US-NW-BPAT"
    assert other.average < one.average


def test_carbon_when_a_zone_has_no_hours_then_its_level_is_the_same_at_all_hours_and_says_so():
    """Thailand publishes annual levels only."""
    body = packaged_facts(NOW).carbon["ap-southeast-7"].body
    assert set(body.hourly) == {485.0}
    assert body.provenance["basis"] == (
        "the same at all hours, at the level of 2025, lifecycle, of consumption; no forecast"
    )


def test_carbon_when_regions_are_compared_then_quebec_is_clean_and_california_has_a_daily_cycle():
    """What is known of the grids holds in the snapshot."""
    carbon = packaged_facts(NOW.replace(month=6)).carbon
    assert max(carbon["ca-central-1"].body.hourly) < 100
    california = carbon["us-west-1"].body.hourly
    assert max(california) > 1.5 * min(california)
    assert carbon["us-east-1"].body.hourly == carbon["us-east-2"].body.hourly  # one grid zone


def test_pue_when_aws_publishes_none_for_a_region_then_it_is_the_fleets_and_marked():
    """London has no figure of its own, Frankfurt has."""
    provider = packaged_facts(NOW).provider
    assert provider["eu-west-2"].body.pue == derive.AWS_FLEET_PUE
    assert provider["eu-west-2"].body.has_pue_of_fleet
    assert provider["eu-central-1"].body.pue == 1.34
    assert not provider["eu-central-1"].body.has_pue_of_fleet


def test_power_when_the_processor_is_arm_then_it_draws_less():
    """Graviton is no x86 with another price."""
    cpu = packaged_facts(NOW).provider["us-east-1"].body.cpu_kw_per_vcpu
    assert (cpu["x86_64"].full, cpu["arm64"].full) == (0.0035, 0.00169)


def test_egress_when_the_table_lacks_a_region_then_the_stand_in_is_named():
    """Nine regions pay what a named other one pays, marked as assumed."""
    provider = packaged_facts(NOW).provider
    assumed = {
        r: fact.body.provenance["egress_stand_in"] for r, fact in provider.items() if fact.body.has_assumed_egress
    }
    assert assumed == dict(derive.EGRESS_STAND_INS)
    calgary, montreal = (provider[r].body.price_usd for r in ("ca-west-1", "ca-central-1"))
    assert calgary.egress_other_region_per_gb == montreal.egress_other_region_per_gb == 0.02


def test_pings_when_there_are_only_medians_then_each_list_has_one_sample_and_says_so():
    """No modelled spread is passed off as measured."""
    body = packaged_facts(NOW).performance["us-east-1"].body
    assert set(body.ping_s) == set(KNOWN_REGIONS)
    assert all(len(samples) == 1 and 0 < samples[0] < 1 for samples in body.ping_s.values())
    assert "medians" in str(body.provenance["ping"])


def test_pings_when_nobody_measured_a_region_then_they_are_estimated_by_distance_and_say_so():
    """Auckland and Taipei; of the others, their round trips to these two."""
    bodies = {region: fact.body for region, fact in packaged_facts(NOW).performance.items()}
    auckland, sydney = bodies["ap-southeast-6"], bodies["ap-southeast-2"]
    assert auckland.estimated_to == KNOWN_REGIONS
    assert (auckland.provenance["estimated_share"], sydney.provenance["estimated_share"]) == (1.0, 0.0625)
    assert sydney.estimated_to == ("ap-southeast-6", "ap-east-2")
    assert sydney.ping_s["ap-southeast-6"] == auckland.ping_s["ap-southeast-2"] == (0.041932,)  # 2,158 km
    assert packaged_facts(NOW).performance["ap-southeast-6"].method == "offline: estimated by distance"


def test_pings_when_they_are_estimated_then_the_error_is_that_of_regions_left_out_one_by_one():
    """docs/data.md has the figures: half of the pairs within 13 %, nine in ten within 36 %, the worst 75 %."""
    line = json.loads((DATA / "latency.json").read_text(encoding="utf-8"))["distance_line"]
    assert (line["median_error"], line["error_of_nine_in_ten"]) == (0.134, 0.364)
    assert (line["least_error"], line["greatest_error"]) == (-0.685, 0.752)


def test_distance_when_places_are_known_then_it_is_along_the_great_circle():
    """London to Singapore; light is there and back in 72 ms."""
    places = places_of_regions()
    km = distance_km(places["eu-west-2"], places["ap-southeast-1"])
    assert km == pytest.approx(10_850, rel=0.01)
    assert least_round_trip_s(km) == pytest.approx(0.0724, abs=0.001)
    assert distance_km((0.0, 0.0), (0.0, 180.0)) == pytest.approx(20_015, abs=1)


def test_line_when_pairs_are_on_one_then_it_is_found_though_one_pair_is_far_off():
    """A cable around the world is no reason to think that all others are slow."""
    line = fitted([*((km, 0.01 + km * 1.5e-5) for km in range(500, 10_000, 500)), (3000.0, 0.4)])
    assert (line.base_s, line.per_km_s) == (pytest.approx(0.01), pytest.approx(1.5e-5))


def test_carbon_when_marginal_intensity_is_known_then_the_fact_has_it_and_else_not():
    """Absent is not zero, and no stand-in."""
    carbon = packaged_facts(NOW).carbon
    assert carbon["us-east-1"].body.marginal == 565.38
    assert carbon["mx-central-1"].body.marginal is None
    assert "marginal" not in carbon["mx-central-1"].body.to_json()


@pytest.mark.parametrize(
    ("intensity", "time"),
    [("nan", "2023-01-01 01:00"), ("inf", "2023-01-01 01:00"), ("-1", "2023-01-01 01:00"), ("2", "2023-01-01 00:00")],
    ids=["no number", "no end", "below zero", "an hour twice"],
)
def test_profile_when_an_hour_is_none_or_stands_twice_then_it_is_refused(intensity, time):
    """What is derived is packaged, and nobody looks at it again."""
    names = ("timestamp_utc", "gCO2eq_per_kWh_lifecycle", "estimated")
    rows = [dict(zip(names, row, strict=True)) for row in (("2023-01-01 00:00", "1", ""), (time, intensity, ""))]
    with pytest.raises(ValueError, match=rf"{time} stands twice, or its intensity"):
        derive._shape(rows)
