"""One function of a workflow in one region: the Lambda function and all that stands around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from caribou.constructs.acknowledge import acknowledge
from caribou.constructs.customer_key import encrypt_queue
from caribou.constructs.network import attach
from caribou.constructs.own_roles import deny_all_others
from caribou.constructs.workflow_role import RoleProps, WorkflowRole
from caribou.model.graph import Graph
from caribou.model.template_contract import MAX_EVENT_AGE_S, NODE_HANDLER

RETRIES = 2
_MAX_MESSAGE_BYTES = 1024 * 1024  # SQS, CreateQueue: the most; a record of a failure is longer than its event
LOOP_DETECTION_VISITS = 10
"""Lambda stops a chain of about 16 invocations of one function; a path that nears this must say that it is meant."""


@dataclass(frozen=True)
class FunctionProps:
    """What decides a function. `layers` carry what only one function has: the placement, at the home entry."""

    role: RoleProps
    code: lambda_.Code
    python_version: str
    architecture: str
    timeout_s: int
    memory_mb: int
    log_retention_days: int
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: Sequence[lambda_.ILayerVersion] = ()

    @property
    def name(self) -> str:
        """The function's fixed name."""
        return self.role.names.function(self.role.function)

    @property
    def lambda_architecture(self) -> lambda_.Architecture:
        """The architecture as CDK's."""
        return lambda_.Architecture.ARM_64 if self.architecture == "arm64" else lambda_.Architecture.X86_64


class WorkflowFunction(Construct):
    """Log group, failure queue, role, function and the internal topic that starts it.

    Retries and the failure destination stand on the function itself: no alias or version is ever invoked. A
    subscription comes after all that a failure needs, and goes before it: no event comes that could be lost; and after
    the topic's policy, so that none comes of somebody who may not send it.

        failure queue ─▶ its policy ──────────────────────┐
        role ─▶ function ─▶ retries, failure destination ─┼▶ subscription
        topic ─▶ its policy ──────────────────────────────┘
    """

    def __init__(self, scope: Construct, construct_id: str, props: FunctionProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self.log_group = self._log_group()
        self.failures = self._failure_queue()
        self.function = self._function()
        self.topic = self._topic()
        self.subscribe_to(self.topic)

    def subscribe_to(self, topic: sns.Topic) -> None:
        """Invoke the function with what comes through a topic; what SNS can't hand over lies in the failure queue."""
        subscription = topic.add_subscription(
            subscriptions.LambdaSubscription(self.function, dead_letter_queue=self.failures)
        )
        subscription.node.add_dependency(
            self.function.node.find_child("EventInvokeConfig"),
            self.failures.node.find_child("Policy"),
            topic.node.find_child("Policy"),
        )

    def _log_group(self) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "Log",
            log_group_name=self._props.role.names.log_group(self._props.role.function),
            retention=RETENTIONS[self._props.log_retention_days],
            encryption_key=self._props.role.around.key,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _failure_queue(self) -> sqs.Queue:
        """Where events end that no attempt could process, until the sweeper comes for them."""
        queue = sqs.Queue(
            self,
            "Failures",
            queue_name=self._props.role.names.failure_queue(self._props.role.function),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            max_message_size_bytes=_MAX_MESSAGE_BYTES,
        )
        encrypt_queue(queue, self._props.role.around.key)
        acknowledge(queue, {"AwsSolutions-SQS3": "it is itself where a function's and a subscription's failures end"})
        return queue

    def _function(self) -> lambda_.Function:
        props = self._props
        function = lambda_.Function(
            self,
            "Function",
            function_name=props.name,
            handler=NODE_HANDLER,
            code=props.code,
            runtime=lambda_.Runtime(f"python{props.python_version}", lambda_.RuntimeFamily.PYTHON),
            architecture=props.lambda_architecture,
            timeout=Duration.seconds(props.timeout_s),
            memory_size=props.memory_mb,
            environment=dict(props.environment),
            environment_encryption=props.role.around.key,
            layers=list(props.layers),
            log_group=self.log_group,
            role=WorkflowRole(self, "Permissions", props.role, self.log_group).role,
            recursive_loop=_recursive_loop(props.role.graph, props.role.function),
        )
        attach(function, props.role.around.network)
        acknowledge(function, {"AwsSolutions-L1": "the manifest chooses the Python that its requirements are for"})
        function.configure_async_invoke(
            retry_attempts=RETRIES,
            max_event_age=Duration.seconds(MAX_EVENT_AGE_S),
            on_failure=destinations.SqsDestination(self.failures),
        )
        return function

    def _topic(self) -> sns.Topic:
        """The topic, to which the workflow's own roles publish, and nobody else: what comes through it is believed."""
        names = self._props.role.names
        topic = sns.Topic(
            self,
            "Topic",
            topic_name=names.topic(self._props.role.function),
            enforce_ssl=True,
            master_key=self._props.role.around.key,
        )
        allow_account(topic)
        for statement in deny_all_others(names, ["sns:Publish"], topic.topic_arn):
            topic.add_to_resource_policy(statement)
        return topic


def allow_account(topic: sns.Topic) -> None:
    """Leave it to the account's policies who may publish: a topic without such a policy lets every role of it."""
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sns:Publish"], principals=[iam.AccountRootPrincipal()], resources=[topic.topic_arn]
        )
    )


def most_visits(graph: Graph, function: str) -> int:
    """How often the path of the DAG that visits a function most does so."""
    visits: dict[str, int] = {}
    for node in graph.nodes:
        before = max((visits[edge.source] for edge in graph.in_edges(node.name)), default=0)
        visits[node.name] = before + (node.function == function)
    return max(visits.values())


def _recursive_loop(graph: Graph, function: str) -> lambda_.RecursiveLoop | None:
    return lambda_.RecursiveLoop.ALLOW if most_visits(graph, function) > LOOP_DETECTION_VISITS else None


RETENTIONS = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    120: logs.RetentionDays.FOUR_MONTHS,
    150: logs.RetentionDays.FIVE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    400: logs.RetentionDays.THIRTEEN_MONTHS,
    545: logs.RetentionDays.EIGHTEEN_MONTHS,
    731: logs.RetentionDays.TWO_YEARS,
    1096: logs.RetentionDays.THREE_YEARS,
    1827: logs.RetentionDays.FIVE_YEARS,
    2192: logs.RetentionDays.SIX_YEARS,
    2557: logs.RetentionDays.SEVEN_YEARS,
    2922: logs.RetentionDays.EIGHT_YEARS,
    3288: logs.RetentionDays.NINE_YEARS,
    3653: logs.RetentionDays.TEN_YEARS,
}
"""The retentions that CloudWatch Logs knows, by their days; the manifest takes no other."""
