"""CDK's feature flags: a project that `cdk init` made has every recommended one in its `cdk.json`."""

import json
from pathlib import Path

import pytest
from aws_cdk import Stack
from cdk_flags import recommended_flags
from deployed_world import written_workflow

from caribou.model.template_contract import StackRole
from caribou.stacks.app import add_stacks


@pytest.fixture(scope="module")
def flagged(synthesise_with):
    """The shared project, synthesised with all of them."""
    return synthesise_with(recommended_flags(), placement="moved.json")


def test_stacks_when_every_recommended_flag_is_on_then_they_are_tagged_as_without(flagged, moved):
    """With `explicitStackTags` among them, under which tags of constructs reach no stack."""
    assert recommended_flags()["@aws-cdk/core:explicitStackTags"]
    tags = {stack: artifact["properties"]["tags"] for stack, artifact in flagged.stacks.items()}
    assert tags == {stack: artifact["properties"]["tags"] for stack, artifact in moved.stacks.items()}
    assert {found["caribou:role"] for found in tags.values()} == set(StackRole)


def test_templates_when_every_recommended_flag_is_on_then_they_have_the_same_resources(flagged, moved):
    """No flag adds, drops or replaces anything."""
    for stack in moved.stacks:
        assert kinds(flagged, stack) == kinds(moved, stack)


@pytest.mark.slow
def test_templates_when_any_one_recommended_flag_is_on_then_they_have_the_same_resources_and_tags(
    new_app, tmp_path_factory, now
):
    """Each flag alone, as a project has it that takes them over one by one; a small workflow has all kinds of ours."""
    root = tmp_path_factory.mktemp("flags")
    written_workflow(root, "shop")

    def synthesised(flags):
        app = new_app(**flags)
        add_stacks(app, root, now)
        stacks = [child for child in app.node.children if isinstance(child, Stack)]
        app.synth()
        templates = {stack.node.id: (Path(app.outdir) / stack.template_file).read_text() for stack in stacks}
        resources = {name: json.loads(text)["Resources"] for name, text in templates.items()}
        kinds_of = {name: {key: r["Type"] for key, r in found.items()} for name, found in resources.items()}
        return kinds_of, {stack.node.id: stack.tags.tag_values() for stack in stacks}

    plain, flags = synthesised({}), recommended_flags()
    assert len(flags) > 80
    assert [flag for flag, value in flags.items() if synthesised({flag: value}) != plain] == []


def kinds(assembly, stack):
    """Logical ids to types."""
    return {key: resource["Type"] for key, resource in assembly.template(stack)["Resources"].items()}
