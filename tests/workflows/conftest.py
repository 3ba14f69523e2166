"""The benchmark workflows: their modules as Lambda would load them, and whole runs in this process beside a real S3."""

import fnmatch
import importlib.util
import json
import sys
import uuid
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from botocore.client import BaseClient
from builders import ROOT
from scripts import script

from caribou.cli.samples import Samples
from caribou.model.project.workflow import read_workflow
from caribou.runtime.testing import LocalRunner, RunResult, load_functions

WORKFLOWS = ROOT / "workflows"


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
        home = read_workflow(WORKFLOWS / workflow).manifest.home_region
        return json.loads(text.replace("${account}", account).replace("${home_region}", home))

    return filled


@dataclass(frozen=True)
class Played:
    """A run that was played to its end: what became of it, and what it left in S3."""

    run_id: str
    result: RunResult
    outputs: dict[str, bytes]


@pytest.fixture
def play(local_cloud, led_to, monkeypatch):
    """`play(workflow, payload=None)`: run a workflow in this process, with the local cloud's S3; the run must succeed.

    What its functions ask of AWS must be what the workflow's policy allows: the local cloud allows everything.

    Uploads the samples first; the payload is that of `samples/input.json`, or of another file there if a name is
    given, unless it is given itself. `outputs` has the objects below `output/<run id>/`, by the rest of their keys.
    """
    cloud = led_to(local_cloud.as_account("555500005555"))

    def play(name, payload=None, *, sample="input.json"):
        workflow = read_workflow(WORKFLOWS / name)
        for settings in workflow.manifest.functions.values():
            for variable, value in settings.environment_variables.items():
                monkeypatch.setenv(variable, value)
        samples = Samples(workflow, cloud.account)
        samples.upload(cloud.client("s3", workflow.manifest.home_region))
        runner = LocalRunner(workflow.graph, load_functions(workflow.folder, workflow.graph))
        run_id = f"run-{uuid.uuid4().hex}"
        with needed_permissions() as needed:
            result = runner.run(samples.payload(sample) if payload is None else payload, run_id)
        assert result.state == "SUCCEEDED", result.errors
        assert needed, "the functions never asked AWS for anything: the hook does not see it"
        assert needed - allowed(workflow, needed) == set()
        return Played(run_id, result, script("workflows").objects_of(samples, run_id))

    return play


@contextmanager
def needed_permissions():
    """Collects the (action, resource) pairs that IAM would ask for, of every call of an AWS client inside.

    Every client makes every call by one method, which is replaced meanwhile. What has no case of its own here becomes
    its operation's name on what it names: no policy of ours has that, so the run fails until there is a case.
    """
    needed, real = set(), BaseClient._make_api_call

    def noted(client, operation, parameters):
        service = client.meta.service_model.service_name
        place = (parameters.get("Bucket"), parameters.get("Key"))
        action = {"HeadObject": "GetObject", "CopyObject": "PutObject"}.get(operation, operation)
        needed.add((f"{service}:{action}", address(*place)))
        if operation == "CopyObject":
            source = parameters["CopySource"]
            needed.add(("s3:GetObject", address(source["Bucket"], source["Key"])))
        return real(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", noted)
        yield needed


def address(bucket, key):
    """The ARN of an object, or of a bucket where there is no key."""
    return "arn:aws:s3:::" + "/".join(filter(None, (bucket, key)))


def allowed(workflow, needed):
    """Those of the (action, resource) pairs that a workflow's policy allows."""
    permissions = permissions_in(workflow.folder, workflow.manifest)
    return {
        (action, resource)
        for action, resource in needed
        for effect, permitted, pattern in permissions
        if (effect, permitted) == ("Allow", action) and fnmatch.fnmatchcase(resource, pattern)
    }


@pytest.fixture
def permissions_of():
    """`permissions_of(folder, manifest)`: the set of (effect, action, resource) in the policy that a manifest names."""
    return permissions_in


def permissions_in(folder, manifest):
    """The set of (effect, action, resource) in the policy that a manifest names; empty if it names none."""
    if manifest.iam_policy_file is None:
        return set()
    policy = json.loads((folder / ".caribou" / manifest.iam_policy_file).read_text())
    return {
        (statement["Effect"], action, resource)
        for statement in policy["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def listed(value):
    """The value as a list: a policy may have one text in the place of a list of one."""
    return [value] if isinstance(value, str) else value
