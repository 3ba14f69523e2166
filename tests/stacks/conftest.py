"""A small project of a user, and its stacks synthesised in this process; each choice of context once a session."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pytest
from aws_cdk import App
from builders import topic_in

from caribou.model.project.workflow import read_workflow
from caribou.stacks.app import add_stacks

HOME, WEST, CANADA, IRELAND = "us-east-1", "us-west-2", "ca-central-1", "eu-west-1"

APP = """
from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="{name}", version="0.0.1")


@workflow.serverless_function(name="start", entry_point=True)
def start(event):
    workflow.invoke_serverless_function(near, event)
    workflow.invoke_serverless_function(far, event, bool(event))


@workflow.serverless_function(name="near", regions_and_providers={{
    "disallowed_regions": [{{"provider": "aws", "region": "eu-west-1"}}]
}})
def near(event):
    workflow.invoke_serverless_function(join, event)


@workflow.serverless_function(name="far")
def far(event):
    workflow.invoke_serverless_function(join, event)


@workflow.serverless_function(name="join")
def join(event):
    return workflow.get_predecessor_data()
"""

MANIFEST = """
workflow_name: {name}
workflow_version: 0.0.1
home_region: {{provider: aws, region: us-east-1}}
iam_policy_file: null
regions_and_providers:
  allowed_regions:
    - {{provider: aws, region: us-east-1}}
    - {{provider: aws, region: us-west-2}}
    - {{provider: aws, region: ca-central-1}}
    - {{provider: aws, region: eu-west-1}}
caribou:
  log_retention_days: 400
"""


@dataclass(frozen=True)
class Assembly:
    """What an app was synthesised to."""

    folder: Path

    @cached_property
    def stacks(self):
        """Construct id to the stack's artifact in the manifest."""
        artifacts = json.loads((self.folder / "manifest.json").read_text())["artifacts"]
        return {key: a for key, a in artifacts.items() if a["type"] == "aws:cloudformation:stack"}

    def text(self, stack):
        """A template's text."""
        return (self.folder / f"{stack}.template.json").read_text()

    def template(self, stack):
        """A template as data."""
        return json.loads(self.text(stack))

    def resources(self, stack, kind):
        """The resources of a type in a template, by logical id."""
        return {key: r for key, r in self.template(stack)["Resources"].items() if r["Type"] == kind}

    def properties(self, stack, kind):
        """The properties of all resources of a type in a template."""
        return [r["Properties"] for r in self.resources(stack, kind).values()]

    def messages(self, stack, kind="warning"):
        """The annotations of a stack's constructs; an `error` keeps the CDK CLI from deploying the stack."""
        path = self.folder / f"{stack}.metadata.json"
        entries = json.loads(path.read_text()) if path.exists() else {}
        return [e["data"] for found in entries.values() for e in found if e["type"].startswith(f"aws:cdk:{kind}")]


def write_workflow(root, name):
    """Write a workflow of four functions and a sync node into a project's folder."""
    folder = root / "workflows" / name
    (folder / ".caribou").mkdir(parents=True)
    (folder / "app.py").write_text(APP.format(name=name))
    (folder / ".caribou" / "config.yml").write_text(MANIFEST.format(name=name))
    return folder


@pytest.fixture(scope="session")
def new_project(tmp_path_factory):
    """Make a project with workflows of some names."""

    def new(*names):
        root = tmp_path_factory.mktemp("project")
        for name in names:
            write_workflow(root, name)
        return root

    return new


@pytest.fixture(scope="session")
def project(new_project):
    """One project that tests share and leave as it is: `city_tour`, and files of placements."""
    root = new_project("city_tour")
    moved = {"near": [WEST] * 24, "join": [CANADA] * 12 + [HOME] * 12}
    (root / "moved.json").write_text(json.dumps(placement_of(root, moved)))
    (root / "west.json").write_text(json.dumps(placement_of(root, {"near": [WEST] * 24})))
    (root / "far.json").write_text(json.dumps(placement_of(root, {"near": [WEST] * 24, "far": [IRELAND] * 24})))
    (root / "later.json").write_text(json.dumps(placement_of(root, {"near": [WEST] * 12 + [HOME] * 12})))
    return root


def placement_of(root, moved, workflow="city_tour", **changes):
    """A `solved.json` that places functions by hour, and the others at home."""
    graph = read_workflow(root / "workflows" / workflow).graph
    plans = [
        {
            "hours": [hour],
            "regions": {node.name: moved.get(node.function, [HOME] * 24)[hour] for node in graph.nodes},
            "status": "optimal",
        }
        for hour in range(24)
    ]
    base = {
        "schema": "caribou.placement/1",
        "workflow": workflow,
        "workflow_version": "0.0.1",
        "home_region": HOME,
        "solved_at": "2026-01-01T00:00:00Z",
        "expires_at": "2026-01-08T00:00:00Z",
        "plans": plans,
    }
    return {**base, **changes}


@pytest.fixture(scope="session")
def solved():
    """The maker of placements: see `placement_of`."""
    return placement_of


@pytest.fixture(scope="session")
def now():
    """When the shared project is synthesised: before its placements expire."""
    return datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="session")
def new_app(tmp_path_factory):
    """Make an app with a context; nothing is bundled."""

    def new(synthesizer=None, **context):
        return App(
            default_stack_synthesizer=synthesizer,
            outdir=str(tmp_path_factory.mktemp("cdk.out")),
            builtin_cloud_formation_validation=False,  # slow; the app that is run as a program has it
            context={
                "@aws-cdk/core:enablePartitionLiterals": True,
                "@aws-cdk/aws-iam:minimizePolicies": True,
                "aws:cdk:bundling-stacks": [],
                **context,
            },
        )

    return new


@pytest.fixture(scope="session")
def assembly_of():
    """Synthesise an app: its assembly, or that of a Stage of it."""

    def synthesised(app, stage=None):
        folder = Path(app.synth().directory)
        return Assembly(folder if stage is None else folder / f"assembly-{stage}")

    return synthesised


@pytest.fixture(scope="session")
def synthesised(new_app, project, now):
    """Synthesise a project, the shared one by default; keys of context with `__` for `:`, as in `caribou__stage`."""
    cache = {}

    def synthesise(root=project, at=now, **context):
        key = (root, at, tuple(sorted(context.items())))
        if key not in cache:
            app = new_app(**{name.replace("__", ":"): value for name, value in context.items()})
            add_stacks(app, root, at)
            cache[key] = Assembly(Path(app.synth().directory))
        return cache[key]

    return synthesise


@pytest.fixture(scope="session")
def synthesise_with(new_app, project, now):
    """Synthesise the shared project with CDK's own context keys, and some of ours."""

    def synthesise(flags, **context):
        app = new_app(**flags, **context)
        add_stacks(app, project, now)
        return Assembly(Path(app.synth().directory))

    return synthesise


@pytest.fixture(scope="session")
def home(synthesised):
    """The shared project with everything at home."""
    return synthesised(placement="home")


@pytest.fixture(scope="session")
def alarmed(synthesised):
    """The same as `moved`, with topics at home and in the control region for its alarms."""
    return synthesised(placement="moved.json", caribou__alarm_topic=f"{topic_in(HOME)},{topic_in(WEST)}")


@pytest.fixture(scope="session")
def moved(synthesised):
    """The shared project with `near` in us-west-2, and `join` in ca-central-1 in the morning."""
    return synthesised(placement="moved.json")
