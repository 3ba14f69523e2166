"""The AWS services that the control room talks to, in any region, and what their failures are called here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.runtime.clients import Clients
from caribou.runtime.refusals import is_busy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_ssm import SSMClient

_CONFIG = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 2})
"""A region that is silent is given up within a minute: a person waits for it, beside those that answer."""
_INVOKING = Config(connect_timeout=3, read_timeout=90, retries={"mode": "standard", "total_max_attempts": 1})
"""A function answers when it has ended, within its time limit; one that is asked again does its work twice."""


@contextmanager
def _settings_checked() -> Iterator[None]:
    """Within it clients are made, of settings that are the user's: a profile, an endpoint. Raises InvalidInputError."""
    try:
        yield
    except (BotoCoreError, ValueError) as error:
        raise InvalidInputError(
            "can't be used",
            where="AWS's settings, out of the environment or ~/.aws",
            found=error,
            fix="look at AWS_PROFILE, AWS_ENDPOINT_URL and AWS_REGION",
        ) from error


class Aws(Clients):
    """The runtime's clients and some more, with the patience of an operator; closed at the end of the `with`."""

    def __init__(self, session: boto3.Session | None = None) -> None:
        with _settings_checked():
            super().__init__(session, _CONFIG)
        self._caller: tuple[str, str] | None = None

    def _client(self, service: str, region: str, config: Config | None = None) -> Any:  # noqa: ANN401 - made by boto3
        with _settings_checked():
            return super()._client(service, region, config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every client."""
        while self._made:
            self._made.popitem()[1].close()

    def account(self, region: str) -> str:
        """The account of the credentials at hand. Raises OperationFailedError if AWS, or the local cloud, is silent."""
        return self._identity(region)[0]

    def caller(self, region: str) -> str:
        """The ARN of whom the credentials at hand are of. Raises OperationFailedError as `account` does."""
        return self._identity(region)[1]

    def _identity(self, region: str) -> tuple[str, str]:
        """Account and ARN, asked once."""
        if self._caller is None:
            with aws_errors_as(
                "Asking AWS which account this is",
                'the credentials; or use the local cloud: caribou local up, then eval "$(caribou local env)"',
            ):
                answer = self._client("sts", region).get_caller_identity()
                self._caller = str(answer["Account"]), str(answer["Arn"])
        return self._caller

    def cloudformation(self, region: str) -> CloudFormationClient:
        """The region's CloudFormation."""
        client: CloudFormationClient = self._client("cloudformation", region)
        return client

    def logs(self, region: str) -> CloudWatchLogsClient:
        """The region's CloudWatch Logs."""
        client: CloudWatchLogsClient = self._client("logs", region)
        return client

    def ssm(self, region: str) -> SSMClient:
        """The region's Systems Manager."""
        client: SSMClient = self._client("ssm", region)
        return client

    def functions(self, region: str) -> LambdaClient:
        """The region's Lambda, for invocations that are waited for."""
        client: LambdaClient = self._client("lambda", region, _INVOKING)
        return client


@contextmanager
def aws_errors_as(doing: str, look_at: str = "the credentials, their permissions and the region") -> Iterator[None]:
    """Turn failures of AWS's API into OperationFailedError: what was being done, and what to look at."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise OperationFailedError(f"{doing} failed: {error}. Look at {look_at}") from error


def out_of_reach(error: ClientError | BotoCoreError) -> str | None:
    """In a few words, how a region is out of reach: it is silent, or out of order. None if it has answered."""
    if isinstance(error, (BotoConnectionError, HTTPClientError)):
        return f"no answer ({type(error).__name__})"
    return error_code(error) if isinstance(error, ClientError) and is_busy(error) else None


def error_code(error: ClientError) -> str:
    """AWS's code of an error, such as `ValidationError`."""
    return str(error.response.get("Error", {}).get("Code", ""))
