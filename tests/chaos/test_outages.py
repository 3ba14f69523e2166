"""A project while a region or the control region is cut off, its control plane deleted, its deploy killed."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
from builders import ROOT
from deployed_world import CANADA, HOME, WEST, placed, written_workflow
from faults import Cut, FaultProxy, Weather
from local_project import Project
from waiting import BACKSTOP_S, eventually

from caribou.local.processes import members
from caribou.model.registration import ControlNames

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]
TELAVIV = "il-central-1"
NAME, STAGE = "shop", "outage"
CONTROL = f"{STAGE}-CaribouControlPlane"


class Scene:
    """A user's project whose calls of AWS pass through a proxy, which can cut regions off."""

    def __init__(self, root, cloud, proxy):
        self.cloud, self.proxy, self.project = cloud, proxy, Project.in_folder(root, cloud)
        self.project.environment.update(proxy.settings(), COLUMNS="80")
        self.names = ControlNames(STAGE)

    def caribou(self, *arguments, code=0, cut=(), typed=""):
        """Give a verb while some regions are cut off; it must end with `code`. Both of its streams."""
        self.proxy.weather = Weather(cut=dict.fromkeys(cut, Cut.REFUSED))
        done = subprocess.run(
            self.project.command("caribou", *arguments),
            cwd=self.project.root,
            env=self.project.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=BACKSTOP_S,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{arguments}\n{said}"
        assert "Traceback" not in said
        return said

    @property
    def bucket(self):
        """The control plane's bucket."""
        return self.names.placement_bucket(self.cloud.account, WEST)

    def stacks(self, region=WEST):
        """Names of a region's stacks of this stage."""
        found = self.cloud.client("cloudformation", region).describe_stacks()["Stacks"]
        return {stack["StackName"] for stack in found if stack["StackName"].startswith(STAGE)}

    def killed_deploy(self):
        """Begin a deploy, and kill it without warning once the CDK is at work; nothing of it goes on."""
        self.proxy.weather = Weather()
        command = self.project.command("caribou", "deploy", NAME)
        options = {"cwd": self.project.root, "env": self.project.environment, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, **options) as deploy:
            [cdk] = eventually(lambda: _children(deploy.pid), "the CDK")
            assert eventually(lambda: len(members(cdk)) > 1, "what the CDK runs")
            deploy.send_signal(signal.SIGKILL)
        eventually(lambda: not members(cdk), "the end of what it ran")


def _children(pid):
    """Ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def scene(tmp_path, local_cloud):
    """A project at a stage of its own; its workflow may run in four regions, one of which is never used."""
    with FaultProxy.start() as proxy:
        proxy.lead_to(local_cloud.endpoint)
        scene = Scene(tmp_path, local_cloud, proxy)
        settings = json.loads((ROOT / "cdk.json").read_text())
        settings["context"] |= {"caribou:stage": STAGE}
        (tmp_path / "cdk.json").write_text(json.dumps(settings))
        folder = written_workflow(tmp_path, NAME).folder
        (folder / "requirements.txt").write_text("")
        manifest = folder / ".caribou" / "config.yml"
        canada = f"    - {{provider: aws, region: {CANADA}}}\n"
        manifest.write_text(manifest.read_text().replace(canada, canada + canada.replace(CANADA, TELAVIV)))
        yield scene


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are looked up as Linux has them")
def test_project_when_regions_control_plane_and_deploy_go_then_the_rest_is_shown_and_done(scene, tmp_path):
    """One life: what is not seen is said in a line, home can be reached, and nothing is removed that was not seen."""
    scene.caribou("deploy")
    _a_region_is_cut_off(scene)
    _the_control_region_is_cut_off(scene, tmp_path)
    _the_control_plane_is_deleted(scene)
    _a_deploy_is_killed(scene)
    _all_is_removed(scene)


def _a_region_is_cut_off(scene):
    said = scene.caribou("list", cut=[TELAVIV])
    assert f"warning: not known what stands in {TELAVIV} (no answer)\n" in said
    assert f"{HOME}, home" in said
    assert "af-south-1" not in said
    said = scene.caribou("run_deployment_migrator", NAME, cut=[TELAVIV], code=1)
    assert f"not known whether a stack waits to be retired in {TELAVIV} (no answer)" in said


def _the_control_region_is_cut_off(scene, tmp_path):
    said = scene.caribou("list", cut=[WEST])
    assert f"not known which workflows are registered: {WEST} (no answer)" in said
    assert f"{HOME}, home" in said
    assert "not deployed" not in scene.caribou("list", cut=[HOME])
    moved = tmp_path / "moved.json"
    moved.write_text(json.dumps(placed(CANADA, name=NAME).to_json()))
    said = scene.caribou("deploy", NAME, "--placement", str(moved), cut=[WEST], code=1)
    assert f"so nothing is moved to {CANADA} now" in said
    said = scene.caribou("deploy", NAME, "--placement", "home", cut=[WEST])
    assert f"`caribou deploy {NAME}` registers it later" in said
    assert f"{NAME} is deployed" in said


def _the_control_plane_is_deleted(scene):
    key, s3 = f"{NAME}/applied.json", scene.cloud.client("s3", WEST)
    s3.put_object(Bucket=scene.bucket, Key=key, Body=b"{}")
    stacks = scene.cloud.client("cloudformation", WEST)
    stacks.delete_stack(StackName=CONTROL)
    stacks.get_waiter("stack_delete_complete").wait(StackName=CONTROL, WaiterConfig={"Delay": 1})
    scene.caribou("deploy", NAME)
    assert CONTROL in scene.stacks()
    resources = stacks.describe_stack_resources(StackName=CONTROL)["StackResources"]
    adopted = {scene.bucket, scene.names.fact_table, scene.names.record_table}
    assert adopted < {resource["PhysicalResourceId"] for resource in resources}
    assert s3.get_object(Bucket=scene.bucket, Key=key)["Body"].read() == b"{}"


def _a_deploy_is_killed(scene):
    scene.killed_deploy()
    said = scene.caribou("unlock", NAME, typed="n\n", code=1)
    assert "for: deploying (heartbeat" in said
    assert "whose process has ended" in said
    said = scene.caribou("deploy", NAME)
    assert "taken over, as that has ended" in said


def _all_is_removed(scene):
    said = scene.caribou("remove", "--control-plane", "--yes", code=2)
    assert f"(found: {NAME}). To fix: remove them first: `caribou remove {NAME}`" in said
    said = scene.caribou("remove", NAME, "--delete-data", "--yes", cut=[TELAVIV], code=1)
    assert f"What was seen of {NAME} is removed; not known what is left in {TELAVIV} (no answer)" in said
    assert f"`caribou remove {NAME} --delete-data`" in said
    assert f"{NAME} is removed\n" not in said
    assert scene.stacks() == {CONTROL, f"{STAGE}-Workflow-{NAME}-registration"}
    assert f"{NAME} is removed" in scene.caribou("remove", NAME, "--delete-data", "--yes")
    said = scene.caribou("remove", "--control-plane", "--delete-data", code=2, typed="yes\n")
    assert "is not the stack's name" in said
    scene.caribou("remove", "--control-plane", "--delete-data", typed=f"{CONTROL}\n")
    assert scene.stacks() == set()
    tables = scene.cloud.client("dynamodb", WEST).list_tables()["TableNames"]
    assert not [table for table in tables if table.startswith(f"caribou-{STAGE}-")]
