"""What a project's context says of sources: the settings that come of it, and mistakes in it."""

import json

import pytest

from caribou.collectors.series import Signal
from caribou.collectors.sources.choice import read_choice
from caribou.collectors.sources.registry import SOURCES, Row
from caribou.collectors.sources.settings import SourceSettings, settings_in, settings_text
from caribou.collectors.sources.snapshot import CarbonSnapshot
from caribou.model.errors import InvalidInputError

SECRET = "s3cret-k3y"


@pytest.fixture(autouse=True)
def live(monkeypatch):
    """A source with an address and a key."""
    row = Row(lambda *_: CarbonSnapshot(), url="https://example.org", takes_key=True)
    monkeypatch.setitem(SOURCES.carbon, "live", row)


def test_choice_when_it_says_all_then_each_source_has_its_settings(tmp_path):
    """As objects, or as the texts that `-c` gives; settings survive their way into an environment."""
    (tmp_path / "zones.json").write_text('{"live": {"us-west-2": "US-NW-BPAT"}}')
    context = {
        "caribou:carbon_source": "live, snapshot",
        "caribou:source_urls": {"live": "http://127.0.0.1:8080/v4"},
        "caribou:source_keys": json.dumps({"live": "ssm:/caribou/live"}),
        "caribou:source_zones": "zones.json",
    }
    choice = read_choice(context, "", tmp_path)
    own = SourceSettings("http://127.0.0.1:8080/v4", "ssm:/caribou/live", {"us-west-2": "US-NW-BPAT"})
    assert choice.names["carbon"] == ("live", "snapshot")
    assert choice.settings_of("carbon") == {"live": own} == settings_in(settings_text(choice.settings))
    assert choice.keys_wanted("carbon") == {"live": "ssm:/caribou/live"}
    assert choice.keys_wanted("provider") == {}


def test_choice_when_marginal_intensity_is_chosen_then_it_goes_with_carbon_and_keeps_its_key(tmp_path):
    """In its own order, with settings and keys that the carbon collector needs."""
    context = {
        "caribou:marginal_source": "watttime, carbon_aware_sdk",
        "caribou:source_urls": {"carbon_aware_sdk": "http://sdk"},
        "caribou:source_signals": {"carbon_aware_sdk": "marginal"},
        "caribou:source_keys": {"watttime": "ssm:/caribou/watttime"},
    }
    choice = read_choice(context, "", tmp_path)
    assert choice.marginal == ("watttime", "carbon_aware_sdk")
    assert choice.keys_wanted("carbon") == {"watttime": "ssm:/caribou/watttime"}
    assert choice.keys_wanted("provider") == {}
    settings = settings_in(settings_text(choice.settings_of("carbon")))
    assert settings["carbon_aware_sdk"] == SourceSettings("http://sdk", signal=Signal.MARGINAL)
    assert choice.settings_of("provider") == {}


@pytest.mark.parametrize(
    ("context", "asks"),
    [
        ({"caribou:carbon_source": "live, snapshot"}, True),
        ({"caribou:carbon_source": "snapshot_other_zones, snapshot"}, False),
        ({"caribou:marginal_source": "watttime", "caribou:source_keys": {"watttime": "ssm:/caribou/watttime"}}, False),
        (
            {
                "caribou:carbon_source": "carbon_aware_sdk, snapshot",
                "caribou:source_urls": {"carbon_aware_sdk": "http://sdk"},
                "caribou:source_signals": {"carbon_aware_sdk": "average"},
            },
            True,
        ),
    ],
    ids=["a public one", "packaged ones", "a marginal one", "one's own"],
)
def test_choice_when_a_source_is_a_live_one_then_its_kind_asks_a_service(context, asks, tmp_path):
    """What is new each hour is collected often; marginal intensity, a mean of weeks, does not hurry."""
    choice = read_choice(context, "", tmp_path)
    assert choice.asks_a_service("carbon") == asks
    assert not choice.asks_a_service("provider")


def test_choice_when_nothing_is_said_then_it_is_the_snapshots(tmp_path):
    """No settings, no keys."""
    choice = read_choice({}, "", tmp_path)
    assert set(choice.names.values()) == {("snapshot",)}
    assert choice.settings == {}


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"caribou:carbon_source": 3}, "is not a text"),
        ({"caribou:source_urls": {"other": "https://x"}}, "no source .found: other.*use one of .*live.*snapshot"),
        ({"caribou:source_urls": {"live": "ftp://x"}}, "is no address"),
        ({"caribou:source_urls": {"live": f"https://me:{SECRET}@x"}}, "is no address"),
        ({"caribou:source_urls": {"live": f"https://x?key={SECRET}"}}, "is no address"),
        ({"caribou:source_urls": {"live": "http://[x"}}, "is no address"),
        ({"caribou:source_urls": {"live": "http://x:99999"}}, "is no address"),
        ({"caribou:source_urls": {"live": "http://x:port"}}, "is no address"),
        ({"caribou:source_urls": {"live": "http://x y"}}, "is no address"),
        ({"caribou:source_urls": {"live": f"http://x/#{SECRET}"}}, "is no address"),
        ({"caribou:source_keys": {"live": SECRET}}, "never the key itself"),
        ({"caribou:source_keys": {"live": "ssm: /live"}}, "says not where the key is"),
        ({"caribou:source_keys": {"snapshot": "ssm:/live"}}, "source_keys.snapshot: takes no key"),
        ({"caribou:source_keys": {SECRET: "live"}}, "no source.*use one of eia, electricity_maps, ents"),
        ({"caribou:source_keys": SECRET}, "is no JSON"),
        ({"caribou:source_keys": {"live": [SECRET]}}, "object of texts"),
        ({"caribou:source_zones": "none.json"}, "can't be read"),
        ({"caribou:source_zones": "list.json"}, "no JSON object"),
        ({"caribou:source_zones": "region.json"}, "not a region"),
        ({"caribou:source_zones": "zone.json"}, "is no zone"),
        ({"caribou:source_zones": 3}, "no name of a file"),
        ({"caribou:carbon_source": "watttime, snapshot"}, "marginal intensity, no average .*choose it by caribou:marg"),
        ({"caribou:marginal_source": "electricity_maps"}, "no marginal intensity .*use one of carbon_aware_sdk, wattt"),
        ({"caribou:marginal_source": "moon"}, "is no source of marginal intensity .*watttime"),
        ({"caribou:marginal_source": "watttime,watttime"}, "has a source twice"),
        ({"caribou:marginal_source": ["watttime"]}, "is not a text"),
        ({"caribou:source_signals": {"carbon_aware_sdk": "both"}}, "is no signal .*write average or marginal"),
        ({"caribou:source_signals": {"watttime": "average"}}, "watttime: gives one signal only"),
        ({"caribou:carbon_source": "carbon_aware_sdk"}, "carbon_source: is nowhere .*caribou:source_urls"),
        (
            {"caribou:carbon_source": "carbon_aware_sdk", "caribou:source_urls": {"carbon_aware_sdk": "http://x"}},
            'is not said to give average intensity .*caribou:source_signals.*: {"carbon_aware_sdk": "average"}',
        ),
        (
            {
                "caribou:marginal_source": "carbon_aware_sdk",
                "caribou:source_urls": {"carbon_aware_sdk": "http://x"},
                "caribou:source_signals": {"carbon_aware_sdk": "average"},
            },
            "marginal_source: gives average intensity",
        ),
    ],
)
def test_choice_when_something_is_wrong_then_one_message_says_where(context, said, tmp_path):
    """Never with what may be a key."""
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "region.json").write_text('{"live": {"us-west-9": "X"}}')
    (tmp_path / "zone.json").write_text('{"live": {"us-west-2": 3}}')
    with pytest.raises(InvalidInputError, match=said) as caught:
        read_choice(context, "cdk.json: context ", tmp_path)
    assert SECRET not in str(caught.value)
