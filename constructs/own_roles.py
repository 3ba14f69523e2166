"""By what a workflow's resources know its own roles: two tags, whatever the roles are called."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Tags
from aws_cdk import aws_iam as iam

from caribou.model.names import WorkflowNames
from caribou.model.template_contract import Tag


def tags_of_roles(names: WorkflowNames) -> dict[str, str]:
    """What every role of a workflow at a stage is tagged with. In the template itself, so not by its stack alone."""
    return {Tag.WORKFLOW.value: names.workflow, Tag.STAGE.value: names.stage}


def tag(role: iam.Role, tags: Mapping[str, str]) -> None:
    """Tag a role in the template."""
    for key, value in tags.items():
        Tags.of(role).add(key, value)


def deny_all_others(names: WorkflowNames, actions: list[str], resource: str) -> list[iam.PolicyStatement]:
    """Statements of a resource's policy: nobody but the workflow's own roles, whatever another policy allows.

    A statement a tag, since the keys of one condition must all hold. Who has no such tag is denied: `StringNotEquals`
    is true of a key that is not there.
    """
    return [
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=actions,
            resources=[resource],
            conditions={"StringNotEquals": {f"aws:PrincipalTag/{key}": value}},
        )
        for key, value in tags_of_roles(names).items()
    ]
