"""A function that runs on a schedule: the sweeper at each workflow's home, the collectors of the control plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import Duration, RemovalPolicy, Stack, TimeZone
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from caribou.constructs.acknowledge import acknowledge, acknowledge_wildcards
from caribou.constructs.customer_key import allow_use
from caribou.constructs.naming import allow_logging
from caribou.constructs.network import allow_attaching, attach
from caribou.constructs.own_roles import tag
from caribou.constructs.surroundings import NOTHING, Surroundings


@dataclass(frozen=True)
class ScheduledProps:
    """What decides a scheduled function. `at` is the scheduler's expression, in UTC, `purpose` its description.

    `statements` are what its role may do beside logging; `why_wildcards` and `why_runtime` say why cdk-nag's findings
    of wildcards in them, and of a runtime that is not the latest, are meant. Without a `name`, function and log group
    get CloudFormation's. `role_tags` are the role's. `retries` None leaves the scheduler's own, and Lambda's, since the
    scheduler invokes by an event; and so does `max_age` None: it is for a function that comes again so soon that a late
    event is of no use.
    """

    handler: str
    code: lambda_.Code
    at: str
    purpose: str
    environment: Mapping[str, str]
    statements: Sequence[iam.PolicyStatement]
    why_wildcards: str
    why_runtime: str
    runtime: lambda_.Runtime = field(default_factory=lambda: lambda_.Runtime.PYTHON_3_13)
    architecture: lambda_.Architecture | None = None
    timeout: Duration = field(default_factory=lambda: Duration.minutes(15))
    memory_mb: int = 512
    retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH
    retries: int | None = None
    max_age: Duration | None = None
    name: str | None = None
    description: str | None = None
    role_tags: Mapping[str, str] = field(default_factory=dict)
    around: Surroundings = NOTHING


class ScheduledFunction(Construct):
    """Log group, role, function and schedule."""

    def __init__(self, scope: Construct, construct_id: str, props: ScheduledProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self.log_group = self._log_group()
        self.role = self._role()
        self.function = self._function()
        self._schedule()

    def _log_group(self) -> logs.LogGroup:
        name = self._props.name
        return logs.LogGroup(
            self,
            "Log",
            log_group_name=None if name is None else f"/aws/lambda/{name}",
            retention=self._props.retention,
            encryption_key=self._props.around.key,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _role(self) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        tag(role, self._props.role_tags)
        around = self._props.around
        attaching = allow_attaching() if around.network else []
        statements = [allow_logging(self.log_group), *self._props.statements, *allow_use(around.all_keys), *attaching]
        for statement in statements:
            role.add_to_policy(statement)
        acknowledge_wildcards(role, statements, self._props.why_wildcards)
        return role

    def _function(self) -> lambda_.Function:
        props = self._props
        function = lambda_.Function(
            self,
            "Function",
            function_name=props.name,
            handler=props.handler,
            code=props.code,
            runtime=props.runtime,
            architecture=props.architecture,
            timeout=props.timeout,
            memory_size=props.memory_mb,
            environment=dict(props.environment),
            environment_encryption=props.around.key,
            log_group=self.log_group,
            role=self.role,
            description=props.description,
        )
        attach(function, props.around.network)
        acknowledge(function, {"AwsSolutions-L1": props.why_runtime})
        if props.retries is not None or props.max_age is not None:
            function.configure_async_invoke(retry_attempts=props.retries, max_event_age=props.max_age)
        return function

    def _schedule(self) -> None:
        scheduler.Schedule(
            self,
            "Schedule",
            schedule=scheduler.ScheduleExpression.expression(self._props.at, TimeZone.ETC_UTC),
            target=targets.LambdaInvoke(
                self.function, retry_attempts=self._props.retries, max_event_age=self._props.max_age
            ),
            description=self._props.purpose,
        )
        invoke = iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[f"{self.function.function_arn}:*"])
        # CDK puts the role of a schedule's target at the top of the stack; the finding names this function alone.
        acknowledge_wildcards(Stack.of(self), [invoke], "CDK grants a function's versions with it, and there are none")
