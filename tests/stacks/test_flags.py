"""CDK's feature flags: a project that `cdk init` made has every recommended one in its `cdk.json`."""

import json
import tarfile
from importlib.resources import files
from pathlib import Path

import pytest

from caribou.model.template_contract import StackRole

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


def kinds(assembly, stack):
    """Logical ids to types."""
    return {key: resource["Type"] for key, resource in assembly.template(stack)["Resources"].items()}
