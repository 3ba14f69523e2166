"""The benchmark workflows: their modules as Lambda would load them, and whole runs in this process beside a real S3."""

import ctypes
import importlib.util
import json
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import boto3
import numpy as np
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


@pytest.fixture
def app(load, request):
    """The module of functions of the workflow that the test's file is named after."""
    return load(request.path.stem.removeprefix("test_"))


@pytest.fixture
def filled():
    """`filled(workflow, sample)`: the JSON value in a file of the samples, placeholders filled, see docs/samples.md."""

    def filled(workflow, sample, account="123456789012"):
        text = (WORKFLOWS / workflow / "samples" / sample).read_text(encoding="utf-8")
        return json.loads(text.replace("${account}", account).replace("${home_region}", "us-east-1"))

    return filled


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """One thread for numpy, as in the manifests: on a busy machine, two wait for each other ten times as long.

    tests/conftest.py sets the variable for that, but pytest-randomly has loaded numpy before, unless xdist is used.
    """
    found = [*(Path(np.__file__).parents[1] / "numpy.libs").glob("libscipy_openblas64_*")]
    blas = ctypes.CDLL(str(found[0])) if found else None  # elsewhere than on Linux it has another name
    before = blas.scipy_openblas_get_num_threads64_() if blas else 0
    if blas:
        blas.scipy_openblas_set_num_threads64_(1)
    yield
    if blas:
        blas.scipy_openblas_set_num_threads64_(before)


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
