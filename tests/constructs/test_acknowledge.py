"""Acknowledged findings of cdk-nag: as narrow as they are meant."""

from aws_cdk import Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from caribou.constructs.acknowledge import acknowledge_wildcards
from caribou.constructs.naming import arn


def test_acknowledge_wildcards_when_statements_have_some_then_each_is_named_and_no_other(stack):
    """Every wildcard is acknowledged by itself, with references as cdk-nag writes them."""
    group = logs.LogGroup(stack, "Log")
    wild = iam.PolicyStatement(
        actions=["s3:Get*", "s3:PutObject"],
        resources=[f"{group.log_group_arn}:*", arn("sns", "topic"), arn("sns", "topic", "us-east-1")],
    )
    acknowledge_wildcards(group, [wild], "because")
    found = [e.data for e in group.node.metadata if e.type == Validations.ACKNOWLEDGED_RULES_METADATA_KEY]
    rules = {key.partition("::")[2]: reason for data in found for key, reason in data.items()}
    logical_id = stack.get_logical_id(group.node.default_child)
    assert rules == {
        "AwsSolutions-IAM5[Action::s3:Get*]": "because",
        f"AwsSolutions-IAM5[Resource::<{logical_id}.Arn>:*]": "because",
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:sns:*:<AWS::AccountId>:topic]": "because",
    }
