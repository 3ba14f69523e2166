"""The AWS services that the control room talks to, in any region, and what their failures are called here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from caribou.model.errors import OperationFailedError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 4})


class Aws:
    """Clients by service and region, made once out of one session; closed at the end of the `with`.

    Threads share clients; a session that makes them may not be shared, hence the lock.
    """

    def __init__(self, session: boto3.Session | None = None) -> None:
        self._session = session or boto3.Session()
        self._lock = Lock()
        self._made: dict[tuple[str, str], Any] = {}
        self._account: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every client."""
        while self._made:
            self._made.popitem()[1].close()

    def account(self, region: str) -> str:
        """The number of the account that is used."""
        if self._account is None:
            self._account = str(self._client("sts", region).get_caller_identity()["Account"])
        return self._account

    def cloudformation(self, region: str) -> CloudFormationClient:
        """The region's CloudFormation."""
        client: CloudFormationClient = self._client("cloudformation", region)
        return client

    def dynamodb(self, region: str) -> DynamoDBClient:
        """The region's DynamoDB."""
        client: DynamoDBClient = self._client("dynamodb", region)
        return client

    def s3(self, region: str) -> S3Client:
        """The region's S3."""
        client: S3Client = self._client("s3", region)
        return client

    def sqs(self, region: str) -> SQSClient:
        """The region's SQS."""
        client: SQSClient = self._client("sqs", region)
        return client

    def ssm(self, region: str) -> SSMClient:
        """The region's Systems Manager."""
        client: SSMClient = self._client("ssm", region)
        return client

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes
        with self._lock:
            if (service, region) not in self._made:
                client: Any = self._session.client(service, region_name=region, config=_CONFIG)  # type: ignore[call-overload]
                self._made[service, region] = client
            return self._made[service, region]


@contextmanager
def telling(doing: str, look_at: str = "the credentials, their permissions and the region") -> Iterator[None]:
    """Turn failures of AWS's API into OperationFailedError: what was being done, and what to look at."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise OperationFailedError(f"{doing} failed: {error}. Look at {look_at}") from error


def error_code(error: ClientError) -> str:
    """AWS's code of an error, such as `ValidationError`."""
    return str(error.response.get("Error", {}).get("Code", ""))
