"""A verb looks at what it names: a workflow that can't be read keeps no other from anything, and can be removed."""

import json
import re

import pytest
from click.testing import CliRunner
from deployed_world import synthesised

from caribou.cli import cdk_synthesiser
from caribou.cli.deploy import deploy, remove
from caribou.cli.listing import list_
from caribou.cli.manage import manage_deployments
from caribou.cli.migrate import run_deployment_migrator
from caribou.cli.runs import redrive, trace
from caribou.cli.session import Session
from caribou.control.aws import Aws
from caribou.control.target import Target
from caribou.control.workflows import known_workflows, read_each
from caribou.model.errors import CaribouError, InvalidManifestError, InvalidWorkflowError
from caribou.model.names import WorkflowNames
from caribou.model.registration import Registration

HOME, WEST = "us-east-1", "us-west-2"
pytestmark = pytest.mark.local_cloud


@pytest.fixture
def project(tmp_path, cloud, written_workflow, monkeypatch):  # noqa: ARG001 - clients find the cloud by the environment
    """A project of `good` and of `broken`, whose source is no Python, as the folder that commands are given in."""
    written_workflow(tmp_path, "good")
    broken = written_workflow(tmp_path, "broken").folder
    (broken / "app.py").write_text("def start(:\n")
    (tmp_path / "cdk.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def given(command, *arguments):
    """A command's outcome, whose errors are as they are raised."""
    return CliRunner().invoke(command, arguments)


def test_list_when_a_workflow_is_broken_then_it_is_listed_as_broken_with_a_warning_beside_the_others(project):
    """Standard output is still what programs read."""
    done = given(list_, "--json")
    assert done.exit_code == 0
    entries = {entry["workflow"]: entry for entry in json.loads(done.stdout)}
    assert entries["good"]["broken"] is None
    assert str(project / "workflows" / "broken" / "app.py") in entries["broken"]["broken"]
    assert entries["broken"]["in_project"]
    assert re.search(r"^warning: broken is passed over.*app\.py", done.stderr)
    assert re.search(r"broken +│", given(list_).stdout)


def test_list_when_another_project_has_deployed_a_workflow_then_it_says_whose_it_is(project, world, placed):
    """By the stamp on its stacks; one's own says nothing."""
    world.project_id = "theirs"
    world.home(placed(WEST, name=world.name))
    assert re.search(r"of theirs +│", given(list_).stdout)
    assert {e["workflow"]: e["project"] for e in json.loads(given(list_, "--json").stdout)}[world.name] == "theirs"
    (project / "cdk.json").write_text('{"context": {"caribou:project": "theirs"}}')
    assert "of theirs" not in given(list_).stdout


@pytest.mark.parametrize("command", [trace, redrive], ids=lambda c: c.name)
def test_run_when_it_is_looked_for_in_all_workflows_then_a_broken_one_is_a_warning(project, command):  # noqa: ARG001
    """The run may be of one that can be read; if it is in none, the message says which could not be."""
    done = given(command, "r1")
    assert re.search("^warning: broken is passed over", done.stderr)
    assert re.search("no such run.*not deployed: good.*can't be read: broken", str(done.exception))
    done = given(command, "r1", "-w", "good")
    assert "broken" not in done.stderr + str(done.exception)
    assert isinstance(given(command, "r1", "-w", "broken").exception, InvalidWorkflowError)


@pytest.mark.parametrize("command", [manage_deployments, run_deployment_migrator], ids=lambda c: c.name)
def test_loop_when_a_workflow_is_broken_then_the_others_are_looked_after(project, command):  # noqa: ARG001
    """The named one alone is read; without a name all are, and the broken one is passed over with a warning."""
    done = given(command, "good")
    assert "broken" not in done.output + str(done.exception)
    assert isinstance(given(command, "broken").exception, InvalidWorkflowError)
    done = given(command)
    assert re.search("^warning: broken is passed over", done.stderr)
    assert not isinstance(done.exception, InvalidWorkflowError)


def _payload_bucket(world, name):
    """Make what an earlier deployment leaves at home, with nothing in it."""
    names = WorkflowNames(name)
    world.aws.s3(HOME).create_bucket(Bucket=names.payload_bucket(world.aws.account(HOME), HOME))


@pytest.mark.parametrize("command", [deploy, remove], ids=lambda c: c.name)
def test_command_when_another_workflow_is_broken_then_nothing_is_said_of_it(project, world, command, monkeypatch):  # noqa: ARG001
    """It is not what is deployed or removed."""
    stacks = ("Workflow-good", "Workflow-good-registration", "CaribouControlPlane")
    monkeypatch.setattr(cdk_synthesiser, "run_cdk", synthesised(*stacks))
    _payload_bucket(world, "good")
    done = given(command, "good", "--dry-run")
    assert done.exit_code == 0
    assert "broken" not in done.output


def test_remove_when_the_workflow_is_broken_then_home_is_found_by_its_bucket(project, world, placed):  # noqa: ARG001
    """Its source is not needed to delete what it once deployed."""
    world.name = "broken"
    world.home(placed(WEST, name="broken"))
    world.aws.s3(HOME).create_bucket(Bucket=world.names.payload_bucket(world.aws.account(HOME), HOME))
    done = given(remove, "broken", "--dry-run")
    assert done.exit_code == 0
    assert re.search("delete.*Workflow-broken", done.stdout, re.DOTALL)
    assert re.search("^warning: broken can't be read, and is removed all the same", done.stderr)


def test_known_workflows_when_one_is_broken_but_registered_then_home_is_the_registered_one(project):
    """So that it can be removed, its data included, when its home stack has gone."""
    workflows, broken = read_each(sorted((project / "workflows").iterdir()), "dev")
    registration = Registration("broken", "1", WEST, (WEST,), ("f",), 30)
    mine, good = known_workflows(workflows, [registration], broken)
    assert (mine.home_region, mine.workflow, good.broken) == (WEST, None, None)
    assert isinstance(mine.broken, CaribouError)


def test_known_when_the_manifest_is_a_link_to_nowhere_then_the_workflow_is_broken_and_not_overlooked(project):
    """A folder that was meant as a workflow is never passed over without a word."""
    manifest = project / "workflows" / "broken" / ".caribou" / "config.yml"
    manifest.unlink()
    manifest.symlink_to("nowhere")
    (project / "workflows" / "broken" / "app.py").write_text(
        (project / "workflows" / "good" / "app.py").read_text().replace('"good"', '"broken"')
    )
    with Aws() as aws:
        known = Session(project, Target("dev", WEST), aws).named("broken")
    assert isinstance(known.broken, InvalidManifestError)
