"""Functions in a customer's VPC: attached by ids, and what Lambda has to be allowed for that."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from caribou.model.manifest import Network

_MAKE = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces"]
_ADDRESS = ["ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
_LOOK = ["ec2:DescribeSubnets"]


def attach(function: lambda_.Function, network: Network | None) -> None:
    """Attach a function to a network, if there is one.

    On the resource itself: CDK's `vpc` wants the VPC's id and zones too, which Lambda does not.
    """
    resource = function.node.default_child
    if network is not None and isinstance(resource, lambda_.CfnFunction):
        resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=[*network.subnet_ids], security_group_ids=[*network.security_group_ids]
        )


def allow_attaching(function_arn: str | None = None) -> list[iam.PolicyStatement]:
    """What Lambda does in a role's name to attach its function (Lambda developer guide, "Required IAM permissions").

    Lambda asks for it on every resource. The function's own code, whose calls have its ARN, is denied it.
    """
    allowed = iam.PolicyStatement(actions=[*_MAKE, *_ADDRESS, *_LOOK], resources=["*"])
    if function_arn is None:
        return [allowed]
    denied = iam.PolicyStatement(
        effect=iam.Effect.DENY,
        actions=[*_MAKE, *_ADDRESS],
        resources=["*"],
        conditions={"ArnLike": {"lambda:SourceFunctionArn": function_arn}},
    )
    return [allowed, denied]
