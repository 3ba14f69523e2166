"""Marginal intensity beside the average one: two signals, two choices, and never the one for the other."""

from datetime import timedelta

import pytest
from contract import make_impatient
from keyed_cases import KEYS, carbon_aware, electricity_maps, watttime
from keyed_services import NOW, USER, CarbonAwareService, WattTimeService
from loopback import Answer, serving

from caribou.collectors import handlers
from caribou.collectors.chain import gather
from caribou.collectors.facts import InMemoryFactTable
from caribou.collectors.series import Signal
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.live_carbon import LiveCarbon
from caribou.collectors.sources.live_marginal import LiveMarginal, WithMarginal
from caribou.collectors.sources.registry import sources_of
from caribou.collectors.sources.settings import SourceSettings, settings_text
from caribou.collectors.sources.snapshot import CarbonSnapshot
from caribou.collectors.sources.watttime import G_PER_KWH
from caribou.model.errors import InvalidInputError
from caribou.model.regions import KNOWN_REGIONS

REGIONS = ["us-east-1", "us-west-1", "mx-central-1"]


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Nobody waits."""
    return make_impatient(monkeypatch)


def packaged(region):
    """What the snapshot has of a region."""
    return CarbonSnapshot().collect(NOW, [region]).bodies[region]


def test_fact_when_a_live_source_has_its_marginal_intensity_then_that_is_the_mean_of_four_weeks():
    """The average one stays what it was; the fact says whence, since when, of which model."""
    with serving(WattTimeService(regions=frozenset({"PJM_DC"}))) as there:
        settings = {"watttime": SourceSettings(there.url)}
        gathered = gather(sources_of("carbon", ["snapshot"], settings, KEYS, ["watttime"]), NOW, REGIONS)
    bodies = {fact.region: fact.body for fact in gathered.facts}
    east = bodies["us-east-1"]
    assert east.marginal == pytest.approx(300 * G_PER_KWH, rel=0.001)
    assert (east.hourly, east.average) == (packaged("us-east-1").hourly, packaged("us-east-1").average)
    said = {key: value for key, value in east.provenance.items() if key.startswith("marginal_")}
    assert said == {
        "marginal_source": "WattTime",
        "marginal_basis": "co2_moer, marginal, direct CO2 of operation; mean of 672 of the 672 hours of the last 28 "
        "days, up to 2026-03-04 04:00 UTC",
        "marginal_retrieved_at": NOW.isoformat(),
        "marginal_zone": "PJM_DC",
        "marginal_estimated_share": 0.0,
        "marginal_licence": "WattTime's terms of the account's plan; not to be passed on",
        "marginal_model_date": "2022-10-01",
    }
    assert gathered.marginal_sources == {"WattTime": 1}
    west = bodies["us-west-1"]
    assert west.marginal == packaged("us-west-1").marginal
    assert "does not give this to the key's plan" in west.provenance["marginal_fallback"]
    assert bodies["mx-central-1"].marginal is None
    assert any(text.startswith("marginal intensity: WattTime: does not give this") for text in gathered.fallbacks)
    assert "marginal intensity: WattTime: does not cover it (mx-central-1)" in gathered.fallbacks


def test_fact_when_the_first_source_fails_then_the_next_is_asked_and_the_fact_says_so():
    """Each in its turn, for the regions that are left."""
    with serving(WattTimeService()) as first, serving(CarbonAwareService()) as second:
        first.always = Answer(b"{}", 500)
        feeds = [LiveMarginal(watttime(first.url)), LiveMarginal(carbon_aware(second.url, Signal.MARGINAL))]
        given = WithMarginal(CarbonSnapshot(), feeds).collect(NOW, ["us-east-1"])
    body = given.bodies["us-east-1"]
    assert body.provenance["marginal_source"] == "Carbon Aware SDK"
    assert body.provenance["marginal_fallback"].startswith("WattTime: is out of order")
    assert body.marginal == pytest.approx(300, rel=0.001)


def test_fact_when_there_is_no_key_then_it_keeps_the_annual_mean_and_says_why():
    """One reason for all."""
    sources = sources_of("carbon", ["snapshot"], {}, KeyRing("", {}), ["watttime"])
    gathered = gather(sources, NOW, REGIONS)
    assert len(gathered.facts) == 3
    assert gathered.marginal_sources == {}
    (text,) = (text for text in gathered.fallbacks if "no key" in text)
    assert "set CARIBOU_WATTTIME_KEY" in text


def test_handler_when_its_variable_names_a_source_then_its_answer_says_of_how_many_regions_it_gave_it(monkeypatch):
    """The control plane's stack writes the variable; the key is read from where the settings say."""
    table = InMemoryFactTable()
    monkeypatch.setattr(handlers, "DynamoFactTable", lambda *_: table)
    with serving(WattTimeService()) as there:
        settings = settings_text({"watttime": SourceSettings(there.url, "ssm:/caribou/watttime")})
        variables = {
            "CARIBOU_FACT_TABLE": "t",
            "AWS_REGION": "us-west-2",
            "CARIBOU_SOURCE_SETTINGS": settings,
            "CARIBOU_MARGINAL_SOURCE": "watttime",
            "CARIBOU_WATTTIME_KEY": USER,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        answer = handlers.carbon_handler({}, None)
    assert (answer["facts"], answer["marginal_sources"]) == (len(KNOWN_REGIONS), {"WattTime": 3})
    assert [text[:28] for text in answer["fallbacks"]] == ["marginal intensity: WattTime"] * 2


def test_mean_when_half_of_the_hours_are_missing_then_there_is_none():
    """A mean of a few days is not one of weeks."""
    end = NOW.replace(minute=0)
    with serving(CarbonAwareService(empty_before=end - timedelta(days=13))) as there:
        feed = LiveMarginal(carbon_aware(there.url, Signal.MARGINAL))
        given = WithMarginal(CarbonSnapshot(), [feed]).collect(NOW, ["us-east-1"])
    body = given.bodies["us-east-1"]
    assert body.marginal == packaged("us-east-1").marginal
    assert "312 of the 672 hours" in body.provenance["marginal_fallback"]


def test_signals_when_they_are_mixed_up_then_neither_takes_the_others_feed():
    """Whatever a registry says."""
    with pytest.raises(InvalidInputError, match=r"source watttime: gives marginal .*caribou:marginal_source"):
        LiveCarbon(watttime("http://x"))
    with pytest.raises(InvalidInputError, match="gives average intensity"):
        LiveMarginal(electricity_maps("http://x"))
    with pytest.raises(InvalidInputError, match="gives marginal intensity"):
        LiveCarbon(carbon_aware("http://x", Signal.MARGINAL))
