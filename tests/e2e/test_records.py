"""Records of functions that do what they can to have none: on the local cloud, from the log into the table."""

import json

import pytest
from local_project import Project
from waiting import eventually

from caribou.model.names import WorkflowNames

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]

WORKFLOW, HOME = "silent", "us-east-1"
SOURCE = """
import io
import logging.config
import os
import sys

logging.config.dictConfig({"version": 1, "root": {"level": "CRITICAL"}})
logging.disable()
os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"

from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="silent", version="0.0.1")


@workflow.serverless_function(name="hush", entry_point=True)
def hush(event):
    sys.stderr.write("no end of this line: {")
    sys.stderr.close()
    os.close(2)
    sys.stdout = sys.stderr = io.StringIO()
    workflow.invoke_serverless_function(fail, event)


@workflow.serverless_function(name="fail")
def fail(event):
    raise ValueError(event["character"].encode().decode("unicode_escape") * event["times"])
"""
MANIFEST = f"""
workflow_name: {WORKFLOW}
workflow_version: 0.0.1
home_region: {{provider: aws, region: {HOME}}}
regions_and_providers:
  allowed_regions:
    - {{provider: aws, region: {HOME}}}
"""


CHARACTERS = {"long": ("x", 450_000), "half": ("\\ud800", 3)}
"""What the two runs raise."""


@pytest.fixture(scope="module")
def project(tmp_path_factory, local_cloud):
    """A project at the cloud, with the workflow and the control plane deployed, and both runs started."""
    project = Project.in_folder(tmp_path_factory.mktemp("project"), local_cloud)
    project.write_workflow(WORKFLOW, SOURCE, MANIFEST)
    project.run("caribou", "deploy", WORKFLOW)
    for name, (character, times) in CHARACTERS.items():
        payload = json.dumps({"character": character, "times": times})
        project.run("caribou", "run", WORKFLOW, "-a", payload, "--name", name)
    return project


@pytest.mark.parametrize("name", CHARACTERS)
def test_records_of_functions_that_close_their_streams_and_raise_anything_are_collected(project, local_cloud, name):
    """The run has FAILED, its trace can be read, and each try's record reaches the table."""
    trace = eventually(lambda: _ended(project, name), "the run's end")
    assert trace["state"] == "FAILED"
    assert trace["error"].startswith(f"ValueError: {CHARACTERS[name][0]}")
    assert [node["state"] for node in trace["nodes"]] == ["ran", "failed"]
    eventually(lambda: _records(project, name) == [("hush", 1), *(("fail", tries) for tries in (1, 2, 3))], "records")
    groups = local_cloud.client("logs", HOME).describe_log_groups()["logGroups"]
    assert WorkflowNames(WORKFLOW).log_group("hush") in {group["logGroupName"] for group in groups}


def _ended(project, run_id):
    """The run's trace, once it has begun and is no longer running."""
    if f'"{run_id}"' not in project.run("caribou", "runs", WORKFLOW, "--json"):
        return None
    trace = json.loads(project.run("caribou", "trace", run_id, "--json"))
    return trace if trace["state"] != "RUNNING" else None


def _records(project, run_id):
    """Function and attempt of a run's records in the table, after another log collection."""
    project.run("caribou", "log_sync", WORKFLOW, "-o", "records.jsonl")
    records = map(json.loads, (project.root / "records.jsonl").read_text().splitlines())
    mine = [(r["function"], r["attempt"]) for r in records if r["run_id"] == run_id]
    return sorted(mine, key=lambda record: (record[0] != "hush", record[1]))
