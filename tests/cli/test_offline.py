"""With no key and no network: all facts are collected, and every output says that they are offline, and of when."""

import json
import socket
from types import SimpleNamespace

import pytest
from builders import ROOT
from click.testing import CliRunner

from caribou.cli import collect, data_status
from caribou.collectors import handlers
from caribou.collectors.facts import InMemoryFactTable
from caribou.collectors.registrations import InMemoryRegistry
from caribou.control.aws import aws_errors_as
from caribou.model.regions import KNOWN_REGIONS

CARBON = "the snapshot of Electricity Maps, lifecycle (levels of 2025, shapes of {})"
ALL = len(KNOWN_REGIONS)
SAID = f"""\
carbon: {ALL} regions, from {CARBON.format("2022 to 2023")}; \
offline: profile by month and hour of day, at the newest annual level; no forecast
provider: {ALL} regions, from the snapshot of AWS list prices and PUE \
(prices of August to October 2025; egress: 2023, PUE of 2024 to 2025); \
offline: list prices, published PUE, modelled power
performance: {ALL} regions, from the snapshot of CloudPing medians (one year to 2025-10-09); \
offline: measured medians of a year (30); offline: estimated by distance (2)
workflow: none is deployed
"""


@pytest.fixture
def plane(tmp_path, monkeypatch):
    """A project and its control plane, in memory; whoever opens a connection fails."""
    (tmp_path / "cdk.json").write_text("{}")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "small_sync_example").symlink_to(ROOT / "workflows" / "small_sync_example")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "socket", None)
    plane = SimpleNamespace(
        facts=InMemoryFactTable(), region="us-west-2", registry=InMemoryRegistry(), aws_errors_as=aws_errors_as
    )
    for module in (collect, data_status):
        monkeypatch.setattr(module, "control_plane", lambda _: plane)
    return plane


def test_collect_when_there_is_neither_key_nor_network_then_all_is_collected_and_said_to_be_offline(plane):
    """By the command, and by what asks what there is."""
    done = CliRunner().invoke(collect.data_collect, ["all"], catch_exceptions=False, standalone_mode=False)
    assert done.stdout == SAID
    assert done.stderr == ""
    assert len(plane.facts.items) == 3 * ALL
    status = CliRunner().invoke(data_status.data_status, ["--json"], catch_exceptions=False, standalone_mode=False)
    [carbon, *_] = json.loads(status.stdout)["kinds"]
    assert carbon["sources"][0]["data"] == "levels of 2025, shapes of 2023"
    assert carbon["sources"][0]["method"].startswith("offline")


@pytest.mark.usefixtures("plane")
def test_collector_when_there_is_neither_key_nor_network_then_its_answer_says_of_when_the_data_is(monkeypatch):
    """As its log does."""
    monkeypatch.setattr(handlers, "DynamoFactTable", lambda *_: InMemoryFactTable())
    for key, value in {"CARIBOU_FACT_TABLE": "t", "AWS_REGION": "us-west-2"}.items():
        monkeypatch.setenv(key, value)
    answer = handlers.carbon_handler({}, None)
    assert answer["data"] == CARBON.format("2022 to 2023")
