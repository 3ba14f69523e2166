"""What the tools and the sweeper say of a workflow of seven functions while one of its regions is cut off."""

import time

import boto3
import pytest
from click.testing import CliRunner
from deployed import HOME, NORTH, STORM, WEST
from faults import Cut, Weather
from waiting import eventually

from caribou.cli.main import cli
from caribou.control.aws import Aws
from caribou.control.deploy.removal import plan_removal
from caribou.control.inventory import inventory
from caribou.control.migrate.planning import MigrationPlanner
from caribou.control.runs.cancel import cancel
from caribou.control.runs.redrive import redrive
from caribou.control.runs.runs import Runs
from caribou.control.runs.sweeper import SweeperFunction
from caribou.control.target import Target
from caribou.control.workflows import KnownWorkflow
from caribou.model.run.item import RunState

pytestmark = pytest.mark.local_cloud

TARGET = Target("dev", WEST)
QUIET = {"right": True, "side": True, "late": True, "orders": {}, "seconds": 0.0, "pad": 0}


@pytest.fixture
def aws(calm, monkeypatch):
    """Control's clients, whose calls pass through the proxy, as functions' do."""
    for name, value in calm.proxy.settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with Aws() as clients:
        yield clients


def test_tools_when_a_region_is_cut_off_then_they_show_the_rest_and_say_what_is_not_known(calm, aws):
    """Its sync node waits there meanwhile; each sweep names the region; the run ends when it is back.

    A region that is silent takes minutes to be given up; tests/control/test_silence.py has that.
    """
    project, run_id = calm.project, f"seen-in-part-{Cut.REFUSED.value}"
    calm.proxy.weather = Weather(cut={NORTH: Cut.REFUSED})
    project.start(STORM, QUIET, run_id)
    swept = eventually(lambda: (did := project.sweep(STORM)).get("failed") and did, "a sweep that misses the region")
    assert any(NORTH in problem for problem in swept["problems"])
    workflow = project.workflow(STORM)
    known, begun = KnownWorkflow(STORM, workflow, None), project.ports(STORM).runs.get(run_id)

    entry = next(entry for entry in inventory(aws, [known], TARGET, time.time()) if entry.name == STORM)
    removal = plan_removal(aws, STORM, HOME, TARGET, delete_data=False, now_s=time.time(), regions=known.regions)
    plan = MigrationPlanner(aws, TARGET).plan(known, deploy=False)
    trace = Runs(workflow.graph, workflow.manifest, "dev", project.cloud.account, aws).trace(begun)

    assert begun.state is RunState.RUNNING
    assert (list(entry.unseen), entry.deployed is not None) == ([NORTH], True)
    assert (list(removal.unseen), {stack.region for stack in removal.stacks} >= {HOME, WEST}) == ([NORTH], True)
    assert plan.failures == ()  # what is placed there is in use, whatever stands there
    assert (trace.unseen, len(trace.nodes)) == ((NORTH,), len(workflow.graph.nodes))
    calm.proxy.weather = Weather()
    assert project.ended(STORM, run_id) is RunState.SUCCEEDED


@pytest.mark.slow
def test_run_when_its_region_is_dead_then_an_operator_sees_brings_home_and_ends_what_waits(calm, aws, monkeypatch):
    """By the commands of the runbook; brought home, it ends without the region."""
    del aws
    project = calm.project
    monkeypatch.chdir(project.root)
    calm.proxy.weather = Weather(cut={NORTH: Cut.REFUSED})
    project.start(STORM, QUIET, "stranded")
    eventually(lambda: project.sweep(STORM).get("resent"), "a message that is sent again")
    assert "stranded" in _given("runs", STORM, "--state", "RUNNING")
    assert "waiting" in _given("trace", "stranded")

    eventually(lambda: "sent again" in _given("redrive", "stranded", "--home", code=None), "its way home")

    assert project.ended(STORM, "stranded") is RunState.SUCCEEDED
    assert "stranded" not in _given("runs", STORM, "--state", "EXPIRED")


@pytest.mark.slow
def test_runs_when_their_region_stays_cut_off_then_one_is_brought_home_and_one_is_cancelled(calm, aws):
    """Both wait for their sync node there. When the region is back nothing of them begins, and nobody is notified."""
    project, runs = calm.project, calm.project.ports(STORM).runs
    calm.proxy.weather = Weather(cut={NORTH: Cut.REFUSED})
    for run_id in ("home", "over"):
        project.start(STORM, QUIET, run_id)
    eventually(lambda: project.sweep(STORM).get("failed"), "a sweep that misses the region")
    eventually(lambda: runs.get("home") and runs.get("over"), "both runs")
    sweeper = SweeperFunction(aws, STORM, HOME, project.sweeper_function(STORM))

    [problem] = cancel(sweeper, "over").problems
    assert redrive(sweeper, "home", home=True).sent
    assert problem.startswith(NORTH)
    assert NORTH not in runs.get("home").run.regions.values()
    assert project.ended(STORM, "home") is RunState.SUCCEEDED
    assert {item.run.run_id for item in runs.listed().items} == {"over"}
    assert project.notes("home")[-1]["node"] == "last"
    calm.proxy.weather = Weather()
    eventually(lambda: project.sweep(STORM) and not runs.listed().items, "the end of the sweeper's list")
    over, ended = runs.get("over"), [note["node"] for note in project.notes("home")]
    assert (over.state, over.is_notified) == (RunState.CANCELLED, False)
    assert (ended.count("join"), ended.count("last")) == (1, 1)


def _given(*arguments, code=0):
    """What a verb says, both streams; it must end with `code`, unless that is None."""
    done = CliRunner().invoke(cli, arguments)
    assert code in {None, done.exit_code}, done.output
    return done.output
