"""The committed placement of a workflow."""

import json

from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.committing import commit, commit_placed
from caribou.model.schema.placement import read_placement

WEST = "us-west-2"


def test_commit_when_a_placement_was_applied_then_it_is_the_committed_one(workflow, placed):
    """Written in one step, byte for byte, and nothing else is left there."""
    text = json.dumps(placed(WEST).to_json())
    commit(workflow, "{}")
    commit(workflow, text)
    folder = workflow.folder / ".caribou"
    assert (folder / "placement.json").read_text() == text
    assert sorted(path.name for path in folder.iterdir()) == ["config.yml", "placement.json"]


def test_commit_when_home_is_what_is_deployed_then_nothing_is_committed(workflow, placed):
    """Home needs no file; another placement is written as it is."""
    path = workflow.folder / ".caribou" / "placement.json"
    commit_placed(PlacedWorkflow(workflow, placed(WEST), commits=True))
    assert read_placement(path) == placed(WEST)
    commit_placed(PlacedWorkflow(workflow, placed(), commits=True))
    assert not path.exists()
