"""A function leaves a region that other functions stay in, while runs still need it there: nothing of them is lost."""

import json

import pytest
from builders import placement_of
from local_project import Project
from waiting import eventually

from caribou.model.names import WorkflowNames

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]

WORKFLOW, HOME, AWAY = "leaving", "us-east-1", "ca-central-1"
NAMES = WorkflowNames(WORKFLOW)
LEAVES, STAYS = "leaves:begin_0_0:1", "stays:leaves_1_0:2"
SOURCE = """
import time

import boto3

from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="leaving", version="0.0.1")
ssm = boto3.client("ssm", region_name="us-east-1")


@workflow.serverless_function(name="begin", entry_point=True)
def begin(event):
    if event == "under way":
        wait_for("may-land")
    workflow.invoke_serverless_function(leaves, event)


@workflow.serverless_function(name="leaves")
def leaves(event):
    if event == "failed" and not is_there("mended"):
        raise RuntimeError("not mended")
    if event == "retried" and is_first("try"):
        raise RuntimeError("the first try")
    if event == "retried":
        wait_for("may-land")
        if is_first("retry"):
            raise RuntimeError("the second try")
    workflow.invoke_serverless_function(stays, event)


@workflow.serverless_function(name="stays")
def stays(event):
    return event


def name_of(what):
    return f"/{what}/{workflow.get_run_id()}"


def is_there(what):
    try:
        ssm.get_parameter(Name=name_of(what))
    except ssm.exceptions.ParameterNotFound:
        return False
    return True


def is_first(what):
    first = not is_there(what)
    ssm.put_parameter(Name=name_of(what), Value="yes", Type="String", Overwrite=True)
    return first


def wait_for(what):
    while not is_there(what):
        time.sleep(0.2)
"""
MANIFEST = f"""
workflow_name: {WORKFLOW}
workflow_version: 0.0.1
home_region: {{provider: aws, region: {HOME}}}
regions_and_providers:
  allowed_regions:
    - {{provider: aws, region: {HOME}}}
    - {{provider: aws, region: {AWAY}}}
  providers: {{aws: {{config: {{timeout: 300, memory: 512}}}}}}
caribou: {{home_share: 0}}
"""


@pytest.fixture
def project(tmp_path, local_cloud):
    """A project at the cloud, with one workflow and two placements: both functions away, and one of them back."""
    project = Project.in_folder(tmp_path, local_cloud)
    graph = project.write_workflow(WORKFLOW, SOURCE, MANIFEST).graph
    for name, moved in (("away", {LEAVES: AWAY, STAYS: AWAY}), ("back", {STAYS: AWAY})):
        (tmp_path / f"{name}.json").write_text(json.dumps(placement_of(graph, moved).to_json()))
    return project


def test_function_that_leaves_a_region_in_use_still_serves_what_lies_there_is_retried_or_comes(project, local_cloud):
    """One message lies in its queue, one is between two of Lambda's tries, and one is published after the move."""
    cloud = _Cloud(local_cloud)
    project.deploy("CaribouControlPlane", f"Workflow-{WORKFLOW}", "-c", "placement=away.json")
    cloud.stop_sweeping()
    for run in ("failed", "retried", "under way"):
        project.run("caribou", "run", WORKFLOW, "-a", json.dumps(run), "--name", run.replace(" ", "-"))
    eventually(lambda: cloud.waiting() == 1, "the message in the failure queue")
    eventually(lambda: cloud.parameter("/try/retried"), "the first try")
    eventually(lambda: cloud.state("under-way"), "the beginning of the run whose message comes late")

    project.deploy(f"Workflow-{WORKFLOW}", "-c", "placement=back.json")
    assert cloud.waiting() == 1
    for run in ("retried", "under-way"):
        cloud.put_parameter(f"/may-land/{run}")
        eventually(lambda run=run: cloud.state(run) == "SUCCEEDED", f"the end of {run}")
    assert cloud.parameter("/retry/retried")

    eventually(lambda: cloud.sweep() and cloud.state("failed") == "FAILED", "the end of the run that failed")
    cloud.put_parameter("/mended/failed")
    project.run("caribou", "redrive", "failed", "--wait")
    assert cloud.state("failed") == "SUCCEEDED"
    for run in ("failed", "retried", "under-way"):
        nodes = json.loads(project.run("caribou", "trace", run, "--json"))["nodes"]
        assert {node["function"]: node["region"] for node in nodes} == {"begin": HOME, "leaves": AWAY, "stays": AWAY}


class _Cloud:
    """What the test looks at and does in the cloud beside the project's commands."""

    def __init__(self, cloud):
        self._ssm = cloud.client("ssm", HOME)
        self._runs = cloud.client("dynamodb", HOME)
        self._queues = cloud.client("sqs", AWAY)
        self._schedules = cloud.client("scheduler", HOME)
        self._lambda = cloud.client("lambda", HOME)

    def stop_sweeping(self):
        """Stop the sweeper's schedule, so that what is in a queue stays there."""
        [schedule] = [s for s in self._schedules.list_schedules()["Schedules"] if WORKFLOW in s["Name"]]
        self._schedules.delete_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])

    def sweep(self):
        """Invoke the sweeper, as its schedule did."""
        pages = self._lambda.get_paginator("list_functions").paginate()
        names = [f["FunctionName"] for page in pages for f in page["Functions"]]
        [sweeper] = [name for name in names if name.startswith(f"Workflow-{WORKFLOW}-Sweeper")]
        return "FunctionError" not in self._lambda.invoke(FunctionName=sweeper, Payload=b"{}")

    def waiting(self):
        """How many messages are in the failure queue of the function that leaves."""
        url = self._queues.get_queue_url(QueueName=NAMES.failure_queue("leaves"))["QueueUrl"]
        count = "ApproximateNumberOfMessages"
        return int(self._queues.get_queue_attributes(QueueUrl=url, AttributeNames=[count])["Attributes"][count])

    def state(self, run):
        """The state of a run; None if it has not begun."""
        item = self._runs.get_item(TableName=NAMES.run_table, Key={"run_id": {"S": run}}).get("Item")
        return None if item is None else item["state"]["S"]

    def parameter(self, name):
        """Whether there is a parameter."""
        return bool(self._ssm.get_parameters(Names=[name])["Parameters"])

    def put_parameter(self, name):
        """Make a parameter."""
        self._ssm.put_parameter(Name=name, Value="yes", Type="String")
