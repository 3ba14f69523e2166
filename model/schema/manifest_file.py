"""The manifest's file, `.caribou/config.yml`, as pydantic models: its keys, their types, units, ranges and defaults.

The keys at the top are the reference system's, so that its files work as they are; the new ones are under `caribou`.
A section that is null is as if it were empty. Each key's docstring is its description in the published JSON Schema.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from caribou.model.health.alarm_topic import WHAT_IT_IS, region_of_topic
from caribou.model.manifest import Limit, Manifest
from caribou.model.metric import LimitType, Metric
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.schema.findings import finding
from caribou.model.schema.parsing import Word
from caribou.model.schema.surroundings import Boundary, Keys, NetworkFile, Region, Tags, known_region

SMALLEST_RELATIVE_LIMIT = 10
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""What CloudWatch Logs accepts (PutRetentionPolicy, retentionInDays)."""

DEFAULT = Manifest("", "", "", functions={})
"""Whose values are those of the keys that a file leaves out."""

_LONGEST_NAME = 100
_MOST_MB = 1024 * 1024
"""A TB: more than an execution can exchange in its 15 minutes."""
_ENDPOINT_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_-]{{0,{_LONGEST_NAME - 1}}}")
_VARIABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_OURS = "CARIBOU_"
_ENDPOINT = "AWS_ENDPOINT_URL"
_LAMBDAS = (
    *("_HANDLER", "_X_AMZN_TRACE_ID", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
    *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_RUNTIME_API"),
    *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"),
    *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
)
"""Names that Lambda reserves (AWS Lambda developer guide, "Defined runtime environment variables")."""


class _Section(BaseModel):
    """A part of the file: its keys are known, its values of the right type as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


def _none_as_empty(value: object) -> object:
    return {} if value is None else value


def _section(kind: type[BaseModel]) -> BeforeValidator:
    """A section may be null, which is as if it were empty."""
    return BeforeValidator(_none_as_empty, json_schema_input_type=kind | None)


def _only_aws(provider: str) -> str:
    if provider != "aws":
        raise finding("is not a provider that Caribou deploys to", "write aws")
    return provider


def _variable_name(name: str) -> str:
    if not _VARIABLE_NAME.fullmatch(name):
        raise finding(
            "is not a name that Lambda takes for an environment variable",
            "use two or more letters, digits and _, with a letter in front",
        )
    if name in _LAMBDAS or name.startswith(_OURS):
        raise finding("is reserved for Lambda or for Caribou", f"use another name, without {_OURS} in front")
    if name == _ENDPOINT:
        raise finding("would lead Caribou's own calls elsewhere", f"name the service: {_ENDPOINT}_S3, for instance")
    return name


def _variable_value(value: str) -> str:
    if "\0" in value:
        raise finding("has a NUL in it, which no environment variable can", "take it out, or encode the value")
    return value


def _each_once(variables: list[EnvironmentVariable] | None) -> list[EnvironmentVariable] | None:
    keys = [variable.key for variable in variables or []]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise finding(f"the key {twice} stands twice", "name each variable once")
    return variables


def _retention(days: int) -> int:
    if days not in LOG_RETENTION_DAYS:
        raise finding(
            "is not a retention that CloudWatch Logs has", f"use one of {', '.join(map(str, LOG_RETENTION_DAYS))}"
        )
    return days


def _topic(arn: str) -> str:
    if region_of_topic(arn) is None:
        raise finding("is not the ARN of an SNS topic", WHAT_IT_IS)
    return arn


class ProviderRegion(_Section):
    """A region of a provider."""

    provider: Annotated[str, AfterValidator(_only_aws), Field(json_schema_extra={"const": "aws"})]
    """The cloud; only `aws`."""
    region: Annotated[str, AfterValidator(known_region), Field(json_schema_extra={"enum": [*KNOWN_REGIONS]})]
    """The region's code, such as `us-east-1`."""


class EnvironmentVariable(_Section):
    """An environment variable of the functions."""

    key: Annotated[str, AfterValidator(_variable_name)]
    """Its name."""
    value: Annotated[str, AfterValidator(_variable_value)]
    """Its value, a text."""


class Constraint(_Section):
    """A limit on a metric of a run."""

    type: Word[LimitType]
    """`absolute`: in the metric's unit. `relative`: per cent of the same metric with every node at home."""
    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """In the metric's unit; or per cent, where 110 is ten per cent over home."""

    @model_validator(mode="after")
    def _check_unit(self) -> Self:
        if self.type == LimitType.RELATIVE and self.value < SMALLEST_RELATIVE_LIMIT:
            raise finding(
                f"a relative limit is in per cent of home, and {self.value:g} looks like a factor",
                f"write {self.value * 100:g} for {self.value:g} times home (110 is ten per cent over home)",
            )
        return self

    def limit(self) -> Limit:
        """The limit as a value."""
        return Limit(self.type, self.value)


class Limits(_Section):
    """A limit, or null, for each metric."""

    __annotations__ = {
        metric: Annotated[Constraint | None, Field(default=None, description=metric.meaning)] for metric in Metric
    }

    def by_metric(self) -> dict[Metric, Limit]:
        """The limits that are set."""
        constraints: dict[Metric, Constraint | None] = {metric: getattr(self, metric) for metric in Metric}
        return {metric: constraint.limit() for metric, constraint in constraints.items() if constraint}


class Constraints(_Section):
    """What a placement must keep to, and what it is judged by."""

    hard_resource_constraints: Annotated[Limits, _section(Limits)] = Limits()
    """Limits on the tail (95th percentile): of carbon and cost, of the runs that move; of run time, of all.

    A placement that breaks one is refused.
    """
    soft_resource_constraints: Annotated[Limits, _section(Limits)] = Limits()
    """Limits on the mean; placements that break fewer are better."""
    priority_order: list[Word[Metric]] | None = None
    """The metrics, most important first; in the order in which they are listed here if not given."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        order = self.priority_order or []
        if len(set(order)) < len(order):
            raise finding("priority_order names a metric twice", "name each metric once")
        return self


class AwsConfig(_Section):
    """What a function gets in Lambda."""

    timeout: Annotated[int, Field(ge=1, le=900)] | None = None
    """Seconds after which Lambda ends the function; 60 if not given."""
    memory: Annotated[int, Field(ge=128, le=10240)] | None = None
    """MB, which set the share of a CPU too (1769 MB is one vCPU); 1024 if not given."""
    additional_docker_commands: list[str] | None = None
    """Accepted for the reference system's files, and not run, with a warning: functions are no Docker images."""


class Aws(_Section):
    """Settings for AWS."""

    config: Annotated[AwsConfig, _section(AwsConfig)] = AwsConfig()
    """Time and memory."""


class Providers(_Section):
    """Settings by provider."""

    aws: Annotated[Aws, _section(Aws)] = Aws()
    """The only provider."""


class RegionsAndProviders(_Section):
    """Where functions may run, and what they get there. A function's decorator may override each of its keys."""

    allowed_regions: list[ProviderRegion] | None = None
    """The only regions that are allowed; all that Caribou knows if null or empty."""
    disallowed_regions: list[ProviderRegion] | None = None
    """Regions that are not allowed, though they would be otherwise."""
    keep_near: Annotated[str, Field(min_length=1)] | None = None
    """What functions stay near: an endpoint of caribou.external_data, or a region. They run there or at home only."""
    providers: Annotated[Providers, _section(Providers)] = Providers()
    """Time and memory of the functions."""

    @model_validator(mode="after")
    def _check_regions(self) -> Self:
        both = [region.region for region in self.allowed_regions or [] if region in (self.disallowed_regions or [])]
        if both:
            raise finding(f"{both[0]} is both allowed and disallowed", "remove it from one of the lists")
        return self


class ExternalDataFile(_Section):
    """Data that functions exchange with a service and that the meter does not see, such as a database's."""

    service: Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]
    """What it is, for people: `rds`, `s3`, `postgres`."""
    region: Annotated[str, AfterValidator(known_region), Field(json_schema_extra={"enum": [*KNOWN_REGIONS]})]
    """The region that it is in, or the nearest one."""
    functions: Annotated[list[str], Field(min_length=1)]
    """The functions that call it, by their names."""
    calls: Annotated[int, Field(ge=1, le=100_000)] = 1
    """How often an execution calls it."""
    mb_out: Annotated[float, Field(ge=0, le=_MOST_MB, allow_inf_nan=False)] | None = None
    """MB (1024² bytes) that a call sends."""
    mb_in: Annotated[float, Field(ge=0, le=_MOST_MB, allow_inf_nan=False)] | None = None
    """MB that a call receives. If neither is given, how much it is is not known, and counts as nothing."""

    @model_validator(mode="after")
    def _check_total(self) -> Self:
        if self.calls * max(self.mb_out or 0.0, self.mb_in or 0.0) > _MOST_MB:
            raise finding(
                f"is more than {_MOST_MB:,} MB an execution", "check calls, mb_out and mb_in: MB are of one call"
            )
        return self


def _endpoint_name(name: str) -> str:
    if not _ENDPOINT_NAME.fullmatch(name) or name in KNOWN_REGIONS:
        raise finding("is no name for an endpoint", "use letters, digits, - and _, a letter first; not a region's code")
    return name


class CaribouSettings(_Section):
    """Settings that the reference system does not have."""

    schema_: Annotated[Literal["caribou.manifest/1"], Field(alias="schema")] = "caribou.manifest/1"
    """The version of this file's schema."""
    architecture: Literal["x86_64", "arm64"] = DEFAULT.architecture
    """The functions' processor architecture."""
    python_version: Literal["3.11", "3.12", "3.13", "3.14"] = DEFAULT.python_version
    """The functions' Python, in quotes."""
    robust: bool = DEFAULT.robust
    """Whether a placement is to be the best in the worst corner of what is assumed of carbon, which must come first."""
    home_share: Annotated[float, Field(ge=0, lt=1)] = DEFAULT.runs.home_share
    """The share of runs, from 0 to below 1, that stays home whatever the placement says: home is always measured."""
    message_limit_bytes: Annotated[int, Field(ge=1024, le=256 * 1024)] = DEFAULT.runs.message_limit_bytes
    """The largest message; a payload that does not fit travels through S3. SNS takes 262144 bytes at most."""
    run_deadline_s: Annotated[int, Field(ge=1, le=14 * 86400)] = DEFAULT.runs.run_deadline_s
    """Seconds after its start when a run that has not ended expires."""
    deduplicate: bool = DEFAULT.runs.deduplicate
    """Whether a plain node runs once however often its message is delivered; false is for idempotent functions."""
    placement_days: Annotated[int, Field(ge=1, le=366)] = DEFAULT.placement_days
    """Days for which a solved placement is valid; after that, runs stay at home."""
    log_retention_days: Annotated[
        int, AfterValidator(_retention), Field(json_schema_extra={"enum": [*LOG_RETENTION_DAYS]})
    ] = DEFAULT.log_retention_days
    """Days for which the functions' logs are kept; one of the values that CloudWatch Logs has."""
    alarm_topic: Annotated[str, AfterValidator(_topic)] | None = None
    """The ARN of an SNS topic in the home region: alarms are made, and go there. None are, if it is not given."""
    external_data: dict[Annotated[str, AfterValidator(_endpoint_name)], ExternalDataFile] | None = None
    """By a name of yours, data that functions exchange with services and that the meter does not see."""
    vpc: dict[Region, NetworkFile] | None = None
    """By region, the VPC that the functions are attached to; each region in which one may run must be there."""
    kms_key: Keys | None = None
    """By region, the ARN of your KMS key for what rests there; each region in which one may run must be there."""
    permissions_boundary: Boundary | None = None
    """An IAM policy, by its name or ARN, beyond which no role of the workflow's stacks has rights."""
    tags: Tags | None = None
    """Tags of the workflow's stacks, and so of their resources, beside Caribou's own."""


class ManifestFile(_Section):
    """The manifest of a workflow, `.caribou/config.yml`."""

    workflow_name: str
    """The workflow's name, the same as in its source."""
    workflow_version: str
    """The workflow's version, the same as in its source."""
    home_region: ProviderRegion
    """Where every function always exists and every run enters."""
    environment_variables: Annotated[list[EnvironmentVariable] | None, AfterValidator(_each_once)] = None
    """Environment variables of all functions; a function's decorator may add to them and replace them."""
    iam_policy_file: str | None = None
    """An IAM policy for what the functions do besides, in JSON; its path from the folder `.caribou`."""
    estimated_invocations_per_month: Annotated[int, Field(ge=0)] | None = None
    """How many runs a month are expected, for as long as nothing was measured."""
    num_calls_in_one_month: Annotated[int, Field(ge=0)] | None = None
    """The reference system's other name for estimated_invocations_per_month, which wins if both are there."""
    deployment_algorithm: str | None = None
    """Accepted for the reference system's files, and not used: there is one solver."""
    constraints: Annotated[Constraints, _section(Constraints)] = Constraints()
    """Limits and priorities."""
    regions_and_providers: Annotated[RegionsAndProviders, _section(RegionsAndProviders)] = RegionsAndProviders()
    """Where the functions may run, and what they get there."""
    caribou: Annotated[CaribouSettings, _section(CaribouSettings)] = CaribouSettings()
    """Settings that the reference system does not have."""

    @model_validator(mode="after")
    def _check_robust(self) -> Self:
        first = (self.constraints.priority_order or [*Metric])[0]
        if self.caribou.robust and first != Metric.CARBON:
            raise finding(
                f"caribou.robust is about what is assumed of carbon, and {first} comes first in priority_order",
                "put carbon first, or take robust out",
            )
        return self
