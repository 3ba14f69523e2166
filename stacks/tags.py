"""The tags and outputs by which the tools find our stacks among all of an account's."""

from __future__ import annotations

from aws_cdk import CfnOutput, Stack

from caribou.model.template_contract import PROJECT, Output, StackRole, Tag, stack_mark


def stack_tags(stage: str, role: StackRole, workflow: str | None = None) -> dict[str, str]:
    """The tags of a stack: its stage, its role and its workflow, if it is one's.

    They are given to `Stack` itself: `Tags.of(stack)` tags no stack under the flags that `cdk init` writes
    (`@aws-cdk/core:explicitStackTags`). CloudFormation tags the resources with them.
    """
    tags = {Tag.PROJECT: PROJECT, Tag.WORKFLOW: workflow, Tag.STAGE: stage, Tag.ROLE: role}
    return {str(key): str(value) for key, value in tags.items() if value is not None}


def mark(stack: Stack, stage: str, role: StackRole, workflow: str = "", project_id: str | None = None) -> None:
    """Say in a stack's outputs what it is, and of which project, if that has an id: no user's tags take these away."""
    CfnOutput(stack, Output.STACK, value=stack_mark(stage, role, workflow))
    if project_id is not None:
        CfnOutput(stack, Output.PROJECT_ID, value=project_id)
