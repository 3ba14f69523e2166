"""CDK's feature flags: a project that `cdk init` made has every recommended one in its `cdk.json`."""

import json
import tarfile
from importlib.resources import files
from pathlib import Path

import pytest
from aws_cdk import Stage

from caribou.model.template_contract import StackRole
from caribou.stacks import add_workflows

FLAGS_FILE = "package/recommended-feature-flags.json"


@pytest.fixture(scope="module")
def flags():
    """The flags that `cdk init` writes, out of the package of CDK's library that is installed."""
    [package] = Path(str(files("aws_cdk") / "_jsii")).glob("*.tgz")
    with tarfile.open(package, "r|gz") as archive:
        content = next(archive.extractfile(member).read() for member in archive if member.name == FLAGS_FILE)
    return json.loads(content)


@pytest.fixture(scope="module")
def flagged(synthesise_with, flags):
    """The shared project, synthesised with all of them."""
    return synthesise_with(flags, placement="moved.json")


def test_stacks_when_every_recommended_flag_is_on_then_they_are_tagged_as_without(flagged, moved, flags):
    """With `explicitStackTags` among them, under which tags of constructs reach no stack."""
    assert flags["@aws-cdk/core:explicitStackTags"]
    tags = {stack: artifact["properties"]["tags"] for stack, artifact in flagged.stacks.items()}
    assert tags == {stack: artifact["properties"]["tags"] for stack, artifact in moved.stacks.items()}
    assert {found["caribou:role"] for found in tags.values()} == set(StackRole)


def test_templates_when_every_recommended_flag_is_on_then_they_have_the_same_resources(flagged, moved):
    """No flag adds, drops or replaces anything."""
    for stack in moved.stacks:
        assert kinds(flagged, stack) == kinds(moved, stack)


@pytest.fixture
def staged(new_app, assembly_of, project, now, flags):
    """The shared project in a Stage of an app that `cdk init` made."""
    app = new_app(**flags, placement="moved.json")
    add_workflows(Stage(app, "Prod"), project, now=now)
    return assembly_of(app, "Prod")


def test_stacks_when_they_are_in_a_stage_under_every_flag_then_they_are_the_same(staged, moved):
    """Names, tags and resources; the right of a topic to invoke is called by the topic's path, which has the Stage."""
    assert set(named(staged)) == set(named(moved))
    for name, (stack, tags) in named(staged).items():
        other, others_tags = named(moved)[name]
        assert tags == others_tags
        assert sorted(kinds(staged, stack).values()) == sorted(kinds(moved, other).values())
        assert without_permissions(staged, stack) == without_permissions(moved, other)


def named(assembly):
    """The stacks by their names in CloudFormation: artifact and tags."""
    return {a["properties"].get("stackName", key): (key, a["properties"]["tags"]) for key, a in assembly.stacks.items()}


def without_permissions(assembly, stack):
    """Logical ids to types, of all but rights to invoke."""
    return {key: kind for key, kind in kinds(assembly, stack).items() if kind != "AWS::Lambda::Permission"}


def kinds(assembly, stack):
    """Logical ids to types."""
    return {key: resource["Type"] for key, resource in assembly.template(stack)["Resources"].items()}
