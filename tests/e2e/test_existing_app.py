"""Workflows in an app that somebody has: docs/existing-cdk-app.md as it stands, and a Stage on the local cloud."""

import json
from pathlib import Path

import pytest
from deployed_world import HOME, WEST, written_workflow
from followed_docs import Reader, blocks_of
from local_project import Project

from caribou.model.template_contract import Tag

DOCS = Path(__file__).parents[2] / "docs" / "existing-cdk-app.md"
NAME, STAGE = "staged", "prod"
APP = f"""
from datetime import UTC, datetime
from pathlib import Path

import aws_cdk as cdk

from caribou.stacks import add_workflows

app = cdk.App()
stage = cdk.Stage(app, "Live")
add_workflows(stage, Path(__file__).parent, now=datetime.now(UTC), stage="{STAGE}")
app.synth()
"""
REGIONS = (HOME, WEST, "ca-central-1")
KEY = "arn:aws:kms:{region}:000000000000:key/mrk-0123456789abcdef0123456789abcdef"
SETTINGS = "caribou:\n  tags: {team: tours}\n  permissions_boundary: limits\n  kms_key:\n" + "".join(
    f"    {region}: {KEY.format(region=region)}\n" for region in REGIONS
)


@pytest.mark.slow
def test_existing_app_when_the_page_is_followed_then_everything_comes_out_as_it_says(tmp_path):
    """Every block: files, changes, commands and what they print."""
    reader = Reader(tmp_path)
    for block in blocks_of(DOCS.read_text(encoding="utf-8")):
        reader.do(block)
    assert json.loads((tmp_path / "key-policy.json").read_text())["Statement"]


@pytest.mark.slow
@pytest.mark.local_cloud
def test_stage_when_its_workflow_is_deployed_then_every_verb_finds_it(tmp_path, local_cloud):
    """By a plain `caribou deploy`, under a key, a boundary and tags of its owner's; it runs, is listed, and goes."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "cdk.json").write_text(json.dumps({"app": "python app.py", "context": {"caribou:stage": STAGE}}))
    folder = written_workflow(tmp_path, NAME).folder
    (folder / "requirements.txt").write_text("")
    manifest = folder / ".caribou" / "config.yml"
    manifest.write_text(manifest.read_text() + SETTINGS)
    project = Project.in_empty_folder(tmp_path, local_cloud)

    assert f"{NAME} is deployed" in project.run("caribou", "deploy", NAME)
    assert "SUCCEEDED" in project.run("caribou", "run", NAME, "-a", "1", "--wait")
    [listed] = [entry for entry in json.loads(project.run("caribou", "list", "--json")) if entry["workflow"] == NAME]
    assert (listed["placement"]["regions"], listed["open_runs"], listed["trouble"]) == ([HOME], 0, None)

    cloudformation = local_cloud.client("cloudformation", HOME)
    [stack] = cloudformation.describe_stacks(StackName=f"{STAGE}-Workflow-{NAME}")["Stacks"]
    tags = {tag["Key"]: tag["Value"] for tag in stack["Tags"]}
    assert (tags["team"], tags[Tag.WORKFLOW], tags[Tag.STAGE]) == ("tours", NAME, STAGE)

    assert f"{NAME} is removed" in project.run("caribou", "remove", NAME, "--yes", "--delete-data")
