"""`CaribouControlPlane`: the facts that placements are solved from, and the collectors that bring them."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Aws, CfnOutput, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from caribou.collectors.bodies import Kind
from caribou.constructs.acknowledge import acknowledge
from caribou.constructs.bundle import Bundle
from caribou.constructs.bundling.lock import Packages
from caribou.constructs.bundling.target_platform import Platform
from caribou.constructs.naming import arn
from caribou.constructs.scheduled_function import ScheduledFunction, ScheduledProps
from caribou.model.names import CONTROL_PLANE_STACK_ID, registrations_path, stack_name
from caribou.model.registration import ControlNames
from caribou.model.template_contract import (
    FACT_TABLE_VARIABLE,
    RECORD_TABLE_VARIABLE,
    SOURCE_VARIABLE,
    STAGE_VARIABLE,
    Output,
    StackRole,
)
from caribou.stacks.tags import mark, stack_tags

_EVERY_H = {"carbon": 24, "provider": 24, "performance": 24, "workflow": 1}
"""The collectors, and how many hours lie between two of their runs."""
_RECORD_ACTIONS = ["dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
"""Records in batches; a log group's cursor is read and written."""


class ControlPlaneStack(Stack):
    """Tables of facts, run records and locks, the bucket of solved placements, and collectors on schedules."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: str,
        control_region: str,
        sources: Mapping[Kind, str],
        account: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            CONTROL_PLANE_STACK_ID,
            stack_name=stack_name(CONTROL_PLANE_STACK_ID, stage),
            env=Environment(account=account, region=control_region),
            description="Caribou's control plane",
            suppress_template_indentation=True,
            tags=stack_tags(stage, StackRole.CONTROL),
        )
        self._names, self._stage = ControlNames(stage), stage
        self.facts = self._table("Facts", self._names.fact_table, "kind", "region")
        self.records = self._table("Records", self._names.record_table, "workflow", "id")
        self._table("Locks", self._names.lock_table, "workflow", outlives=False)
        self.placements = self._placement_bucket()
        self._add_collectors({kind: {SOURCE_VARIABLE: source} for kind, source in sources.items()})
        CfnOutput(self, Output.PLACEMENT_BUCKET, value=self.placements.bucket_name)
        mark(self, stage, StackRole.CONTROL)

    def _table(
        self, construct_id: str, name: str, partition: str, sort: str | None = None, *, outlives: bool = True
    ) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            construct_id,
            table_name=name,
            partition_key=dynamodb.Attribute(name=partition, type=dynamodb.AttributeType.STRING),
            sort_key=None if sort is None else dynamodb.Attribute(name=sort, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires",
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if outlives else RemovalPolicy.DESTROY,
        )
        acknowledge(table, {"AwsSolutions-DDB3": "facts and records are collected again, locks live for hours"})
        return table

    def _placement_bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Placements",
            bucket_name=self._names.placement_bucket(Aws.ACCOUNT_ID, self.region),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            versioned=True,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(bucket, {"AwsSolutions-S1": "every version of a placement is kept, and who deploys it is logged"})
        return bucket

    def _add_collectors(self, choices: Mapping[str, Mapping[str, str]]) -> None:
        """Add every collector; `choices` are variables of those that have a choice, by name."""
        code = collector_bundle().code(self)
        environment = {
            STAGE_VARIABLE: self._stage,
            FACT_TABLE_VARIABLE: self._names.fact_table,
            RECORD_TABLE_VARIABLE: self._names.record_table,
        }
        for name, every_h in _EVERY_H.items():
            ScheduledFunction(
                self,
                f"{name.capitalize()}Collector",
                ScheduledProps(
                    name=self._names.collector(name),
                    handler=_handler(name),
                    code=code,
                    every=Duration.hours(every_h),
                    purpose=f"Runs {self._names.collector(name)}",
                    environment={**environment, **choices.get(name, {})},
                    statements=self._of_logs() if name == "workflow" else (_write_facts(self.facts, name),),
                    why_wildcards="log streams and workflows have no fixed names here",
                    why_runtime="the Python that Caribou is tested on in Lambda",
                ),
            )

    def _of_logs(self) -> tuple[iam.PolicyStatement, ...]:
        """What log collection does: reads registrations here and workflows' logs in any region, writes records."""
        any_log, logs = arn("logs", "log-group:*"), arn("logs", f"log-group:/aws/lambda/caribou-{self._stage}-*")
        parameters = arn("ssm", f"parameter{registrations_path(self._stage)}*", self.region)
        return (
            iam.PolicyStatement(actions=_RECORD_ACTIONS, resources=[self.records.table_arn]),
            iam.PolicyStatement(actions=["logs:DescribeLogGroups"], resources=[any_log]),
            iam.PolicyStatement(actions=["logs:FilterLogEvents"], resources=[logs, f"{logs}:*"]),
            iam.PolicyStatement(actions=["ssm:GetParametersByPath"], resources=[parameters]),
        )


def collector_bundle() -> Bundle:
    """The code of the collectors: standard library and boto3, with their data."""
    return Bundle(
        packages=Packages(Platform.of_target("x86_64", "3.13")),
        handlers=tuple(map(_handler, _EVERY_H)),
        data=("caribou.collectors.sources.data",),
    )


def _handler(collector: str) -> str:
    return f"caribou.collectors.handlers.{collector}_handler"


def _write_facts(table: dynamodb.Table, kind: str) -> iam.PolicyStatement:
    """Facts of one kind, which is their table's partition key, written over what is there."""
    return iam.PolicyStatement(
        actions=["dynamodb:BatchWriteItem"],
        resources=[table.table_arn],
        conditions={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [kind]}},
    )
