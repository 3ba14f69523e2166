"""What the `cdk` command asks of a project's app beside what its user says."""

import pytest

from caribou.cli.cdk import one_workflow


@pytest.mark.parametrize(
    "arguments",
    [
        ["deploy", "Workflow-a"],
        ["diff", "Workflow-a", "-c", "placement=home"],
        ["deploy", "CaribouControlPlane", "Workflow-a-us-west-2", "Workflow-a", "--require-approval", "never"],
        ["synth", "--quiet", "Workflow-a-registration"],
    ],
)
def test_cdk_when_the_stacks_of_one_workflow_are_named_then_no_other_is_bundled(arguments):
    """Bundling nine workflows for the sake of one takes minutes."""
    assert one_workflow(arguments, ["a", "a_b", "b"]) == ["-c", "workflow=a"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["deploy"],
        ["deploy", "--all", "Workflow-a"],
        ["deploy", "Workflow-*", "Workflow-a"],
        ["deploy", "Workflow-a", "Workflow-b"],
        ["deploy", "Workflow-a", "-c", "workflow=b"],
        ["deploy", "Workflow-a", "--context=workflow=b"],
        ["deploy", "Workflow-ab", "MyStack"],
        ["destroy", "Workflow-a"],
    ],
)
def test_cdk_when_more_or_less_is_named_then_it_is_left_as_it_is(arguments):
    """What its user says counts."""
    assert one_workflow(arguments, ["a", "a_b", "b"]) == []
