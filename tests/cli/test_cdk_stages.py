"""Stacks in a Stage, found by their names in CloudFormation; and deployed by their paths."""

import json
from pathlib import Path

import pytest
from aws_cdk import App, Stack, Stage

from caribou.cli.cdk_deployer import CdkDeployer
from caribou.cli.cdk_stages import paths_in_stages
from caribou.control.deploy.planning import DeployRequest
from caribou.model.errors import InvalidInputError, OperationFailedError

HOME, CONTROL = "Workflow-my_shop", "CaribouControlPlane"


def synthesised(folder, *stages, prefix=""):
    """An app's assembly that has a workflow's home in some Stages, by their ids ('' is the app itself)."""
    app = App(outdir=str(folder))
    for name in stages:
        scope = Stage(app, name) if name else app
        Stack(scope, HOME, stack_name=f"{prefix}Workflow-my-shop")
        Stack(scope, CONTROL)
    app.synth()
    return folder


@pytest.mark.parametrize(
    ("stages", "paths"),
    [((), {}), (("",), {}), (("Prod",), {HOME: f"Prod/{HOME}"}), (("", "Prod"), {})],
)
def test_paths_when_stacks_are_in_stages_then_they_are_found_by_their_names(stages, paths, tmp_path):
    """What the top has too is selected there; an app that ended before it was synthesised has none."""
    if stages:
        synthesised(tmp_path, *stages)
    assert paths_in_stages(tmp_path, {HOME: "Workflow-my-shop"}) == paths


def test_paths_when_several_stages_have_the_stack_then_it_is_refused_with_their_paths(tmp_path):
    """Of two accounts, say: nothing says which is meant."""
    synthesised(tmp_path, "Beta", "Prod")
    with pytest.raises(InvalidInputError) as caught:
        paths_in_stages(tmp_path, {HOME: "Workflow-my-shop"})
    assert "several Stages of the app have the stack Workflow-my-shop" in str(caught.value)
    assert f"found: Beta/{HOME}, Prod/{HOME}" in str(caught.value)
    assert f"`cdk deploy Beta/{HOME}`" in str(caught.value)


class Cli:
    """The CDK CLI as it answers: an id at the top of the app is deployed, another one selects nothing."""

    def __init__(self, *stages):
        self.stages, self.deployed = stages, []

    def __call__(self, arguments, **_):
        """Synthesise, and deploy what is selected."""
        folder = Path(arguments[arguments.index("--output") + 1])
        if not (folder / "manifest.json").exists():
            synthesised(folder, *self.stages)
        known = {f"{name}/{HOME}".removeprefix("/") for name in self.stages}
        found = [word for word in arguments if word in known]
        self.deployed += found
        if not found:
            raise OperationFailedError(f"No stacks match the name(s) {arguments[1]}")


@pytest.mark.parametrize(
    ("stages", "deployed"), [(("",), [HOME]), (("Prod",), [f"Prod/{HOME}"]), (("", "Prod"), [HOME])]
)
def test_deploy_when_the_app_has_the_stack_in_a_stage_then_it_is_deployed_by_its_path(
    stages, deployed, tmp_path, monkeypatch
):
    """Once, and said."""
    (tmp_path / "cdk.json").write_text(json.dumps({"app": "python app.py"}))
    cli, said = Cli(*stages), []
    monkeypatch.setattr("caribou.cli.cdk_deployer.run_cdk", cli)
    CdkDeployer(tmp_path, said.append).deploy(DeployRequest("my_shop"))
    assert cli.deployed == deployed
    assert any("Stage" in line for line in said) == (deployed != [HOME])


def test_deploy_when_the_app_has_no_such_stack_then_the_clis_failure_is_raised(tmp_path, monkeypatch):
    """In a Stage of another name of Caribou's, for instance."""
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"caribou:stage": "ops"}}))
    monkeypatch.setattr("caribou.cli.cdk_deployer.run_cdk", Cli("Prod"))
    with pytest.raises(OperationFailedError, match="No stacks match"):
        CdkDeployer(tmp_path, lambda _: None).deploy(DeployRequest("my_shop"))
