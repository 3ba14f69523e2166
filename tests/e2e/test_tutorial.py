"""The tutorial of docs/writing-workflows.md, done as it stands: in an empty folder, with a local cloud of its own."""

import subprocess
from pathlib import Path

import pytest
from followed_docs import Reader, blocks_of
from waiting import BACKSTOP_S

pytestmark = pytest.mark.local_cloud

DOCS = Path(__file__).parents[2] / "docs" / "writing-workflows.md"


@pytest.fixture
def reader(tmp_path):
    """A reader in an empty folder; the local cloud that is started there goes with it."""
    folder = tmp_path / "project"
    folder.mkdir()
    reader = Reader(folder)
    environment = reader.environment
    yield reader
    command = ["caribou", "local", "down"]
    subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, timeout=BACKSTOP_S)


@pytest.mark.slow
def test_tutorial_when_it_is_followed_then_everything_comes_out_as_it_says(reader):
    """From an empty folder to a node that runs in another region."""
    for block in blocks_of(DOCS.read_text(encoding="utf-8"), "Tutorial"):
        reader.do(block)
    assert "us-west-2" in (reader.folder / "solved.json").read_text()
