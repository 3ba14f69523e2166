"""Hours of past days as the command gets them from a service on the loopback."""

import csv
import json

import pytest
from click.testing import CliRunner
from contract import KEY, make_impatient
from keyed_services import ElectricityMapsService
from loopback import Answer, serving

from caribou.cli import backfill, collect
from caribou.model.errors import OperationFailedError

REGIONS = ("us-east-1", "us-east-2", "us-west-2")
DAYS = ("--from", "2026-01-01", "--to", "2026-01-26")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose workflows may run in three regions, two of them in one zone; the key is in the environment."""
    make_impatient(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backfill, "regions_of_workflows", lambda _: REGIONS)
    monkeypatch.setenv("CARIBOU_ELECTRICITY_MAPS_KEY", KEY)
    return tmp_path


def collected(project, url, sources="electricity_maps"):
    """The command's result; no key is in it, or in a file."""
    urls = {"electricity_maps": url}
    context = {"caribou:carbon_source": sources, "caribou:source_urls": urls}
    (project / "cdk.json").write_text(json.dumps({"context": context}))
    result = CliRunner().invoke(collect.data_collect, ["carbon", *DAYS])
    written = "".join(path.read_text() for path in project.rglob("*") if path.is_file())
    assert KEY not in result.output + result.stderr + str(result.exception) + written
    return result


def test_history_when_a_service_gives_it_then_each_zone_is_asked_in_calls_of_ten_days_and_never_again(project):
    """600 hours of 25 days, in three calls a zone."""
    with serving(ElectricityMapsService()) as there:
        result = collected(project, there.url)
        assert result.exit_code == 0, result.exception
        asked = len(there.requests)
        assert asked == 2 * 3
        assert collected(project, there.url).stdout == result.stdout
        assert len(there.requests) == asked
    assert ": 600 hours, " in result.stdout
    [path] = (project / "carbon_history" / "electricity_maps").glob("US-MIDA-PJM.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["timestamp_utc"] for row in rows}) == len(rows) == 600
    assert all(float(row["gCO2eq_per_kWh_lifecycle"]) > 0 for row in rows)


def test_history_when_the_service_is_away_then_it_goes_on_where_it_was(project):
    """What was got before is not asked for again."""
    with serving(ElectricityMapsService()) as there:
        there.first = [lambda answer: answer, lambda answer: answer]
        there.first += [Answer(b"{}", 503)] * 4
        result = collected(project, there.url)
        assert isinstance(result.exception, OperationFailedError)
        assert "is out of order" in str(result.exception)
        assert "give the command again for the rest" in str(result.exception)
        before = len(there.requests)
        assert collected(project, there.url).exit_code == 0
        assert len(there.requests) - before == 4


@pytest.mark.parametrize("status", [401, 403])
def test_history_when_a_key_does_not_do_then_the_next_source_gives_its_profile_and_that_is_said(project, status):
    """Refused, or not in the plan; with no source behind it, it is an error."""
    with serving(ElectricityMapsService()) as there:
        there.always = Answer(b"{}", status)
        result = collected(project, there.url, "electricity_maps, snapshot")
        assert result.exit_code == 0
        assert "warning: Electricity Maps, US-MIDA-PJM (us-east-1, us-east-2): " in result.stderr
        assert (project / "carbon_history" / "snapshot" / "US-MIDA-PJM.csv").exists()
        assert "us-east-1, us-east-2, us-west-2: no chosen source gives hours" in str(
            collected(project, there.url).exception
        )
