"""Service clients by region, and what their failures mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from caribou.model.errors import UnreachableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 2})
"""A region that is down is given up within about 14 s, so that its functions' callers have time to go home instead."""
_DATA = Config(read_timeout=30)
"""For large payloads."""
_NOT_TAKEN = frozenset(
    {
        "NotFound",
        "NoSuchBucket",
        "ResourceNotFoundException",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "TransactionInProgressException",
    }
)
"""Error codes of a region that answers but does not take what we send: retired, or too busy."""
_TOO_MANY = 429


class Clients:
    """Service clients by region, made once, out of a session of our own: user code's session counts user traffic.

    Sends run on threads; clients may be shared by threads, but a session that makes them may not: hence the lock.
    """

    def __init__(self, session: boto3.Session | None = None, config: Config = _CONFIG) -> None:
        self._session, self._general = session or boto3.Session(), config
        self._lock = Lock()
        self._made: dict[tuple[str, str], Any] = {}

    def dynamodb(self, region: str) -> DynamoDBClient:
        """The region's DynamoDB."""
        client: DynamoDBClient = self._client("dynamodb", region)
        return client

    def sns(self, region: str) -> SNSClient:
        """The region's SNS."""
        client: SNSClient = self._client("sns", region)
        return client

    def s3(self, region: str) -> S3Client:
        """The region's S3."""
        client: S3Client = self._client("s3", region)
        return client

    def sqs(self, region: str) -> SQSClient:
        """The region's SQS."""
        client: SQSClient = self._client("sqs", region)
        return client

    def _client(self, service: str, region: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' classes
        with self._lock:
            if (service, region) not in self._made:
                config = self._config(service)
                client: Any = self._session.client(service, region_name=region, config=config)  # type: ignore[call-overload]
                self._made[service, region] = client
            return self._made[service, region]

    def _config(self, service: str) -> Config:
        """Time limits and retries of a service's clients."""
        return self._general.merge(_DATA) if service == "s3" else self._general


@contextmanager
def reaching(region: str) -> Iterator[None]:
    """Within it, calls to a region that is down, gone, or does not take them raise UnreachableError."""
    try:
        yield
    except (BotoConnectionError, HTTPClientError) as error:
        raise UnreachableError(f"{region}: {error}") from error
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status == _TOO_MANY or status >= 500 or error.response["Error"]["Code"] in _NOT_TAKEN:
            raise UnreachableError(f"{region}: {error}") from error
        raise


def number(value: float) -> Any:  # noqa: ANN401 - DynamoDB's typed value
    """A number as DynamoDB's."""
    return {"N": repr(value)}


def got(client: DynamoDBClient, region: str, table: str, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The item at a key, as it is now, or None."""
    with reaching(region):
        return client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


def queried(client: DynamoDBClient, region: str, table: str, key: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401
    """All items with a partition key `id`, as they are now, page by page."""
    pages = client.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": key},
        ConsistentRead=True,
    )
    with reaching(region):
        return [item for page in pages for item in page["Items"]]
