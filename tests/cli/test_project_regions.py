"""Which regions `caribou local up` makes ready."""

import json

from deployed_world import written_workflow

from caribou.cli.project_regions import regions_of_project

OTHERWISE = ("us-east-1", "us-west-2")


def test_regions_when_there_is_no_project_then_they_are_those_of_before(tmp_path):
    """With the CDK's own qualifier."""
    found = regions_of_project(tmp_path, OTHERWISE)
    assert (found.regions, found.qualifier) == (OTHERWISE, "hnb659fds")


def test_regions_when_there_are_workflows_then_all_that_they_may_be_in_and_the_control_region_once(tmp_path, capsys):
    """Also from a folder below; a workflow that can't be read is named, and keeps nobody from the others."""
    key = "@aws-cdk/core:bootstrapQualifier"
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"caribou:control_region": "eu-west-1", key: "ours"}}))
    folder = written_workflow(tmp_path, "one").folder
    (written_workflow(tmp_path, "two").folder / "app.py").write_text("broken(")
    found = regions_of_project(folder, OTHERWISE)
    assert found.regions == ("eu-west-1", "us-east-1", "us-west-2", "ca-central-1")
    assert found.qualifier == "ours"
    assert "the regions of two are left out" in capsys.readouterr().err


def test_regions_when_the_project_has_no_workflow_yet_then_they_are_those_of_before_and_the_control_region(tmp_path):
    """A workflow may come."""
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"caribou:control_region": "eu-west-1"}}))
    assert regions_of_project(tmp_path, OTHERWISE).regions == ("eu-west-1", *OTHERWISE)
