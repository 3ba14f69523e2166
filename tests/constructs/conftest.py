"""Stacks to build constructs in, without an app of ours around them."""

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk.assertions import Template


@pytest.fixture
def stack(tmp_path):
    """An empty stack in us-east-1; nothing is bundled."""
    app = App(
        outdir=str(tmp_path / "cdk.out"),
        builtin_cloud_formation_validation=False,  # slow, and tests/stacks has it
        context={"aws:cdk:bundling-stacks": [], "@aws-cdk/aws-iam:minimizePolicies": True},
    )
    return Stack(app, "Stack", env=Environment(region="us-east-1"))


@pytest.fixture
def resources():
    """The resources of a type in a stack's template."""

    def resources_of(stack, kind):
        return list(Template.from_stack(stack).find_resources(kind).values())

    return resources_of


@pytest.fixture
def empty(tmp_path):
    """An empty folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder
