"""Findings of cdk-nag that are meant: each is acknowledged beside its construct, with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct

WILDCARD_RULE = "AwsSolutions-IAM5"


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings at or below a construct: the finding's id to its reason."""
    found = [Acknowledgment(id=finding, reason=reason) for finding, reason in reasons.items()]
    Validations.of(construct).acknowledge(*found)


def acknowledge_wildcards(construct: IConstruct, statements: Iterable[iam.PolicyStatement], reason: str) -> None:
    """Acknowledge every wildcard in the actions and resources of some statements, each by itself, and no other."""
    stack = Stack.of(construct)
    findings = [
        f"{WILDCARD_RULE}[{kind}::{name}]"
        for statement in statements
        for kind, values in (("Action", statement.actions), ("Resource", statement.resources))
        for name in map(_flat, stack.resolve(values))
        if "*" in name
    ]
    acknowledge(construct, dict.fromkeys(findings, reason))


def _flat(value: Any) -> str:  # noqa: ANN401 - any part of a template
    """A string of a template as cdk-nag names it: `<Log.Arn>:*` for a join of an attribute and `:*`."""
    match value:
        case str():
            return value.replace("${", "<").replace("}", ">")
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [delimiter, parts]}:
            return str(delimiter).join(map(_flat, parts))
    return str(value)
