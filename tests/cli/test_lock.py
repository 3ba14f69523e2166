"""`caribou lock`: what it writes, and what it says."""

import pytest
from click.testing import CliRunner

from caribou.cli.main import cli
from caribou.constructs.bundling.lock import LOCK


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The only workflow of a project that the user is in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cdk.json").write_text("{}")
    assert CliRunner().invoke(cli, ["new_workflow", "flow"]).exit_code == 0
    return tmp_path / "workflows" / "flow"


def said():
    """What the verb prints when it succeeds."""
    result = CliRunner().invoke(cli, ["lock", "flow"])
    assert result.exit_code == 0, result.output
    return result.output


def test_lock_when_there_are_requirements_then_the_file_is_written_and_changes_are_printed(folder):
    """A second time nothing changes, and nothing is printed but where it is."""
    (folder / "requirements.txt").write_text("six==1.16.0\n")
    assert "six - -> 1.16.0\n" in said()
    before = (folder / LOCK).read_text()
    assert said() == f"{folder / LOCK}: 4 packages for x86_64-manylinux_2_28-3.13\n"
    assert (folder / LOCK).read_text() == before
    (folder / "requirements.txt").write_text("six==1.17.0\n")
    assert said().startswith("six 1.16.0 -> 1.17.0\n")


def test_lock_when_nothing_is_required_then_no_file_is_written(folder):
    """What Caribou needs itself comes with a lock."""
    assert "has no requirements" in said()
    assert not (folder / LOCK).exists()
