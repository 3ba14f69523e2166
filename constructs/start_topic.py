"""Where clients start runs: the workflow's one public topic, at home."""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from caribou.constructs.customer_key import allow_use
from caribou.constructs.workflow_function import WorkflowFunction, allow_account
from caribou.model.names import WorkflowNames


class StartTopic(Construct):
    """The topic to which clients, event sources and EventBridge publish what runs are to work on.

    Who may publish is the account's to say, in policies of its users and roles; and rules of EventBridge and
    notifications of buckets may, which publish as services, if they are the account's own (of a rule, as far as
    EventBridge says whose it is).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        names: WorkflowNames,
        entry: WorkflowFunction,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        # CDK calls a subscription, which stands in the function, like its topic: no other there is called so.
        self.topic = sns.Topic(self, "StartTopic", topic_name=names.start_topic, enforce_ssl=True, master_key=key)
        allow_account(self.topic)
        # EventBridge user guide, "Amazon SNS permissions": its calls may come without the rule's ARN
        rules = f"arn:{Aws.PARTITION}:events:*:{Aws.ACCOUNT_ID}:rule/*"
        self._allow("events.amazonaws.com", {"ArnLikeIfExists": {"aws:SourceArn": rules}})
        self._allow("s3.amazonaws.com", {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}})
        entry.subscribe_to(self.topic)
        self._key = key

    def grant_start(self, grantee: iam.IGrantable) -> None:
        """Let somebody start runs: publish to the topic, with the key that it is encrypted with, if it has one.

        Not the topic's own `grant_publish`, which in another region lets the grantee use every key.
        """
        publish = iam.PolicyStatement(actions=["sns:Publish"], resources=[self.topic.topic_arn])
        for statement in (publish, *allow_use([self._key.key_arn] if self._key else [])):
            grantee.grant_principal.add_to_principal_policy(statement)

    def _allow(self, service: str, conditions: dict[str, dict[str, str]]) -> None:
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal(service)],
                resources=[self.topic.topic_arn],
                conditions=conditions,
            )
        )
