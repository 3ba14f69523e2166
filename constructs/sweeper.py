"""What comes for the messages that Lambda gave up: a function at home, every minute."""

from __future__ import annotations

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from caribou.constructs.naming import OF_THIS_ACCOUNT, allow_in_regions, arn, with_leading_keys
from caribou.constructs.own_roles import tags_of_roles
from caribou.constructs.scheduled_function import ScheduledProps
from caribou.constructs.workflow_function import RETENTIONS, FunctionProps
from caribou.constructs.workflow_role import RoleProps
from caribou.model.health.run_event import SOURCE
from caribou.model.template_contract import OPEN_INDEX, STARTS_PREFIX, SWEEPER_HANDLER

_OURS_ALONE = {"ForAllValues:StringEquals": {"events:source": [SOURCE]}}
"""Events of this source alone, of whatever a call has."""


def sweeper_props(props: FunctionProps) -> ScheduledProps:
    """The sweeper of a workflow: it runs the workflow's bundle, without its functions, whose entry has these props."""
    return ScheduledProps(
        handler=SWEEPER_HANDLER,
        code=props.code,
        at="rate(1 minute)",
        purpose=f"Sweeps the Caribou workflow {props.role.names.workflow}",
        environment=props.environment,
        statements=_statements(props.role),
        why_wildcards="regions are a condition; streams, objects, indexes are not fixed",
        why_runtime="the manifest chooses the Python that its requirements are for",
        runtime=lambda_.Runtime(f"python{props.python_version}", lambda_.RuntimeFamily.PYTHON),
        architecture=props.lambda_architecture,
        timeout=Duration.minutes(1),
        memory_mb=256,
        retention=RETENTIONS[props.log_retention_days],
        retries=0,
        max_age=Duration.minutes(1),
        description="Sends again or parks what Lambda gave up, and ends runs that are past their deadline",
        role_tags=tags_of_roles(props.role.names),
        around=props.role.around,
    )


def _statements(role: RoleProps) -> list[iam.PolicyStatement]:
    """Every function's topic and failure queue, in the regions that the manifest allows; the state of runs at home.

    For a redrive it looks at claims and sync state, wherever they are; a run that is cancelled it stops at the claims.
    Of runs that ended badly it puts events.
    """
    names, home = role.names, (role.home_region,)
    functions = [function.name for function in role.graph.functions]
    run_table = arn("dynamodb", f"table/{names.run_table}", role.home_region)
    parking = arn("dynamodb", f"table/{names.sync_table}", role.home_region)
    syncs = arn("dynamodb", f"table/{names.sync_table}")
    home_bucket = names.payload_bucket(Aws.ACCOUNT_ID, role.home_region)
    starts = f"arn:{Aws.PARTITION}:s3:::{home_bucket}/{STARTS_PREFIX}*"
    default_bus = arn("events", "event-bus/default", role.home_region)
    return [
        allow_in_regions(["sns:Publish"], [arn("sns", names.topic(f)) for f in functions], role.regions),
        allow_in_regions(
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ChangeMessageVisibility"],
            [arn("sqs", names.failure_queue(f)) for f in functions],
            role.regions,
        ),
        allow_in_regions(["dynamodb:Scan"], [f"{run_table}/index/{OPEN_INDEX}"], home),
        allow_in_regions(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], [run_table], home),
        allow_in_regions(
            ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"], [parking], home, with_leading_keys(["*#"])
        ),
        allow_in_regions(["dynamodb:Query", "dynamodb:GetItem"], [syncs], role.regions),
        allow_in_regions(["dynamodb:UpdateItem"], [syncs], role.regions, with_leading_keys(["*#?*"])),
        allow_in_regions(["s3:PutObject"], [starts], home, OF_THIS_ACCOUNT),
        allow_in_regions(["events:PutEvents"], [default_bus], home, _OURS_ALONE),
    ]
