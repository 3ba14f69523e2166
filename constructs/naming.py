"""ARNs and policy conditions out of deterministic names: no reference crosses a region."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs


def arn(service: str, resource: str, region: str = "*") -> str:
    """The ARN of a resource of this account, in one region or any."""
    return f"arn:{Aws.PARTITION}:{service}:{region}:{Aws.ACCOUNT_ID}:{resource}"


def allow_in_regions(actions: list[str], resources: list[str], regions: Iterable[str]) -> iam.PolicyStatement:
    """A statement that holds in some regions only, however widely its resources are named."""
    return iam.PolicyStatement(
        actions=actions,
        resources=resources,
        conditions={"StringEquals": {"aws:RequestedRegion": sorted(set(regions))}},
    )


def allow_logging(log_group: logs.ILogGroup) -> iam.PolicyStatement:
    """Lines into a function's own log group, which it may not create: the stack does, with a retention.

    The group's ARN ends in `:*`, which is its streams, as CDK's `grant_write` takes it.
    """
    return iam.PolicyStatement(
        actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
    )
