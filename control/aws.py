"""The AWS services that the control room talks to, in any region, and what their failures are called here."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from caribou.collectors.clients import wait_when_throttled
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.runtime.clients import Clients
from caribou.runtime.refusals import is_busy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import GetCallerIdentityResponseTypeDef

_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
"""A region that is silent is given up within half a minute: a person waits for it, beside those that answer."""
_INVOKING = Config(connect_timeout=3, read_timeout=90, retries={"mode": "standard", "total_max_attempts": 1})
"""A function answers when it has ended, within its time limit; one that is asked again does its work twice."""
_HASTY = Config(connect_timeout=1.5, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
"""For a question to all regions at once: one on the other side of the world answers within a second."""
_NO_ANSWER = (BotoConnectionError, HTTPClientError)
_SILENT_S = 30.0
"""How long a region that did not answer in time is not asked again, by any of the clients of a command."""
_ASKED_ELSEWHERE = ("us-east-1", "eu-west-1")
"""Regions that are asked whose the credentials are if the one at hand is silent: each knows it."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost"})
_HTTP_PORT = 80
_LISTENS_WITHIN_S = 3.0


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


def _no_credentials() -> InvalidInputError:
    """What a newcomer meets first, whatever the verb."""
    return InvalidInputError(
        "there are none, in the environment or in ~/.aws",
        where="AWS credentials",
        fix='`caribou local up`, then `eval "$(caribou local env)"`, for the local cloud; '
        "or name a profile in AWS_PROFILE, for AWS",
    )


def _ended_local_cloud() -> InvalidInputError | None:
    """The error of a shell that points at a local cloud where nothing listens any more; None if it does not."""
    url = os.environ.get("AWS_ENDPOINT_URL", "")
    address = urlsplit(url)
    if address.hostname not in _LOOPBACK:
        return None
    try:
        socket.create_connection((address.hostname, address.port or _HTTP_PORT), timeout=_LISTENS_WITHIN_S).close()
    except OSError:
        return InvalidInputError(
            "no local cloud listens where this shell points",
            where="AWS_ENDPOINT_URL",
            found=url,
            fix='`caribou local up`, then `eval "$(caribou local env)"`; or unset it, for AWS',
        )
    return None


class Aws(Clients):
    """The runtime's clients and some more, with the patience of an operator; closed at the end of the `with`."""

    def __init__(self, session: boto3.Session | None = None, config: Config = _CONFIG) -> None:
        with _settings_checked():
            super().__init__(session, config)
        self._who: GetCallerIdentityResponseTypeDef | None = None
        self._is_checked = False

    def _client(self, service: str, region: str, config: Config | None = None) -> Any:  # noqa: ANN401 - made by boto3
        with _settings_checked():
            client = super()._client(service, region, config)
            if self._session.get_credentials() is None:
                raise _no_credentials()
            if not self._is_checked and (ended := _ended_local_cloud()):
                raise ended
            self._is_checked = True
        events = client.meta.events
        events.register("before-call", partial(self._pass_by, region), unique_id="caribou-pass-by")
        events.register("after-call-error", partial(self._note, region), unique_id="caribou-note")
        return client

    def _pass_by(self, region: str, **_: object) -> None:
        """Raise botocore's ConnectionError for a region that is silent: nobody waits for it twice."""
        if time.monotonic() < self._silent_until.get(region, 0.0):
            raise BotoConnectionError(error=TimeoutError(f"{region} did not answer a moment ago"))

    def _note(self, region: str, exception: Exception, **_: object) -> None:
        if isinstance(exception, (ConnectTimeoutError, ReadTimeoutError)):
            self._silent_until[region] = time.monotonic() + _SILENT_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every client."""
        while self._made:
            self._made.popitem()[1].close()

    def hasty(self) -> Aws:
        """Clients of the same session that give up on a region sooner, and remember with these which are silent."""
        clients = Aws(self._session, _HASTY)
        clients._silent_until = self._silent_until
        return clients

    @property
    def profile(self) -> str | None:
        """The profile that the user has chosen; None if the credentials are not of one."""
        return os.environ.get("AWS_PROFILE")

    def account(self, region: str) -> str:
        """The account of the credentials at hand. Raises OperationFailedError if AWS, or the local cloud, is silent."""
        return self._identity(region)["Account"]

    def caller(self, region: str) -> str:
        """The ARN of whose credentials are at hand. Raises OperationFailedError as `account`."""
        return self._identity(region)["Arn"]

    def _identity(self, region: str) -> GetCallerIdentityResponseTypeDef:
        """Who we are, as the region says it, or another one if it is out of reach; asked once."""
        if self._who is None:
            *most, last = dict.fromkeys((region, *_ASKED_ELSEWHERE))
            with aws_errors_as(
                "Asking AWS which account this is",
                'the credentials; or use the local cloud: caribou local up, then eval "$(caribou local env)"',
            ):
                for one in most:
                    try:
                        self._who = self._sts(one).get_caller_identity()
                    except (ClientError, BotoCoreError) as error:
                        if out_of_reach(error) is None:
                            raise
                    else:
                        return self._who
                self._who = self._sts(last).get_caller_identity()
        return self._who

    def _sts(self, region: str) -> STSClient:
        client: STSClient = self._client("sts", region)
        return client

    def cloudformation(self, region: str) -> CloudFormationClient:
        """The region's CloudFormation."""
        client: CloudFormationClient = self._client("cloudformation", region)
        return client

    def logs(self, region: str) -> CloudWatchLogsClient:
        """The region's CloudWatch Logs."""
        client: CloudWatchLogsClient = self._client("logs", region)
        wait_when_throttled(client)
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
    """Turn failures of AWS's API into OperationFailedError: what was being done, and what to look at.

    That there are no credentials, or no local cloud any more, is an InvalidInputError, whatever was being done.
    """
    try:
        yield
    except NoCredentialsError as error:
        raise _no_credentials() from error
    except EndpointConnectionError as error:
        raise _ended_local_cloud() or _failed(doing, error, look_at) from error
    except (ClientError, BotoCoreError) as error:
        raise _failed(doing, error, look_at) from error


def _failed(doing: str, error: Exception, look_at: str) -> OperationFailedError:
    return OperationFailedError(f"{doing} failed: {error}. Look at {look_at}")


def out_of_reach(error: ClientError | BotoCoreError) -> str | None:
    """In a few words, how a region is out of reach: it is silent, or out of order. None if it has answered."""
    if isinstance(error, _NO_ANSWER):
        return "no answer"
    return error_code(error) if isinstance(error, ClientError) and is_busy(error) else None


def why_out_of_reach(error: OperationFailedError) -> str | None:
    """As `out_of_reach`, of the failure that an error of ours was raised from."""
    cause = error.__cause__
    return out_of_reach(cause) if isinstance(cause, (ClientError, BotoCoreError)) else None


def error_code(error: ClientError) -> str:
    """AWS's code of an error, such as `ValidationError`."""
    return str(error.response.get("Error", {}).get("Code", ""))
