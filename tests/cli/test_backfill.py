"""`caribou data_collect carbon --from --to`: hours of past days in files."""

import csv
import json
from datetime import timedelta
from unittest.mock import MagicMock, call

import click
import pytest
from builders import ROOT
from click.testing import CliRunner

from caribou.cli import backfill
from caribou.cli.collect import data_collect
from caribou.cli.console import Terminal
from caribou.cli.main import cli
from caribou.collectors.series import HourlySeries, HourValue, Signal
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.live_carbon import LiveCarbon
from caribou.collectors.sources.registry import SOURCES, Row
from caribou.model.errors import InvalidInputError, OperationFailedError

DAYS = ("--from", "2025-01-01", "--to", "2025-02-01")
HOUR = timedelta(hours=1)


class Feed:
    """Hours of every region, a zone each; the request after so many others raises `error`."""

    name, origin, licence, basis, signal = "live", "Grid Co", "CC0", "direct, consumption", Signal.AVERAGE

    def __init__(self):
        self.asked, self.fails_at, self.error = [], None, KeyboardInterrupt()

    def zone_of(self, region):
        """A name that is no name of a file."""
        return f"{region}/grid"

    def history(self, region, start, end):
        """Every hour but the first, every second an estimate."""
        if len(self.asked) == self.fails_at:
            self.fails_at = None
            raise self.error
        self.asked.append((region, start))
        count = int((end - start) / HOUR)
        values = (HourValue(start + i * HOUR, i / 3, estimated=i % 2 == 0) for i in range(1, count))
        return HourlySeries.of(Signal.AVERAGE, values)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a workflow that may run in three regions, as the current folder."""
    (tmp_path / "cdk.json").write_text("{}")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "small_sync_example").symlink_to(ROOT / "workflows" / "small_sync_example")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def feed(project, monkeypatch):
    """A live source, which the project has chosen."""
    feed = Feed()
    monkeypatch.setitem(SOURCES.carbon, "live", Row(lambda *_: LiveCarbon(feed)))
    (project / "cdk.json").write_text(json.dumps({"context": {"caribou:carbon_source": "live"}}))
    return feed


def collect(*arguments, kind="carbon"):
    """The command."""
    return CliRunner().invoke(data_collect, [kind, *arguments], catch_exceptions=False, standalone_mode=False)


def files(folder):
    """All files below a folder, by their bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(path):
    """A file's rows."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("feed")
def test_backfill_when_a_source_is_live_then_each_grid_has_a_file_of_its_hours(project):
    """With unit, source, zone, and what is an estimate; what was not published is not there, and counted."""
    result = collect(*DAYS)
    path = project / "carbon_history" / "live" / "us-east-1%2Fgrid.csv"
    found = rows(path)
    assert found[0] == {
        "timestamp_utc": "2025-01-01T01:00:00Z",
        "gCO2eq_per_kWh_lifecycle": "",
        "gCO2eq_per_kWh_direct": "0.3333",
        "gCO2eq_per_kWh_other": "",
        "estimated": "False",
        "source": "live",
        "zone": "us-east-1/grid",
    }
    assert len(found) == len({row["timestamp_utc"] for row in found}) == 31 * 24 - 4
    assert f"{path.relative_to(project)}: 740 hours, 4 missing, 50% estimated (us-east-1)" in result.stdout
    assert "Grid Co, us-east-1/grid (us-east-1): asking for 4 pieces" in result.stderr
    about = json.loads((path.parent / "source.json").read_text())
    assert (about["licence"], about["basis"], about["zones"]["us-east-1"]) == ("CC0", Feed.basis, "us-east-1/grid")


@pytest.mark.parametrize("killed_at", [0, 1, 5, 11])
def test_backfill_when_it_was_cut_off_then_the_same_command_gives_the_same_bytes_and_asks_for_nothing_twice(
    project, feed, killed_at
):
    """Wherever it was."""
    collect(*DAYS, "-o", "whole")
    feed.asked, feed.fails_at = [], killed_at
    with pytest.raises(click.Abort):
        collect(*DAYS, "-o", "again")
    collect(*DAYS, "-o", "again")
    assert files(project / "again") == files(project / "whole")
    assert len(feed.asked) == len(set(feed.asked)) == 12
    assert "all is there already" in collect(*DAYS, "-o", "again").stderr


def test_backfill_when_a_service_fails_then_other_grids_are_written_and_it_says_what_to_do(project, feed):
    """Exit code 1."""
    feed.fails_at, feed.error = 5, SourceError("Grid Co", Reason.SCHEMA, "hours")
    with pytest.raises(OperationFailedError, match=r"another shape.*\nWhat was got is kept: give the command again"):
        collect(*DAYS)
    assert len(list((project / "carbon_history" / "live").glob("*.csv"))) == 2


def test_backfill_when_the_source_is_the_snapshot_then_a_year_is_8760_hours_and_marked_as_a_profile(project):
    """No network, no key; it says what to choose."""
    result = collect("--from", "2025-01-01", "--to", "2026-01-01", "-o", "here")
    found = rows(project / "here" / "snapshot" / "US-MIDA-PJM.csv")
    assert len({row["timestamp_utc"] for row in found}) == len(found) == 8_760
    assert {(row["estimated"], row["source"]) for row in found} == {("True", "snapshot")}
    assert "profile, the same on each day of a month, and no history" in result.stderr
    assert "no history" in json.loads((project / "here" / "snapshot" / "source.json").read_text())["basis"]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["carbon", "--from", "2025-01-01"], "no --to"),
        (["carbon", "--to", "2025-01-01"], "no --from"),
        (["carbon", "--from", "2025-02-01", "--to", "2025-01-01"], "--to is not after --from"),
        (["carbon", "--from", "2025-02-01", "--to", "2025-02-01"], "--to is not after --from"),
        (["carbon", "--from", "2025-02-01", "--to", "2999-01-01"], "in the future"),
        (["carbon", "--from", "0202-01-01", "--to", "2025-02-01"], "--from is before anybody published hours"),
        (["all", "--from", "2025-02-01", "--to", "2025-03-01"], "only carbon"),
        (["provider", "--from", "2025-02-01", "--to", "2025-03-01"], "only carbon"),
        (["carbon", "-o", "folder"], "no --from and no --to"),
        (["carbon", "--from", "yesterday", "--to", "2025-03-01"], "does not match the format"),
    ],
)
def test_backfill_when_days_make_no_sense_then_it_is_one_message_and_exit_code_2(arguments, said):
    """Before anybody is asked for anything."""
    result = CliRunner().invoke(cli, ["data_collect", *arguments])
    assert said in (str(result.exception) if isinstance(result.exception, InvalidInputError) else result.stderr)
    assert getattr(result.exception, "exit_code", result.exit_code) == 2


def test_backfill_when_a_piece_was_changed_then_the_error_names_it(project, feed):
    """It is asked for again once it is deleted."""
    collect(*DAYS)
    piece = next((project / "carbon_history" / "live" / ".pieces").rglob("2025-01-11_*.csv"))
    piece.write_text("timestamp_utc\n2025\n")
    with pytest.raises(InvalidInputError, match=r"2025-01-11_2025-01-21\.csv: is no piece.*delete it"):
        collect(*DAYS)
    piece.unlink()
    collect(*DAYS)
    assert len(feed.asked) == 13


def test_backfill_when_the_project_has_no_workflow_then_the_error_says_so(project):
    """There is no region to ask for."""
    (project / "workflows" / "small_sync_example").unlink()
    with pytest.raises(InvalidInputError, match="no workflow"):
        collect(*DAYS)


@pytest.mark.usefixtures("feed")
def test_backfill_when_it_is_shown_on_a_terminal_then_bars_say_how_far_it_is(monkeypatch):
    """One a grid, until all of its pieces are there."""
    bars = MagicMock()
    monkeypatch.setattr(backfill, "Progress", bars)
    monkeypatch.setattr(Terminal, "is_terminal", True)
    collect(*DAYS)
    shown = bars.return_value.__enter__.return_value
    assert shown.add_task.call_args_list[0] == call("Grid Co, us-east-1/grid", total=4)
    assert shown.update.call_args_list[4] == call(shown.add_task.return_value, completed=4, visible=False)
