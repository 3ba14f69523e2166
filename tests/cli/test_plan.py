"""`caribou plan`, and the plan that `caribou deploy` shows and asks about before nodes move."""

import json
import os
import pty
import sys
from contextlib import contextmanager

import click
import pytest
from click.testing import CliRunner
from deployed_world import CANADA, HOME, LAST, WEST, synthesised, written_workflow

from caribou.cli import cdk_deployer, cdk_synthesiser
from caribou.cli.deploy import deploy
from caribou.cli.plan import plan
from caribou.control.stacks.deployed import home_stack
from caribou.model.errors import InvalidInputError, OperationFailedError

pytestmark = pytest.mark.local_cloud
CORNER = {"transmission_kwh_per_gb": 0.001, "intra_region_kwh_per_gb": 0.0, "intensity": "average"}
SAVES = {
    "verdict": "saves",
    "corners": [{**CORNER, "saving": 0.5, "ci95": [0.4, 0.6]}],
    "marginal_unknown": [],
    "break_even_kwh_per_gb": None,
    "runs": 50,
}


class Project:
    """A project with a workflow that is deployed to the west; the CDK is played."""

    def __init__(self, world, root, placed):
        self.world, self.placed, self.ran = world, placed, []
        self.before = lambda: None
        world.lock_table()
        world.control_plane()
        world.home(placed(WEST, name=world.name))
        world.region(WEST, "last")
        self.file = root / "solved.json"

    def solved(self, region, **origin):
        """A file with a placement."""
        self.file.write_text(json.dumps(self.placed(region, name=self.world.name, **origin).to_json()))
        return str(self.file)

    def run_cdk(self, arguments, **_):
        """In place of the CDK's deploy."""
        self.ran.append(arguments)

    def synthesise(self, arguments, **_):
        """In place of the CDK's synth; what happens meanwhile is `before`."""
        name = self.world.name
        parts = ("", f"-{WEST}", f"-{CANADA}", "-registration")
        synthesised(*(f"Workflow-{name}{part}" for part in parts))(arguments)
        self.before()

    def deploy(self, *arguments):
        """The outcome of a deploy, whoever sits at the terminal."""
        deploy.main([self.world.name, *arguments], standalone_mode=False)


@pytest.fixture
def project(world, tmp_path, placed, monkeypatch):
    """The project, as the folder that commands are given in."""
    written_workflow(tmp_path, world.name)
    (tmp_path / "cdk.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    project = Project(world, tmp_path, placed)
    monkeypatch.setattr(cdk_deployer, "run_cdk", project.run_cdk)
    monkeypatch.setattr(cdk_synthesiser, "run_cdk", project.synthesise)
    return project


@contextmanager
def typed(text, monkeypatch):
    """Somebody sits at a terminal and types."""
    keyboard, terminal = pty.openpty()
    os.write(keyboard, text.encode())
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield
    os.close(keyboard)


def test_plan_when_a_node_moves_then_it_is_shown_in_each_form_and_nothing_changes(project):
    """The committed placement is taken as asked for; what the region has that is left goes later."""
    world = project.world
    committed = project.file.parent / "workflows" / world.name / ".caribou" / "placement.json"
    committed.write_text(json.dumps(project.placed(CANADA, name=world.name).to_json()))
    before = home_stack(world.aws, world.name, "dev", HOME)
    runner = CliRunner()
    shown = runner.invoke(plan, [world.name], catch_exceptions=False).stdout
    assert "1 of 2 nodes move" in shown
    assert max(map(len, shown.splitlines())) <= 80
    words = " ".join(shown.split())
    assert f"{WEST} {CANADA} all hours {LAST}" in words
    assert "It has no verdict: nobody has checked that it saves." in words
    assert f"create Workflow-{world.name}-{CANADA}" in words
    assert "- 1 function, 1 bucket, 1 queue, 1 log group" in words
    markdown = runner.invoke(plan, [world.name, "--markdown"], catch_exceptions=False).stdout
    assert f"| {WEST} | {CANADA} | all hours | {LAST} |" in markdown
    said = json.loads(runner.invoke(plan, [world.name, "--json"], catch_exceptions=False).stdout)
    assert (said["schema"], said["verb"]) == ("caribou.plan/1", "plan")
    [one] = said["workflows"]
    assert (one["deployed"]["regions"], one["placement"]["regions"]) == ([HOME, WEST], [CANADA, HOME])
    assert [stack["action"] for stack in said["stacks"]] == ["create", "create", "update", "keep"]
    assert said["stacks"][-1]["go"]["AWS::S3::Bucket"] == 1
    assert home_stack(world.aws, world.name, "dev", HOME) == before
    assert project.ran == []
    refused = runner.invoke(plan, [world.name, "--markdown", "--json"])
    assert isinstance(refused.exception, InvalidInputError)


@pytest.mark.parametrize(("answer", "deployed"), [("y", 1), ("n", 0)])
def test_deploy_when_nodes_move_and_somebody_is_there_then_the_plan_is_shown_and_asked_about(
    project, monkeypatch, capsys, answer, deployed
):
    """Once, even of a placement that saves; only yes goes on."""
    file = project.solved(CANADA, sensitivity=SAVES)
    with typed(f"{answer}\n", monkeypatch):
        if deployed:
            project.deploy("--placement", file)
        else:
            with pytest.raises(click.Abort):
                project.deploy("--placement", file)
    said = capsys.readouterr()
    assert "1 of 2 nodes move" in said.out
    assert said.err.count("[y/N]") == 1
    assert len(project.ran) == deployed


@pytest.mark.parametrize("options", [(), ("--yes",)])
def test_deploy_when_nodes_move_and_nobody_is_there_or_yes_was_said_then_nothing_is_asked(
    project, monkeypatch, capsys, options
):
    """A pipeline goes on as it did, with the plan in its log."""
    file = project.solved(CANADA, sensitivity=SAVES)
    if options:
        with typed("", monkeypatch):
            project.deploy("--placement", file, *options)
    else:
        project.deploy("--placement", file)
    said = capsys.readouterr()
    assert "1 of 2 nodes move" in said.out
    assert "[y/N]" not in said.err
    assert len(project.ran) == 1


def test_deploy_when_nothing_moves_then_nothing_is_shown_or_asked(project, monkeypatch, capsys):
    """The same places: new code, or a placement that holds longer."""
    with typed("", monkeypatch):
        project.deploy("--placement", project.solved(WEST, sensitivity=SAVES))
    said = capsys.readouterr()
    assert "nodes" not in said.out
    assert "[y/N]" not in said.err
    assert len(project.ran) == 1


def test_deploy_when_somebody_deploys_while_the_plan_is_read_then_nothing_is_done(project):
    """What was agreed to is not what would be done."""
    world = project.world
    project.before = lambda: world.home(project.placed(HOME, name=world.name))
    with pytest.raises(OperationFailedError, match="Somebody else has deployed since the plan was shown"):
        project.deploy("--placement", project.solved(CANADA, sensitivity=SAVES))
    assert project.ran == []
