"""`CaribouControlPlane`: the facts that placements are solved from, and the collectors that bring them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import Annotations, Aws, CfnOutput, Environment, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from caribou.collectors.bodies import KINDS, Kind
from caribou.collectors.sources.choice import SourceChoice
from caribou.collectors.sources.keys import SECRETS_MANAGER, SSM, key_variable
from caribou.collectors.sources.settings import settings_text
from caribou.constructs.acknowledge import acknowledge
from caribou.constructs.alarms import Alarms, control_plane_alarms
from caribou.constructs.bundle import Bundle
from caribou.constructs.bundling.lock import OwnLock, Packages
from caribou.constructs.bundling.target_platform import Platform
from caribou.constructs.naming import OF_THIS_ACCOUNT, Conditions, arn
from caribou.constructs.scheduled_function import ScheduledFunction, ScheduledProps
from caribou.model.errors import InvalidInputError
from caribou.model.log_reader import ANSWERS_PREFIX, LOG_TABLE, LogReading
from caribou.model.names import (
    CONTROL_PLANE_STACK_ID,
    SOURCE_KEYS_KEY,
    SOURCE_ZONES_KEY,
    registrations_path,
    stack_name,
)
from caribou.model.project.collect_at import LOGS, USUAL
from caribou.model.registration import ControlNames
from caribou.model.schedule import Schedule
from caribou.model.template_contract import (
    EVERY_H_VARIABLE,
    FACT_TABLE_VARIABLE,
    LOG_READER_VARIABLE,
    MARGINAL_SOURCE_VARIABLE,
    RECORD_TABLE_VARIABLE,
    SOURCE_SETTINGS_VARIABLE,
    SOURCE_VARIABLE,
    STAGE_VARIABLE,
    Output,
    StackRole,
)
from caribou.stacks.tags import mark, stack_tags

_MOST_ENVIRONMENT_BYTES = 4096
"""What a function's variables may take in all, names and values (Lambda quotas, "Environment variables")."""
_MEMORY_MB, _INSIGHTS_MB = 512, 1024
"""Full answers of Logs Insights, for eight regions at once, took 450 MB while they were parsed."""
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
        sources: SourceChoice,
        schedules: Mapping[str, Schedule],
        log_reader: LogReading = LogReading.FILTER,
        account: str | None = None,
        alarm_topic: str | None = None,
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
        self._names, self._stage, self._log_reader = ControlNames(stage), stage, log_reader
        self.facts = self._table("Facts", self._names.fact_table, "kind", "region")
        self.records = self._table("Records", self._names.record_table, "workflow", "id")
        self._table("Locks", self._names.lock_table, "workflow", outlives=False)
        self.placements = self._placement_bucket(account or Aws.ACCOUNT_ID)
        collectors = self._add_collectors(sources, schedules)
        if alarm_topic is not None:
            each = control_plane_alarms(stage, collectors, LOGS, schedules[LOGS].longest)
            Alarms(self, "Alarms", prefix=self._names.alarm, topic=alarm_topic, each=each)
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

    def _placement_bucket(self, account: str) -> s3.Bucket:
        """The bucket. CloudFormation adopts one that is there only by a name that it need not put together."""
        bucket = s3.Bucket(
            self,
            "Placements",
            bucket_name=self._names.placement_bucket(account, self.region),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            versioned=True,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(bucket, {"AwsSolutions-S1": "every version of a placement is kept, and who deploys it is logged"})
        return bucket

    def _add_collectors(self, sources: SourceChoice, schedules: Mapping[str, Schedule]) -> dict[str, lambda_.Function]:
        """Add every collector, by name."""
        code = collector_bundle().code(self)
        environment = {
            STAGE_VARIABLE: self._stage,
            FACT_TABLE_VARIABLE: self._names.fact_table,
            RECORD_TABLE_VARIABLE: self._names.record_table,
            EVERY_H_VARIABLE: json.dumps({name: round(own.longest_h, 2) for name, own in schedules.items()}),
        }
        choices: dict[str, dict[str, str]] = {kind: _choice_variables(kind, sources) for kind in KINDS}
        choices["workflow"] = {LOG_READER_VARIABLE: self._log_reader}
        statements: dict[str, tuple[iam.PolicyStatement, ...]] = {
            kind: (_write_facts(self.facts, kind), *self._read_keys(sources.keys_wanted(kind))) for kind in KINDS
        }
        statements[LOGS] = self._of_logs()
        made = {}
        for name, schedule in schedules.items():
            made[name] = ScheduledFunction(
                self,
                f"{name.capitalize()}Collector",
                ScheduledProps(
                    name=self._names.collector(name),
                    handler=_handler(name),
                    code=code,
                    at=schedule.expression,
                    purpose=f"Runs {self._names.collector(name)}",
                    memory_mb=_INSIGHTS_MB if name == LOGS and self._log_reader is LogReading.INSIGHTS else _MEMORY_MB,
                    environment=_checked({**environment, **choices[name]}),
                    statements=statements[name],
                    why_wildcards="log streams and workflows have no fixed names here",
                    why_runtime="the Python that Caribou is tested on in Lambda",
                ),
            ).function
        return made

    def _read_keys(self, places: Mapping[str, str | None]) -> list[iam.PolicyStatement]:
        """The right to read the keys of sources, each by its name.

        One that is not in AWS is an error of this stack alone, which it keeps from being deployed: workflows go on.
        """
        statements = []
        for source, place in places.items():
            try:
                statements.append(_read_key(source, place, self.region))
            except InvalidInputError as error:
                Annotations.of(self).add_error(str(error))
        return statements

    def _of_logs(self) -> tuple[iam.PolicyStatement, ...]:
        """What log collection does: reads registrations here and workflows' logs in any region, writes records.

        It says as well how old facts are, whose collectors may be what does not run.
        """
        any_log, logs = arn("logs", "log-group:*"), arn("logs", f"log-group:/aws/lambda/caribou-{self._stage}-*")
        parameters = arn("ssm", f"parameter{registrations_path(self._stage)}*", self.region)
        return (
            iam.PolicyStatement(actions=_RECORD_ACTIONS, resources=[self.records.table_arn]),
            iam.PolicyStatement(actions=["dynamodb:Query"], resources=[self.facts.table_arn]),
            iam.PolicyStatement(actions=["logs:DescribeLogGroups"], resources=[any_log]),
            *self._of_reader(logs),
            iam.PolicyStatement(actions=["ssm:GetParametersByPath"], resources=[parameters]),
        )

    def _of_reader(self, logs: str) -> tuple[iam.PolicyStatement, ...]:
        """What the chosen reader asks for, and no other one."""
        match self._log_reader:
            case LogReading.FILTER:
                return _may(["logs:FilterLogEvents"], logs, f"{logs}:*"), _read_encrypted(logs)
            case LogReading.INSIGHTS:  # an answer belongs to no log group
                answers = _may(["logs:GetQueryResults", "logs:StopQuery"], "*")
                return _may(["logs:StartQuery"], logs, f"{logs}:*"), answers, _read_encrypted(logs)
            case LogReading.ATHENA:
                return self._of_athena()

    def _of_athena(self) -> tuple[iam.PolicyStatement, ...]:
        """Queries in the stage's workgroup on its table of exported logs, whose bucket keeps their answers too."""
        here, database = self.region, self._names.log_database
        table = ("catalog", f"database/{database}", f"table/{database}/{LOG_TABLE}")
        bucket = f"arn:{Aws.PARTITION}:s3:::{self._names.log_bucket(Aws.ACCOUNT_ID, here)}"
        queries = [f"athena:{action}QueryExecution" for action in ("Start", "Get", "Stop")]
        return (
            _may([*queries, "athena:GetQueryResults"], arn("athena", f"workgroup/{self._names.log_workgroup}", here)),
            _may(["glue:GetDatabase", "glue:GetTable"], *(arn("glue", one, here) for one in table)),
            _may(["s3:GetBucketLocation", "s3:ListBucket"], bucket, conditions=OF_THIS_ACCOUNT),
            _may(["s3:GetObject"], f"{bucket}/*", conditions=OF_THIS_ACCOUNT),
            _may(["s3:PutObject"], f"{bucket}/{ANSWERS_PREFIX}/*", conditions=OF_THIS_ACCOUNT),
        )


def collector_bundle() -> Bundle:
    """The code of the collectors, with their data and the packages that live sources need."""
    return Bundle(
        packages=Packages(Platform.of_target("x86_64", "3.13"), own=OwnLock.COLLECTORS),
        handlers=tuple(map(_handler, USUAL)),
        data=("caribou.collectors.sources.data",),
    )


def _choice_variables(kind: Kind, sources: SourceChoice) -> dict[str, str]:
    """What the collector of a kind hears of its sources; never a key, only where it rests."""
    settings = sources.settings_of(kind)
    return {
        SOURCE_VARIABLE: ",".join(sources.names[kind]),
        **({MARGINAL_SOURCE_VARIABLE: ",".join(sources.marginal)} if kind == "carbon" and sources.marginal else {}),
        **({SOURCE_SETTINGS_VARIABLE: settings_text(settings)} if settings else {}),
    }


def _checked(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The variables of a collector, if Lambda takes so many bytes. Raises InvalidInputError, before it is deployed."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in environment.items())
    if size <= _MOST_ENVIRONMENT_BYTES:
        return environment
    raise InvalidInputError(
        f"are too long: a collector's variables take {size:,} bytes with them, and Lambda lets it have "
        f"{_MOST_ENVIRONMENT_BYTES:,}",
        where="the settings of the chosen sources",
        fix=f"leave out of the file of {SOURCE_ZONES_KEY} the regions whose zone is the usual one",
    )


def _handler(collector: str) -> str:
    return f"caribou.collectors.handlers.{collector}_handler"


def _may(actions: list[str], *resources: str, conditions: Conditions | None = None) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=list(resources), conditions=conditions)


def _read_encrypted(logs: str) -> iam.PolicyStatement:
    """Logs under a key of a workflow's owner: any key of the account, by way of CloudWatch Logs, for these alone."""
    return iam.PolicyStatement(
        actions=["kms:Decrypt"],
        resources=[arn("kms", "key/*")],
        conditions={
            "StringLike": {"kms:ViaService": "logs.*.amazonaws.com", "kms:EncryptionContext:aws:logs:arn": logs}
        },
    )


def _read_key(source: str, place: str | None, region: str) -> iam.PolicyStatement:
    store, _, name = (place or "").partition(":")
    if store == SSM:
        parameter = arn("ssm", f"parameter/{name.removeprefix('/')}", region)
        return iam.PolicyStatement(actions=["ssm:GetParameter"], resources=[parameter])
    if store == SECRETS_MANAGER:
        secret = name.partition("#")[0]
        named = secret if secret.startswith("arn:") else arn("secretsmanager", f"secret:{secret}-??????", region)
        return iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[named])
    fix = f'"{SOURCE_KEYS_KEY}": {{"{source}": "ssm:NAME"}} in the context of cdk.json'
    raise InvalidInputError(
        "is not where a deployed collector can read it",
        where=f"the key of the source {source}",
        found=key_variable(source) if place is None else place,
        fix=f"put it into Parameter Store or Secrets Manager, and say where: {fix}",
    )


def _write_facts(table: dynamodb.Table, kind: str) -> iam.PolicyStatement:
    """Facts of one kind, which is their table's partition key, written over what is there, which is looked at before.

    A transaction of puts is asked for as PutItem (DynamoDB Developer Guide, "Using IAM with DynamoDB transactions").
    """
    return iam.PolicyStatement(
        actions=["dynamodb:PutItem", "dynamodb:Query"],
        resources=[table.table_arn],
        conditions={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [kind]}},
    )
