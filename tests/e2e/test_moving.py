"""Moving a workflow there and back, as an operator does it by hand, with runs in flight across both flips."""

import json

import pytest
from builders import placement_of
from local_project import Project
from waiting import eventually

from caribou.model.names import WorkflowNames

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]

WORKFLOW, HOME, AWAY = "flight", "us-east-1", "ca-central-1"
ENTRY, LAST = "begin:entry_point:0", "end:begin_0_0:1"
SOURCE = """
import time

import boto3

from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="flight", version="0.0.1")


@workflow.serverless_function(name="begin", entry_point=True)
def begin(event):
    wait_until_it_may_land(workflow.get_run_id())
    workflow.invoke_serverless_function(end, {"from": workflow.get_run_id()})


@workflow.serverless_function(name="end")
def end(event):
    print(event["from"])


def wait_until_it_may_land(run_id):
    ssm = boto3.client("ssm", region_name="us-east-1")
    while True:
        try:
            ssm.get_parameter(Name=f"/may-land/{run_id}")
        except ssm.exceptions.ParameterNotFound:
            time.sleep(0.2)
        else:
            return
"""
MANIFEST = f"""
workflow_name: flight
workflow_version: 0.0.1
home_region: {{provider: aws, region: {HOME}}}
regions_and_providers:
  allowed_regions:
    - {{provider: aws, region: {HOME}}}
    - {{provider: aws, region: {AWAY}}}
    - {{provider: aws, region: us-west-2}}
  providers: {{aws: {{config: {{timeout: 300, memory: 512}}}}}}
caribou: {{home_share: 0}}
"""


@pytest.fixture
def project(tmp_path, local_cloud):
    """A project at the cloud, with one workflow: a function that takes its time calls another."""
    project = Project.in_folder(tmp_path, local_cloud)
    placement = placement_of(project.write_workflow(WORKFLOW, SOURCE, MANIFEST).graph, {LAST: AWAY})
    (tmp_path / "solved.json").write_text(json.dumps(placement.to_json()))
    return project


def test_moving_there_and_back_ends_each_run_where_it_began_and_retires_only_what_was_left(project, local_cloud):
    """A run keeps the placement that it started with; going home and migrating removes the other region's stack.

    A run is in flight until it may land.
    """
    cloud = local_cloud
    project.deploy("CaribouControlPlane", f"Workflow-{WORKFLOW}")
    begun_at_home = _start(project, cloud, "begun-at-home")
    project.deploy(f"Workflow-{WORKFLOW}", "-c", "placement=solved.json")
    assert begun_at_home.regions_when_ended(cloud) == {ENTRY: HOME, LAST: HOME}

    begun_away = _start(project, cloud, "begun-away")
    project.deploy(f"Workflow-{WORKFLOW}", "-c", "placement=home")
    still_open = project.run("caribou", "run_deployment_migrator", WORKFLOW, "--wait-seconds", "0")
    assert "begun-away" in still_open or "open run" in still_open
    assert begun_away.regions_when_ended(cloud) == {ENTRY: HOME, LAST: AWAY}

    before = _stacks(cloud)
    project.run("caribou", "run_deployment_migrator", WORKFLOW, "--wait-seconds", "0")
    assert before - _stacks(cloud) == {(AWAY, f"Workflow-{WORKFLOW}-{AWAY}")}
    assert _start(project, cloud, "after").regions_when_ended(cloud) == {ENTRY: HOME, LAST: HOME}


class _Run:
    def __init__(self, name):
        self.name = name

    def regions_when_ended(self, cloud):
        """Let it land; where its nodes ran, by its records, once it has succeeded."""
        cloud.client("ssm", HOME).put_parameter(Name=f"/may-land/{self.name}", Value="yes", Type="String")
        table = cloud.client("dynamodb", HOME)
        eventually(lambda: self._state(table) == "SUCCEEDED", f"the end of {self.name}")
        return eventually(lambda: self._records(cloud), f"the records of {self.name}")

    def _state(self, table):
        item = table.get_item(TableName=WorkflowNames(WORKFLOW).run_table, Key={"run_id": {"S": self.name}})
        return item["Item"]["state"]["S"]

    def _records(self, cloud):
        found = {}
        for region in (HOME, AWAY):
            logs = cloud.client("logs", region)
            prefix = f"/aws/lambda/caribou-dev-{WORKFLOW}"
            for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
                for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]:
                    record = _record(event["message"])
                    if record and record["run_id"] == self.name:
                        found[record["node"]] = record["region"]
        return found if len(found) == 2 else None


def _record(message):
    try:
        return json.loads(message).get("caribou_record")
    except ValueError:
        return None


def _start(project, cloud, name):
    """Start a run, and see that it has begun."""
    project.run("caribou", "run", WORKFLOW, "-a", "{}", "--name", name)
    table, key = cloud.client("dynamodb", HOME), {"run_id": {"S": name}}
    eventually(lambda: table.get_item(TableName=WorkflowNames(WORKFLOW).run_table, Key=key).get("Item"), name)
    return _Run(name)


def _stacks(cloud):
    found = set()
    for region in (HOME, AWAY, "us-west-2"):
        for stack in cloud.client("cloudformation", region).describe_stacks()["Stacks"]:
            if stack["StackStatus"] != "DELETE_COMPLETE":
                found.add((region, stack["StackName"]))
    return found
