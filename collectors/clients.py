"""The one place where collectors make their AWS clients.

Not `runtime/clients.py`: importing that brings all of a user function's runtime into the collectors' bundle and cold
start, and its time limits are those of a user's run, which would rather go home than wait. Collectors may wait for the
control region, without which there is nothing to do, but not for the logs of any one of thirty regions.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient


_CONTROL = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})
"""botocore's own patience with a table that takes no connection is ten minutes."""
_LOGS = Config(connect_timeout=2, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 2})
"""A region that takes no connection is given up after 4 s, one that does not answer after half a minute."""

_MOST_TURNS, _LONGEST_WAIT_S = 8, 5.0
"""Some 20 s at most."""


def table_of(name: str, region: str) -> Table:
    """A DynamoDB table of a region."""
    return boto3.resource("dynamodb", region_name=region, config=_CONTROL).Table(name)


def logs_of(region: str) -> CloudWatchLogsClient:
    """A region's CloudWatch Logs."""
    client = boto3.client("logs", region_name=region, config=_LOGS)
    wait_when_throttled(client)
    return client


def wait_when_throttled(client: CloudWatchLogsClient) -> None:
    """Let a client wait its turn: FilterLogEvents takes 5 to 25 requests a second of a whole account (service quotas).

    Past the attempts of its own settings, which are few, since a silent region is to be given up soon.
    """
    client.meta.events.register(
        "needs-retry.cloudwatch-logs.FilterLogEvents",
        _next_turn_s,  # type: ignore[arg-type]  # botocore takes its seconds
        unique_id="caribou-throttled",
    )


def _next_turn_s(response: tuple[object, Mapping[str, Any]] | None, attempts: int, **_: object) -> float | None:
    """In how many seconds botocore is to try again, after so many attempts; None leaves that to others."""
    code = None if response is None else response[1].get("Error", {}).get("Code")
    if code != "ThrottlingException" or attempts >= _MOST_TURNS:
        return None
    return random.uniform(0.5, 1.0) * min(2.0**attempts / 4, _LONGEST_WAIT_S)  # noqa: S311 - apart, not secret


def athena_of(region: str) -> AthenaClient:
    """A region's Athena."""
    return boto3.client("athena", region_name=region, config=_CONTROL)


def parameters_of(region: str) -> SSMClient:
    """A region's Parameter Store."""
    return boto3.client("ssm", region_name=region, config=_CONTROL)


def secrets_of(region: str) -> SecretsManagerClient:
    """A region's Secrets Manager."""
    return boto3.client("secretsmanager", region_name=region, config=_CONTROL)
