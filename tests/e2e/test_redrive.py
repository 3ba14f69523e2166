"""Runs that fail, as their owner meets them: what failed, what is kept, and going on once it is mended."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aws_commands import aws_command
from builders import ROOT
from followed_docs import blocks_of
from local_project import Project
from waiting import eventually

from caribou.model.names import WorkflowNames

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]

WORKFLOW, HOME = "mending", "us-east-1"
SOURCE = """
import json
import time

import boto3

from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="mending", version="0.0.1")


@workflow.serverless_function(name="begin", entry_point=True)
def begin(event):
    workflow.invoke_serverless_function(left, "from begin")
    workflow.invoke_serverless_function(right, event, event["mode"] == "read")
    workflow.invoke_serverless_function(doze, event, event["mode"] == "sleep")


@workflow.serverless_function(name="left")
def left(event):
    workflow.invoke_serverless_function(join, {"side": "left"})


@workflow.serverless_function(name="right")
def right(event):
    value = boto3.client("ssm").get_parameter(Name=event["parameter"])["Parameter"]["Value"]
    workflow.invoke_serverless_function(join, {"side": "right", "value": value})


@workflow.serverless_function(
    name="doze", regions_and_providers={"providers": {"aws": {"config": {"timeout": 3, "memory": 256}}}}
)
def doze(event):
    time.sleep(600)


@workflow.serverless_function(name="join")
def join(event):
    print("JOINED " + json.dumps([workflow.get_run_id(), workflow.get_predecessor_data()]))
"""
MANIFEST = f"""
workflow_name: {WORKFLOW}
workflow_version: 0.0.1
home_region: {{provider: aws, region: {HOME}}}
iam_policy_file: policy.json
regions_and_providers:
  allowed_regions:
    - {{provider: aws, region: {HOME}}}
"""
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["ssm:GetParameter"], "Resource": ["*"]}],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory, local_cloud):
    """A project at the cloud, with the workflow deployed."""
    project = Project.in_folder(tmp_path_factory.mktemp("project"), local_cloud)
    folder = project.root / "workflows" / WORKFLOW
    (folder / ".caribou").mkdir(parents=True)
    (folder / "app.py").write_text(SOURCE)
    (folder / ".caribou" / "config.yml").write_text(f"{MANIFEST}caribou:\n  alarm_topic: {_topic(local_cloud)}\n")
    (folder / ".caribou" / "policy.json").write_text(json.dumps(POLICY))
    project.run("caribou", "deploy", WORKFLOW)
    return project


def _topic(cloud):
    """A topic at home that alarms go to."""
    return cloud.client("sns", HOME).create_topic(Name="on-call")["TopicArn"]


def test_run_that_failed_goes_on_after_redrive_with_what_its_siblings_had_done(project, local_cloud):
    """It says where and why it failed; mended and redriven, the sync node has each input, and ran once."""
    name, parameter = "mended", "/mending/value"
    payload = json.dumps({"mode": "read", "parameter": parameter})
    said = project.run("caribou", "run", WORKFLOW, "-a", payload, "--name", name, "--wait", code=1)
    assert "Run mended failed at right:begin_0_1:2: ParameterNotFound" in said
    assert name in project.run("caribou", "runs", WORKFLOW, "--state", "FAILED")

    failed = _trace(project, name, lambda t: _states(t)["left"] == "ran" and _node(t, "right")["attempts"] == 3)
    assert failed["state"] == "FAILED"
    assert "ParameterNotFound" in failed["error"]
    assert _states(failed) == {
        "begin": "ran",
        "left": "ran",
        "right": "failed",
        "doze": "skipped",
        "join": "waiting",
    }
    assert _node(failed, "join")["reported"] == 1
    assert failed["failure"]["at"].startswith("app.py, line 26, in right")
    assert "failed at app.py, line 26, in right" in project.run("caribou", "trace", "mend")
    assert "right Traceback" in project.run("caribou", "logs", "mend", "--node", "right")

    local_cloud.client("ssm", HOME).put_parameter(Name=parameter, Type="String", Value="mended")
    project.run("caribou", "redrive", name, "--wait")
    mended = _trace(project, name, lambda trace: _states(trace)["join"] == "ran")
    assert "Run mended of mending: SUCCEEDED" in project.run("caribou", "trace", name)
    assert _states(mended) == {**_states(failed), "right": "ran", "join": "ran"}
    assert _node(mended, "right")["attempts"] == 4
    assert _critical(mended) == ["begin", "right", "join"]
    assert _joined(local_cloud, name) == [[{"side": "left"}, {"side": "right", "value": "mended"}]]

    listed = json.loads(project.run("caribou", "runs", WORKFLOW, "--state", "SUCCEEDED", "--since", "1h", "--json"))
    assert name in [run["run_id"] for run in listed]


def test_run_when_it_is_cancelled_then_what_runs_ends_and_nothing_follows(project, local_cloud):
    """Once or twice, it is over for good: no sweep goes on with it, and nothing of it can be redriven."""
    payload = json.dumps({"mode": "sleep", "parameter": ""})
    project.run("caribou", "run", WORKFLOW, "-a", payload, "--name", "harmful")
    _trace(project, "harmful", lambda trace: _states(trace)["doze"] in {"running", "retrying"})
    listed = json.loads(project.run("caribou", "runs", WORKFLOW, "--state", "RUNNING", "--json"))
    assert "harmful" in [run["run_id"] for run in listed]

    assert "harmful is CANCELLED" in project.run("caribou", "cancel", "harmf")

    assert "harmful is CANCELLED" in project.run("caribou", "cancel", "harmful")
    assert _sweep(local_cloud)
    assert "Run harmful of mending: CANCELLED" in project.run("caribou", "trace", "harmful")
    assert "only a run that failed or expired" in project.run("caribou", "redrive", "harmful", code=2)


@pytest.mark.usefixtures("project")
def test_message_when_it_is_none_of_ours_then_an_operator_looks_at_it_and_deletes_it(local_cloud):
    """By the commands of the runbook: the queue, the message, and the sweeper's log, schedule and room."""
    page = (ROOT / "docs" / "runbook.md").read_text()
    values = {"NAME": WORKFLOW, "FUNCTION": "begin", "REGION": HOME, "HOME": HOME}

    def give(command):
        found = next(one for one in re.findall(r"\baws [^`|;#\n]+", page) if one.startswith(command))
        text = re.sub(r"\b[A-Z]{3,}\b", lambda word: values.get(word[0], word[0]), found)
        return aws_command(text).give(local_cloud)

    values["URL"] = give("aws sqs get-queue-url")["QueueUrl"]
    local_cloud.client("sqs", HOME).send_message(QueueUrl=values["URL"], MessageBody="what is this?")
    eventually(lambda: _sweep(local_cloud) and _said_by_the_sweeper(local_cloud, "LeftInQueue"), "the sweeper's word")
    local_cloud.client("sqs", HOME).send_message(QueueUrl=values["URL"], MessageBody="and this?")
    [message] = eventually(lambda: give("aws sqs receive-message").get("Messages"), "what no sweep has hidden")
    assert message["Body"] == "and this?"
    values["HANDLE"] = message["ReceiptHandle"]
    give("aws sqs delete-message")
    assert give("aws logs describe-log-groups")["logGroups"]
    values["GROUP"] = _sweeper(local_cloud)["LoggingConfig"]["LogGroup"]
    assert give("aws logs filter-log-events")["events"]
    assert give("aws scheduler list-schedules")["Schedules"]
    assert give("aws lambda get-account-settings")["AccountLimit"]


def test_run_that_failed_is_an_event_for_others_a_metric_and_an_alarm(project, local_cloud):
    """The rule of docs/alarms.md gets it, with the error's type; the composite alarm is there, for the topic."""
    inbox = _rule_of_the_docs(local_cloud)
    payload = json.dumps({"mode": "read", "parameter": "/mending/nowhere"})
    project.run("caribou", "run", WORKFLOW, "-a", payload, "--name", "noticed", "--wait", code=1)
    event = eventually(lambda: _sweep(local_cloud) and _received(local_cloud, inbox, "noticed"), "the event")
    assert (event["source"], event["detail-type"]) == ("caribou", "Run failed")
    assert event["detail"] == {
        "workflow": WORKFLOW,
        "stage": "dev",
        "version": "0.0.1",
        "run_id": "noticed",
        "node": "right:begin_0_1:2",
        "error_type": "ParameterNotFound",
    }
    assert _said_by_the_sweeper(local_cloud, "RunFailed")
    assert _said_by_the_sweeper(local_cloud, "Parked")
    alarms = local_cloud.client("cloudwatch", HOME).describe_alarms(AlarmTypes=["CompositeAlarm", "MetricAlarm"])
    (composite,) = alarms["CompositeAlarms"]
    assert (composite["AlarmName"], composite["AlarmActions"]) == (f"caribou-dev-{WORKFLOW}", [_topic(local_cloud)])
    assert f"caribou-dev-{WORKFLOW}/RunFailed" in {alarm["AlarmName"] for alarm in alarms["MetricAlarms"]}


def _rule_of_the_docs(cloud):
    """The queue to which the event pattern that docs/alarms.md shows leads."""
    blocks = re.findall(r"```json\n(.*?)\n```", (ROOT / "docs" / "alarms.md").read_text(), re.DOTALL)
    (pattern,) = (block for block in blocks if "detail-type" in block)
    queue = cloud.client("sqs", HOME).create_queue(QueueName="inbox")["QueueUrl"]
    events = cloud.client("events", HOME)
    events.put_rule(Name="failed-runs", EventPattern=pattern)
    events.put_targets(
        Rule="failed-runs", Targets=[{"Id": "inbox", "Arn": f"arn:aws:sqs:{HOME}:{cloud.account}:inbox"}]
    )
    return queue


def _received(cloud, queue, run_id):
    messages = cloud.client("sqs", HOME).receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    events = [json.loads(message["Body"]) for message in messages]
    return next((event for event in events if event["detail"]["run_id"] == run_id), None)


def _sweeper(cloud):
    functions = cloud.client("lambda", HOME).list_functions()["Functions"]
    return next(f for f in functions if f["FunctionName"].startswith(f"Workflow-{WORKFLOW}-Sweeper"))


def _sweep(cloud):
    """The schedule's work, now."""
    cloud.client("lambda", HOME).invoke(FunctionName=_sweeper(cloud)["FunctionName"], Payload=b"{}")
    return True


def _said_by_the_sweeper(cloud, metric):
    """The values of a metric in the lines of the sweeper's log that CloudWatch reads."""
    group = _sweeper(cloud)["LoggingConfig"]["LogGroup"]
    events = cloud.client("logs", HOME).filter_log_events(logGroupName=group)["events"]
    lines = [line for event in events for line in event["message"].split("\n") if '"_aws"' in line]
    said = [json.loads(line) for line in lines]
    return [each[metric] for each in said if metric in each and each["Workflow"] == WORKFLOW]


@pytest.mark.slow
def test_run_whose_function_is_killed_by_its_time_limit_fails_there_and_says_so(project):
    """Nothing in the function can report it: the sweeper does, from what Lambda gave up."""
    payload = json.dumps({"mode": "sleep", "parameter": ""})
    said = project.run("caribou", "run", WORKFLOW, "-a", payload, "--name", "slow", "--wait", code=1)
    assert "Run slow failed at doze:begin_0_2:3" in said
    assert "imed out" in said

    doze = _node(_trace(project, "slow", lambda trace: _node(trace, "doze")["is_parked"]), "doze")
    assert doze["state"] == "failed"
    assert "imed out" in doze["error"]
    assert "caribou redrive slow" in project.run("caribou", "trace", "slow", "--workflow", WORKFLOW)


def test_run_that_succeeded_or_is_not_known_is_not_redriven(project, local_cloud):
    """What can't go on is one message each, and exit code 2."""
    local_cloud.client("ssm", HOME).put_parameter(Name="/mending/there", Type="String", Value="there")
    payload = json.dumps({"mode": "read", "parameter": "/mending/there"})
    shown = project.run("caribou", "run", WORKFLOW, "-a", payload, "--name", "good", "--wait")
    assert "Run good of mending: SUCCEEDED" in shown
    assert "only a run that failed or expired" in project.run("caribou", "redrive", "good", code=2)
    assert "there is no such run" in project.run("caribou", "redrive", "nobody", code=2)
    assert "it has ended: SUCCEEDED" in project.run("caribou", "cancel", "good", code=2)
    assert project.run("caribou", "run", WORKFLOW, "-a", payload, "--name", "good") == "good\n"
    assert "began with another payload" in project.run("caribou", "run", WORKFLOW, "-a", "1", "--name", "good", code=2)
    assert "there is no such run" in project.run("caribou", "trace", "nobody", code=2)


SWAP = """
from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="swap", version="0.0.1")


@workflow.serverless_function(name="start", entry_point=True)
def start(event):
    {calls}


@workflow.serverless_function(name="join")
def join(event):
    return workflow.get_predecessor_data()
"""
X = 'workflow.invoke_serverless_function(join, {"part": "x"})'
Y = X.replace('"x"', '"y"')


@pytest.mark.slow
def test_redrive_when_two_calls_changed_places_then_it_is_refused_and_mended_otherwise_it_goes_on(project):
    """Edges are known by number: the sync node would get the first part twice, and the second one never."""
    _deploy_swap(project, X, 'int("not yet mended")', Y)
    project.run("caribou", "run", "swap", "-a", "{}", "--name", "swapped", "--wait", code=1)

    _deploy_swap(project, Y, X)
    said = eventually(lambda: _refused(project, "swapped"), "the refusal")
    assert "call 1 of start:entry_point:0, to join:sync:1, had been made before it failed" in said
    assert "deploy the calls as they were, or start a new run" in said

    _deploy_swap(project, 'print("mended")', X, Y)
    _redrive_all(project, "swap")
    trace = _trace(project, "swapped", lambda trace: trace["state"] == "SUCCEEDED")
    assert trace["results"] == {"join:sync:1": [{"part": "x"}, {"part": "y"}]}


def _redrive_all(project, workflow):
    """Every run that failed, by the lines of the runbook."""
    page = (ROOT / "docs" / "runbook.md").read_text()
    (lines,) = [block.text for block in blocks_of(page) if "caribou redrive RUN" in block.text]
    environment = {**project.environment, "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    script = lines.replace("NAME", workflow)
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=project.root, env=environment, check=True)


def _deploy_swap(project, *lines):
    folder = project.root / "workflows" / "swap"
    (folder / ".caribou").mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(SWAP.replace("{calls}", "\n    ".join(lines)))
    (folder / ".caribou" / "config.yml").write_text(
        MANIFEST.replace(WORKFLOW, "swap").replace("iam_policy_file: policy.json\n", "")
    )
    project.run("caribou", "deploy", "swap")


def _refused(project, run_id):
    """Why a redrive is refused; None as long as the run's message is not parked."""
    said = project.run("caribou", "redrive", run_id, code=2)
    return None if "nothing of it is parked" in said else said


def _trace(project, run_id, check):
    """The run's trace, once the check holds: logs come a moment late."""

    def look():
        trace = json.loads(project.run("caribou", "trace", run_id, "--json"))
        return trace if check(trace) else None

    return eventually(look, f"the trace of {run_id}")


def _node(trace, function):
    return next(node for node in trace["nodes"] if node["function"] == function)


def _states(trace):
    return {node["function"]: node["state"] for node in trace["nodes"]}


def _critical(trace):
    return [node["function"] for node in trace["nodes"] if node["is_critical"]]


def _joined(cloud, run_id):
    """What the sync node was given in each of its executions."""
    group = WorkflowNames(WORKFLOW).log_group("join")
    events = cloud.client("logs", HOME).filter_log_events(logGroupName=group)["events"]
    lines = [line for event in events for line in event["message"].split("\n") if line.startswith("JOINED ")]
    said = [json.loads(line.removeprefix("JOINED ")) for line in lines]
    return [inputs for run, inputs in said if run == run_id]
