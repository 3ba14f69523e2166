"""A collector: a function of the control plane that runs on a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from caribou.constructs.acknowledge import acknowledge, acknowledge_wildcards


@dataclass(frozen=True)
class CollectorProps:
    """What decides a collector. `every` is the schedule's rate; `statements` what its role may do beside logging."""

    name: str
    handler: str
    code: lambda_.Code
    every: Duration
    environment: Mapping[str, str]
    statements: tuple[iam.PolicyStatement, ...] = field(default_factory=tuple)
    timeout: Duration = field(default_factory=lambda: Duration.minutes(15))
    memory_mb: int = 512


class ScheduledCollector(Construct):
    """Log group, role, function and schedule of a collector."""

    def __init__(self, scope: Construct, construct_id: str, props: CollectorProps) -> None:
        super().__init__(scope, construct_id)
        log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{props.name}",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        write = iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[f"{log_group.log_group_arn}:*"]
        )
        for statement in (write, *props.statements):
            role.add_to_policy(statement)
        acknowledge_wildcards(role, (write, *props.statements), "log streams and workflows have no fixed names here")
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=props.name,
            handler=props.handler,
            code=props.code,
            runtime=lambda_.Runtime.PYTHON_3_13,
            timeout=props.timeout,
            memory_size=props.memory_mb,
            environment=dict(props.environment),
            log_group=log_group,
            role=role,
        )
        acknowledge(self.function, {"AwsSolutions-L1": "the Python that Caribou is tested on in Lambda"})
        scheduler.Schedule(
            self,
            "Schedule",
            schedule=scheduler.ScheduleExpression.rate(props.every),
            target=targets.LambdaInvoke(self.function),
            description=f"Runs {props.name}",
        )
        invoke = iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[f"{self.function.function_arn}:*"])
        # CDK puts the role of a schedule's target at the top of the stack; the finding names this function alone.
        acknowledge_wildcards(Stack.of(self), [invoke], "CDK grants a function's versions with it, and there are none")
