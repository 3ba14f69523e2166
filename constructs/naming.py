"""ARNs and policy conditions out of deterministic names: no reference crosses a region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs


def arn(service: str, resource: str, region: str = "*") -> str:
    """The ARN of a resource of this account, in one region or any."""
    return f"arn:{Aws.PARTITION}:{service}:{region}:{Aws.ACCOUNT_ID}:{resource}"


Conditions = Mapping[str, Mapping[str, object]]
"""Conditions of a statement: operator to keys to values."""
_NONE: Conditions = MappingProxyType({})
OF_THIS_ACCOUNT: Conditions = {"StringEquals": {"aws:ResourceAccount": Aws.ACCOUNT_ID}}
"""Of buckets, whose names anyone can take: only if this account owns it."""


def with_leading_keys(patterns: Iterable[str]) -> Conditions:
    """Items of a table alone whose partition keys are like some patterns."""
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": sorted(set(patterns))}}


def with_attributes(names: Iterable[str], *, returning: str) -> Conditions:
    """Calls that name some attributes of an item alone, its key among them, and get no others back."""
    return {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": sorted(set(names))},
        "StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE", returning]},
    }


def allow_in_regions(
    actions: list[str], resources: list[str], regions: Iterable[str], conditions: Conditions = _NONE
) -> iam.PolicyStatement:
    """A statement that holds in some regions only, however widely its resources are named, and on conditions."""
    of_regions = {"aws:RequestedRegion": sorted(set(regions))}
    return iam.PolicyStatement(
        actions=actions,
        resources=resources,
        conditions={**conditions, "StringEquals": {**conditions.get("StringEquals", {}), **of_regions}},
    )


def allow_logging(log_group: logs.ILogGroup) -> iam.PolicyStatement:
    """Lines into a function's own log group, which it may not create: the stack does, with a retention.

    The group's ARN ends in `:*`, which is its streams, as CDK's `grant_write` takes it.
    """
    return iam.PolicyStatement(
        actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
    )
