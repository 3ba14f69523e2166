"""The tags by which the tools find our stacks among all of an account's."""

from __future__ import annotations

from aws_cdk import Stack, Tags

from caribou.model.template_contract import PROJECT, StackRole, Tag


def tag(stack: Stack, stage: str, role: StackRole, workflow: str | None = None) -> None:
    """Tag a stack, and all in it, with its stage, its role and its workflow, if it is one's."""
    tags = {Tag.PROJECT: PROJECT, Tag.WORKFLOW: workflow, Tag.STAGE: stage, Tag.ROLE: role}
    for key, value in tags.items():
        if value is not None:
            Tags.of(stack).add(key, value)
