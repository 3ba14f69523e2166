"""What comes for the messages that Lambda gave up: a function at home, every minute."""

from __future__ import annotations

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from caribou.constructs.acknowledge import acknowledge, acknowledge_wildcards
from caribou.constructs.naming import allow_in_regions, arn
from caribou.constructs.workflow_function import RETENTIONS, FunctionProps
from caribou.constructs.workflow_role import RoleProps
from caribou.model.template_contract import SWEEPER_HANDLER

EVERY = Duration.minutes(1)


class Sweeper(Construct):
    """Log group, role, function and schedule of the sweeper. It runs the workflow's bundle, without its functions."""

    def __init__(self, scope: Construct, construct_id: str, props: FunctionProps) -> None:
        super().__init__(scope, construct_id)
        retention = RETENTIONS[props.log_retention_days]
        log_group = logs.LogGroup(self, "Log", retention=retention, removal_policy=RemovalPolicy.DESTROY)
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        write = ["logs:CreateLogStream", "logs:PutLogEvents"]
        write_logs = iam.PolicyStatement(actions=write, resources=[f"{log_group.log_group_arn}:*"])
        statements = [write_logs, *_statements(props.role)]
        for statement in statements:
            role.add_to_policy(statement)
        acknowledge_wildcards(role, statements, "regions are a condition; streams, objects, indexes are not fixed")
        self.function = lambda_.Function(
            self,
            "Function",
            handler=SWEEPER_HANDLER,
            code=props.code,
            runtime=lambda_.Runtime(f"python{props.python_version}", lambda_.RuntimeFamily.PYTHON),
            architecture=props.lambda_architecture,
            timeout=Duration.minutes(1),
            memory_size=256,
            environment=dict(props.environment),
            log_group=log_group,
            role=role,
            description="Sends again or parks what Lambda gave up, and ends runs that are past their deadline",
        )
        acknowledge(self.function, {"AwsSolutions-L1": "the manifest chooses the Python that its requirements are for"})
        scheduler.Schedule(
            self,
            "Schedule",
            schedule=scheduler.ScheduleExpression.rate(EVERY),
            target=targets.LambdaInvoke(self.function, retry_attempts=0),
            description=f"Sweeps the Caribou workflow {props.role.names.workflow}",
        )
        invoke = iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[f"{self.function.function_arn}:*"])
        # CDK puts the role of a schedule's target at the top of the stack; the finding names this function alone.
        acknowledge_wildcards(Stack.of(self), [invoke], "CDK grants a function's versions with it, and there are none")


def _statements(role: RoleProps) -> list[iam.PolicyStatement]:
    """Every function's topic and failure queue, in the regions that the manifest allows; the state of runs at home."""
    names, home = role.names, (role.home_region,)
    functions = [function.name for function in role.graph.functions]
    run_table = arn("dynamodb", f"table/{names.run_table}", role.home_region)
    parking = arn("dynamodb", f"table/{names.sync_table}", role.home_region)
    buckets = [f"arn:{Aws.PARTITION}:s3:::{names.payload_bucket(Aws.ACCOUNT_ID, region)}/*" for region in role.regions]
    return [
        allow_in_regions(["sns:Publish"], [arn("sns", names.topic(f)) for f in functions], role.regions),
        allow_in_regions(
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueUrl"],
            [arn("sqs", names.failure_queue(f)) for f in functions],
            role.regions,
        ),
        allow_in_regions(
            ["dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            [run_table, f"{run_table}/index/*"],
            home,
        ),
        allow_in_regions(["dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"], [parking], home),
        allow_in_regions(["s3:GetObject"], buckets, role.regions),
    ]
