"""The benchmark workflows: their modules as Lambda would load them, and whole runs in this process beside a real S3."""

import importlib.util
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from caribou.cli.samples import Samples
from caribou.model.schema.workflow import read_workflow
from caribou.runtime.testing import LocalRunner, RunResult, load_functions

WORKFLOWS = Path(__file__).parents[2] / "workflows"


@pytest.fixture
def load(monkeypatch):
    """A function that loads a module of a workflow, under a name of its own: each workflow has an app.py."""

    def load(workflow, module="app"):
        folder = WORKFLOWS / workflow
        monkeypatch.syspath_prepend(folder)
        spec = importlib.util.spec_from_file_location(f"{workflow}_{module}", folder / f"{module}.py")
        loaded = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, loaded)
        spec.loader.exec_module(loaded)
        return loaded

    return load


@dataclass(frozen=True)
class Played:
    """A run that was played to its end: what became of it, and what it left in S3."""

    run_id: str
    result: RunResult
    outputs: dict[str, bytes]


@pytest.fixture
def play(local_cloud, monkeypatch):
    """`play(workflow, payload=None)`: run a workflow in this process, with the local cloud's S3; the run must succeed.

    Uploads the samples first; the payload is that of `samples/input.json`, or of another file there if a name is
    given, unless it is given itself. `outputs` has the objects below `output/<run id>/`, by the rest of their keys.
    """
    cloud = local_cloud.as_account("555500005555")
    for name, value in cloud.variables().items():
        monkeypatch.setenv(name, value)

    def play(name, payload=None, *, sample="input.json"):
        workflow = read_workflow(WORKFLOWS / name)
        for settings in workflow.manifest.functions.values():
            for variable, value in settings.environment_variables.items():
                monkeypatch.setenv(variable, value)
        samples = Samples(workflow, cloud.account)
        samples.upload()
        runner = LocalRunner(workflow.graph, load_functions(workflow.folder, workflow.graph))
        run_id = f"run-{uuid.uuid4().hex}"
        result = runner.run(samples.payload(sample) if payload is None else payload, run_id)
        assert result.state == "SUCCEEDED", result.errors
        return Played(run_id, result, written(samples, workflow.manifest.home_region, f"output/{run_id}/"))

    return play


def written(samples, home, prefix):
    """The objects below a prefix in the samples' buckets, by the rest of their keys."""
    s3 = boto3.client("s3", region_name=home)
    buckets = {entry["bucket"] for entry in samples.read(samples.folder / "objects.json")}
    pages = s3.get_paginator("list_objects_v2")
    return {
        entry["Key"].removeprefix(prefix): s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        for bucket in sorted(buckets)
        for page in pages.paginate(Bucket=bucket, Prefix=prefix)
        for entry in page.get("Contents", [])
    }
