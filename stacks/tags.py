"""The tags by which the tools find our stacks among all of an account's."""

from __future__ import annotations

from caribou.model.template_contract import PROJECT, StackRole, Tag


def stack_tags(stage: str, role: StackRole, workflow: str | None = None) -> dict[str, str]:
    """The tags of a stack: its stage, its role and its workflow, if it is one's.

    They are given to `Stack` itself: `Tags.of(stack)` tags no stack under the flags that `cdk init` writes
    (`@aws-cdk/core:explicitStackTags`). CloudFormation tags the resources with them.
    """
    tags = {Tag.PROJECT: PROJECT, Tag.WORKFLOW: workflow, Tag.STAGE: stage, Tag.ROLE: role}
    return {str(key): str(value) for key, value in tags.items() if value is not None}
