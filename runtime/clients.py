"""Service clients by region, and what their failures mean."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, FlexibleChecksumError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from caribou.model.errors import UnreachableError
from caribou.runtime.external import OUR_CLIENTS
from caribou.runtime.refusals import is_busy, is_refusal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
"""Two attempts: a region that is silent is given up within some 11 s, so that there is time to go home instead.

For S3 too: it is the time to the next byte, not that of a large payload."""
_OURS_ALONE = Config(proxies={}, ignore_configured_endpoint_urls=True, user_agent_extra=OUR_CLIENTS)  # type: ignore[call-arg]
"""In a function, environment variables are the user's: where its own clients go is not where ours go. And what ours
move is not what user code exchanges."""
_SILENT_S = 30.0
"""How long a region that did not answer is not asked again: the other sends of an invocation go home at once."""
_GARBLED = (IncompleteReadError, FlexibleChecksumError, ResponseParserError)
"""An answer that broke off, or is none: of a proxy or a load balancer, say, in front of a service that is down."""


class Clients:
    """Service clients by region, made once, out of a session of our own.

    Sends run on threads; clients may be shared by threads, but a session that makes them may not: hence the lock.

    `home_region` is the region to which what another does not take can go: there, what refuses us is an error to show.
    None: everywhere is as home.
    """

    def __init__(
        self, session: boto3.Session | None = None, config: Config = _CONFIG, *, home_region: str | None = None
    ) -> None:
        self._session, self._general, self._home_region = session or boto3.Session(), config, home_region
        self._endpoint_url: str | None = None
        self._lock = Lock()
        self._made: dict[tuple[str, str], Any] = {}
        self._silent_until: dict[str, float] = {}

    @classmethod
    def deployed(cls, home_region: str, config: Config = _CONFIG) -> Self:
        """Those of a function: of what the manifest puts into its environment, no endpoint, profile or proxy is ours.

        `AWS_ENDPOINT_URL` itself, which no manifest may set, is the local cloud's.
        """
        session, config = boto3.Session(botocore_session=_own_session()), config.merge(_OURS_ALONE)
        clients = cls(session, config, home_region=home_region)
        clients._endpoint_url = os.environ.get("AWS_ENDPOINT_URL")
        return clients

    @contextmanager
    def reaching(self, region: str) -> Iterator[None]:
        """Within it, calls to a region that is down, gone, or does not take them raise UnreachableError.

        A region other than home that did not answer is not asked again for half a minute.
        """
        if time.monotonic() < self._silent_until.get(region, 0.0):
            raise UnreachableError(f"{region} did not answer a moment ago")
        try:
            yield
        except (BotoConnectionError, HTTPClientError) as error:
            if self._is_away(region):
                self._silent_until[region] = time.monotonic() + _SILENT_S
            raise UnreachableError(f"{region}: {error}") from error
        except _GARBLED as error:
            raise UnreachableError(f"{region}: {error}") from error
        except ClientError as error:
            if is_busy(error) or (self._is_away(region) and is_refusal(error)):
                raise UnreachableError(f"{region}: {error}") from error
            raise

    def ask_all_again(self) -> None:
        """Forget which regions did not answer."""
        self._silent_until.clear()

    def _is_away(self, region: str) -> bool:
        return self._home_region is not None and region != self._home_region

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

    def events(self, region: str) -> EventBridgeClient:
        """The region's EventBridge."""
        client: EventBridgeClient = self._client("events", region)
        return client

    def _client(self, service: str, region: str, config: Config | None = None) -> Any:  # noqa: ANN401 - made by boto3
        with self._lock:
            if (service, region) not in self._made:
                client: Any = self._session.client(  # type: ignore[call-overload]
                    service, region_name=region, config=config or self._general, endpoint_url=self._endpoint_url
                )
                self._made[service, region] = client
            return self._made[service, region]


def _own_session() -> botocore.session.Session:
    """A session that reads no file and no profile: credentials are the role's, out of the environment."""
    no_file = (None, None, os.devnull, None)
    return botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": no_file,
            "credentials_file": no_file,
        }
    )


def number(value: float) -> Any:  # noqa: ANN401 - DynamoDB's typed value
    """A number as DynamoDB's."""
    return {"N": repr(value)}


def got(clients: Clients, region: str, table: str, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The item at a key, as it is now, or None."""
    client = clients.dynamodb(region)
    with clients.reaching(region):
        return client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


def queried(clients: Clients, region: str, table: str, key: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401
    """All items with a partition key `id`, as they are now, page by page."""
    pages = (
        clients.dynamodb(region)
        .get_paginator("query")
        .paginate(
            TableName=table,
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": key},
            ConsistentRead=True,
        )
    )
    with clients.reaching(region):
        return [item for page in pages for item in page["Items"]]
