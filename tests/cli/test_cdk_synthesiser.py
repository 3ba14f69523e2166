"""The templates of a project's app, as a plan reads them."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deployed_world import WEST

from caribou.cli import cdk_synthesiser
from caribou.cli.cdk_synthesiser import CdkSynthesiser
from caribou.control.deploy.planning import DeployRequest
from caribou.model.errors import OperationFailedError
from caribou.model.placement import Placement


@pytest.fixture
def synthesised(monkeypatch, tmp_path):
    """`synthesised(files)`: the templates of an app of which the CDK makes these files; `asked` are its arguments."""

    def synthesise(files, request, kept=None):
        def run_cdk(arguments, **_):
            synthesise.asked = arguments[:-1]
            if kept is not None:
                synthesise.placement = json.loads(Path(arguments[-3].removeprefix("placement=")).read_text())
            for name, content in files.items():
                path = Path(arguments[-1]) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(content))

        monkeypatch.setattr(cdk_synthesiser, "run_cdk", run_cdk)
        return CdkSynthesiser(tmp_path, lambda _: None).templates(request, kept)

    return synthesise


def stack(file, **properties):
    """A stack's artifact."""
    return {"type": "aws:cloudformation:stack", "properties": {"templateFile": file, **properties}}


def test_templates_when_the_app_has_stages_then_stacks_inside_them_are_found_too(synthesised):
    """By the name that CloudFormation knows, which is not always the artifact's."""
    inside = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Stage"}}
    files = {
        "manifest.json": {"artifacts": {"A": stack("a.json"), "Tree": {"type": "cdk:tree"}, "Stage": inside}},
        "a.json": {"Resources": {"a": {}}},
        "assembly-Stage/manifest.json": {"artifacts": {"B": stack("b.json", stackName="Stage-B")}},
        "assembly-Stage/b.json": {"Resources": {"b": {}}},
    }
    request = DeployRequest("shop", "solved.json")
    assert synthesised(files, request) == {"A": {"Resources": {"a": {}}}, "Stage-B": {"Resources": {"b": {}}}}
    assert synthesised.asked == ["list", "-c", "workflow=shop", "-c", "placement=solved.json", "--output"]


def test_templates_when_what_the_cdk_made_can_not_be_read_then_it_is_an_error(synthesised):
    """An app may write anything."""
    with pytest.raises(OperationFailedError, match="What the CDK synthesised can't be read"):
        synthesised({"manifest.json": {"artifacts": {"A": stack("a.json")}}}, DeployRequest(None))


def test_templates_when_what_is_deployed_is_kept_then_it_counts_though_it_is_not_committed_yet(synthesised, placed):
    """Nor valid any more: the app refuses a file that has expired, but this one is deployed."""
    kept = placed(WEST, expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert synthesised({"manifest.json": {}}, DeployRequest("example"), kept) == {}
    assert Placement.from_json(synthesised.placement) == replace(kept, expires_at=None)
