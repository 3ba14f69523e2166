"""`caribou data_status`: which data placements rest on."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from builders import ROOT
from click.testing import CliRunner

from caribou.cli import data_status as verb
from caribou.collectors.facts import DamagedFactError, InMemoryFactTable
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.aws import aws_errors_as
from caribou.model.errors import InvalidInputError
from caribou.model.regions import KNOWN_REGIONS

NOW = datetime.now(UTC)
KINDS, ALL = ("carbon", "provider", "performance"), len(KNOWN_REGIONS)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a workflow that may run in three regions, as the current folder; 80 columns."""
    (tmp_path / "cdk.json").write_text("{}")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "small_sync_example").symlink_to(ROOT / "workflows" / "small_sync_example")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def table(monkeypatch):
    """The control plane's table, empty at first."""
    table = InMemoryFactTable()
    plane = SimpleNamespace(facts=table, region="us-west-2", aws_errors_as=aws_errors_as)
    monkeypatch.setattr(verb, "control_plane", lambda _: plane)
    return table


def said(*arguments):
    """What the command prints."""
    return CliRunner().invoke(verb.data_status, arguments, catch_exceptions=False, standalone_mode=False)


def words(text):
    """A table's text, without its lines."""
    return " ".join(text.translate(str.maketrans("│┌┐└┘├┤─┬┴┼", " " * 11)).split())


def collected(table, age=timedelta(hours=3), **changes):
    """Fill the table with packaged facts of some age; `changes` of carbon facts by region, with _ for -."""
    facts = packaged_facts(NOW - age)
    carbon = {r: replace(fact, **changes.get(r.replace("-", "_"), {})) for r, fact in facts.carbon.items()}
    for own in (carbon, facts.provider, facts.performance):
        table.put(own.values())


@pytest.mark.usefixtures("project")
def test_status_when_facts_were_collected_then_all_of_them_is_said_in_80_columns(table):
    """Source with the years of its data, method, terms, age, until when, regions, estimates, and what comes next."""
    collected(table)
    output = said().output
    assert max(map(len, output.splitlines())) <= 80
    text, until = words(output), NOW - timedelta(hours=3) + timedelta(days=7)
    for part in (
        "Facts of 3 regions, in the control plane's table in us-west-2",
        "source the snapshot of Electricity Maps, lifecycle (levels of 2025, shapes of 2023)",
        "method offline: profile by month and hour of day",
        "licence ODbL 1.0",
        "age 3 hours, of",
        f"valid until {until:%Y-%m-%d %H:%M} UTC",
        f"regions 3 of 3; {ALL} of all {ALL}",
        "estimated 1% of hours",
        "estimated 6% of round trips",
        f"next due by {NOW + timedelta(hours=21):%Y-%m-%d %H:%M} UTC",
        "chosen snapshot",
    ):
        assert part in text, part


def test_status_when_the_project_says_when_facts_are_collected_then_the_next_ones_are_due_by_then(project, table):
    """At the latest: after the longest time between two runs of its schedule, over a weekend."""
    at = {"carbon": "rate(6 hours)", "provider": "cron(0 5 ? * MON-FRI *)"}
    (project / "cdk.json").write_text(json.dumps({"context": {"caribou:collect_at": at}}))
    collected(table)
    kinds = {kind["kind"]: kind["next_by"] for kind in json.loads(said("--json").output)["kinds"]}
    hours = {"carbon": 6 - 3, "provider": 72 - 3, "performance": 24 - 3}
    assert kinds == {kind: (NOW + timedelta(hours=after)).isoformat() for kind, after in hours.items()}
    (project / "cdk.json").write_text(json.dumps({"context": {"caribou:collect_at": {"carbon": "hourly"}}}))
    with pytest.raises(InvalidInputError, match=r"caribou:collect_at\.carbon: is no schedule expression"):
        said()


@pytest.mark.usefixtures("project")
def test_status_when_marginal_intensity_is_a_live_sources_then_it_says_whose_and_of_which_regions(table):
    """With its terms; where it could not be had, why."""
    carbon = packaged_facts(NOW).carbon
    live = carbon["us-west-2"].body.with_provenance({"marginal_source": "WattTime", "marginal_licence": "its plan's"})
    lacking = carbon["us-east-1"].body.with_provenance({"marginal_fallback": "WattTime: does not cover it"})
    collected(table, us_west_2={"body": live}, us_east_1={"body": lacking})
    text = words(said().output)
    assert "marginal WattTime (its plan's): us-west-2" in text
    assert "fallback marginal intensity: WattTime: does not cover it (us-east-1)" in text
    status = json.loads(said("--json").output)["kinds"][0]
    assert status["marginal_sources"] == [{"source": "WattTime (its plan's)", "regions": ["us-west-2"]}]


@pytest.mark.usefixtures("project")
def test_status_when_facts_differ_then_sources_fallbacks_and_what_is_late_are_said(table):
    """Of two sources in one kind each has its regions."""
    fallen = packaged_facts(NOW).carbon["us-west-2"]
    why = "Grid Co does not accept the key"
    body = fallen.body.with_provenance({"fallback": why, "estimated_share": None})
    collected(table, timedelta(days=9), us_west_2={"source": "Other Grid", "method": "measured", "body": body})
    del table.items["carbon", "ca-central-1"]
    text = words(said().output)
    assert "source Other Grid (levels of 2025, shapes of 2023): us-west-2" in text
    assert f"fallback {why} (us-west-2)" in text
    assert "9 days, of" in text
    assert "UTC: expired" in text
    assert f"regions 2 of 3, without ca-central-1; {ALL - 1} of all {ALL}" in text
    assert "not known of us-west-2" in text
    assert "next was due by" in text


def test_status_when_a_kind_has_a_schedule_of_its_own_then_it_is_old_and_due_by_that(project, table):
    """Each hour; what is not collected by it any more is 7 hours old at most."""
    (project / "cdk.json").write_text('{"context": {"caribou:collect_at": {"carbon": "rate(1 hour)"}}}')
    collected(table, timedelta(hours=8))
    states = {kind["kind"]: (kind["state"], kind["next_by"]) for kind in json.loads(said("--json").output)["kinds"]}
    assert states["carbon"] == ("old", (NOW - timedelta(hours=7)).isoformat())
    assert states["provider"] == ("fresh", (NOW + timedelta(hours=16)).isoformat())


def test_status_when_cdk_json_is_wrong_then_it_is_an_error_and_no_snapshot(project):
    """A mistake of the user's."""
    (project / "cdk.json").write_text('{"context": {"caribou:collect_at": {"carbon": "daily"}}}')
    with pytest.raises(InvalidInputError, match=r"collect_at\.carbon: is no schedule"):
        said()


@pytest.mark.usefixtures("project", "table")
def test_status_when_nothing_was_collected_then_it_says_what_to_run():
    """On the first day."""
    assert "none: nothing was collected yet. Run `caribou data_collect carbon`" in words(said().output)


@pytest.mark.usefixtures("project")
def test_status_when_there_is_no_cloud_then_it_shows_the_packaged_snapshots_and_says_why(monkeypatch):
    """With the years of their data; nothing was collected, so that there is no age."""

    def refuse(_):
        raise InvalidInputError("there are none", where="AWS credentials", fix="get some")

    monkeypatch.setattr(verb, "control_plane", refuse)
    result = said()
    text = words(result.stdout)
    assert "can't be read: AWS credentials: there are none" in result.stderr
    assert "Facts of 3 regions, offline: the packaged snapshots" in text
    assert "(levels of 2025, shapes of 2023)" in text
    assert "one year to 2025-10-09" in text
    assert " age " not in text
    parsed = json.loads(said("--json").stdout)
    assert parsed["packaged"]
    assert parsed["kinds"][0]["sources"][0]["data"] == "levels of 2025, shapes of 2023"


def test_status_when_json_is_asked_for_then_it_has_all_kinds_and_what_is_chosen(project, table):
    """Times as ISO 8601; regions that lack a fact."""
    (project / "cdk.json").write_text('{"context": {"caribou:carbon_source": "snapshot_other_zones, snapshot"}}')
    collected(table)
    del table.items["carbon", "ca-central-1"]
    parsed = json.loads(said("--json").output)
    carbon = parsed["kinds"][0]
    assert [kind["kind"] for kind in parsed["kinds"]] == list(KINDS)
    assert parsed["chosen"]["carbon"] == ["snapshot_other_zones", "snapshot"]
    assert carbon["missing"] == ["ca-central-1"]
    assert carbon["state"] == "fresh"
    assert datetime.fromisoformat(carbon["valid_until"]) == NOW - timedelta(hours=3) + timedelta(days=7)


@pytest.mark.usefixtures("project")
def test_status_when_an_item_is_damaged_then_the_error_names_it_and_no_snapshot_takes_its_place(table):
    """The placement does not rest on the snapshot."""
    collected(table)
    table.items["carbon", "us-east-1"]["body"] = "{"
    with pytest.raises(DamagedFactError, match="carbon of us-east-1"):
        said()
