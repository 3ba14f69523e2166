"""`caribou data_collect carbon` on services of the loopback: what it says, what it writes, and that no key is shown."""

import contextlib
import json
import logging
from dataclasses import dataclass, field

import pytest
from click.testing import CliRunner
from contract import KEY, make_impatient
from keyed_services import TOKEN, USER, ElectricityMapsService, WattTimeService
from loopback import Answer, serving

from caribou.cli import collect
from caribou.collectors.bodies import CarbonBody
from caribou.collectors.facts import InMemoryFactTable
from caribou.model.errors import OperationFailedError
from caribou.model.regions import KNOWN_REGIONS

ALL = len(KNOWN_REGIONS)
PLAN = frozenset({"US-MIDA-PJM", "US-NW-PACW"})


@dataclass
class Plane:
    """A control plane whose table of facts is in memory."""

    facts: InMemoryFactTable = field(default_factory=InMemoryFactTable)
    region = "us-west-2"

    @contextlib.contextmanager
    def aws_errors_as(self, _):
        """No AWS, no errors of it."""
        yield


@pytest.fixture
def plane(monkeypatch):
    """What the command writes into; the keys are in the environment."""
    make_impatient(monkeypatch)
    plane = Plane()
    monkeypatch.setattr(collect, "control_plane", lambda _: plane)
    monkeypatch.setenv("CARIBOU_ELECTRICITY_MAPS_KEY", KEY)
    monkeypatch.setenv("CARIBOU_WATTTIME_KEY", USER)
    return plane


@pytest.fixture
def collected(plane, tmp_path, monkeypatch, caplog):
    """The command's result in a project of that context; no key is in any of it."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)

    def run(**context):
        keyed = {f"caribou:{key}": value for key, value in context.items()}
        (tmp_path / "cdk.json").write_text(json.dumps({"context": keyed}))
        result = CliRunner().invoke(collect.data_collect, ["carbon"])
        said = (
            result.output
            + result.stderr
            + caplog.text
            + str(result.exception)
            + json.dumps(list(plane.facts.items.values()))
        )
        assert not [secret for secret in (KEY, TOKEN) if secret in said]
        return result

    return run


def test_data_collect_when_zones_are_not_in_the_plan_then_they_are_the_snapshots_and_that_is_said(collected, plane):
    """In the output, and in each fact."""
    with serving(ElectricityMapsService(plan=PLAN)) as there:
        result = collected(carbon_source="electricity_maps, snapshot", source_urls={"electricity_maps": there.url})
    assert result.exit_code == 0, result.exception
    live, packaged = result.stdout.splitlines()
    assert live.startswith("carbon: 3 regions, from Electricity Maps (hours up to ")
    assert packaged.startswith(
        f"carbon: {ALL - 3} regions, from the snapshot of Electricity Maps, lifecycle (levels of 2025"
    )
    refused = "does not give this to the key's plan: v4/carbon-intensity/history: HTTP 403"
    assert f"warning: carbon: Electricity Maps: {refused} (eu-north-1)" in result.stderr
    facts = {fact.region: fact for fact in plane.facts.of_kind(CarbonBody)}
    assert facts["us-east-2"].source == "Electricity Maps"
    assert facts["eu-north-1"].source.startswith("snapshot")
    assert facts["eu-north-1"].body.provenance["fallback"] == f"Electricity Maps: {refused}"


def test_data_collect_when_marginal_intensity_is_chosen_then_it_is_said_from_where(collected, plane):
    """Both signals at once, each from its own source."""
    with serving(ElectricityMapsService(plan=PLAN)) as average, serving(WattTimeService()) as marginal:
        urls = {"electricity_maps": average.url, "watttime": marginal.url}
        result = collected(carbon_source="electricity_maps, snapshot", marginal_source="watttime", source_urls=urls)
    assert result.stderr.startswith("carbon: asking electricity_maps, watttime; one that is silent is given up")
    assert "carbon: marginal intensity of 3 regions, from WattTime" in result.stdout
    assert "warning: carbon: marginal intensity: WattTime: does not give this to the key's plan" in result.stderr
    facts = {fact.region: fact.body for fact in plane.facts.of_kind(CarbonBody)}
    assert [region for region, body in facts.items() if body.has_live_marginal] == [
        "us-east-1",
        "us-west-1",
        "us-west-2",
    ]


@pytest.mark.parametrize("status", [401, 500, 429])
def test_data_collect_when_the_service_is_at_fault_then_it_is_one_fallback_or_one_error(collected, plane, status):
    """With nothing behind it the command fails, and the facts that are there stay."""
    with serving(ElectricityMapsService()) as there:
        there.always = Answer(b"{}", status, {"Retry-After": "3600"})
        urls = {"electricity_maps": there.url}
        assert collected(carbon_source="electricity_maps, snapshot", source_urls=urls).exit_code == 0
        before, asked = dict(plane.facts.items), len(there.requests)
        result = collected(carbon_source="electricity_maps", source_urls=urls)
    assert isinstance(result.exception, OperationFailedError)
    assert str(result.exception).endswith(f"and {ALL - 4} more). The facts that are there stay")
    assert plane.facts.items == before
    assert len(there.requests) <= 2 * asked  # it is not asked on, region by region
    assert asked <= 4


def test_data_collect_when_there_is_no_key_then_the_warning_says_how_to_give_one(collected, plane, monkeypatch):
    """Nobody is asked."""
    monkeypatch.delenv("CARIBOU_ELECTRICITY_MAPS_KEY")
    result = collected(carbon_source="electricity_maps, snapshot")
    assert "warning: carbon: Electricity Maps: no key: set CARIBOU_ELECTRICITY_MAPS_KEY" in result.stderr
    assert len(plane.facts.items) == ALL
