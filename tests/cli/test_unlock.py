"""`caribou unlock` where there is no lock."""

import pytest
from click.testing import CliRunner

from caribou.cli.main import cli
from caribou.model.errors import InvalidInputError


@pytest.fixture
def project(tmp_path, monkeypatch, world):  # noqa: ARG001 - its tables
    """A project with one workflow that the user is in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cdk.json").write_text("{}")
    assert CliRunner().invoke(cli, ["new_workflow", "flow"]).exit_code == 0


@pytest.mark.usefixtures("project")
def test_unlock_when_nothing_is_locked_then_it_says_so_and_a_mistyped_name_is_an_error():
    """What was meant may well be locked."""
    done = CliRunner().invoke(cli, ["unlock", "flow"])
    assert (done.exit_code, done.output) == (0, "flow is not locked\n")
    done = CliRunner().invoke(cli, ["unlock", "flaw"], standalone_mode=False)
    assert isinstance(done.exception, InvalidInputError)
    assert "is not locked, and no workflow of this project (found: flaw). To fix: perhaps flow is meant" in str(
        done.exception
    )
