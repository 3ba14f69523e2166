"""Reading log groups in many regions, behind a Protocol with a real and an in-memory form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from caribou.collectors.clients import logs_of
from caribou.model.errors import OperationFailedError, SilentRegionError
from caribou.model.run.record import RECORD_KEY

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

PAGE_OF_THE_EMULATOR = 10_000
"""MiniStack returns at most so many events and no token for the rest; CloudWatch returns a token."""

NOT_ENABLED = frozenset({"UnrecognizedClientException", "InvalidClientTokenId", "OptInRequired"})
"""How a region answers that the account has not opted in to. Wrong credentials answer alike, but with these neither the
registration nor the tables could have been read before."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A log event: when (ms since 1970), and its text."""

    timestamp_ms: int
    message: str


class LogReader(Protocol):
    """Log groups of any region, for several threads.

    Both methods raise OperationFailedError when the region's API fails, SilentRegionError if there is no answer.
    """

    @property
    def behind_s(self) -> float:
        """By how many seconds what can be read may be behind what was logged, beside what is usual."""

    def groups(self, region: str, prefix: str) -> Mapping[str, int]:
        """Names of the log groups that begin with `prefix`, with when each was made, ms since 1970."""

    def events(self, region: str, log_group: str, start_ms: int, end_ms: int, *, also: str = "") -> Iterator[LogEvent]:
        """Events from `start_ms` to `end_ms`, both included, that may hold a run record, and the text `also`."""


@dataclass(frozen=True, slots=True)
class InMemoryLogReader:
    """Log groups in memory: (region, log group) to its events. A region in `broken` fails."""

    content: dict[tuple[str, str], Sequence[LogEvent]] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    behind_s: float = 0.0

    def groups(self, region: str, prefix: str) -> Mapping[str, int]:
        """Names of the log groups that begin with `prefix`."""
        self._check(region)
        return {name: 0 for (of, name) in self.content if of == region and name.startswith(prefix)}

    def events(self, region: str, log_group: str, start_ms: int, end_ms: int, *, also: str = "") -> Iterator[LogEvent]:
        """Events from `start_ms` to `end_ms`."""
        self._check(region)
        found = self.content[region, log_group]
        return (event for event in found if start_ms <= event.timestamp_ms <= end_ms and also in event.message)

    def _check(self, region: str) -> None:
        if region in self.broken:
            raise SilentRegionError(f"Reading the logs of {region} failed")


class LogGroups:
    """Finds log groups in CloudWatch Logs: what readers of their lines have in common."""

    behind_s = 0.0

    def __init__(self, client_of: Callable[[str], CloudWatchLogsClient] = logs_of) -> None:
        self._client_of = client_of
        self._clients: dict[str, CloudWatchLogsClient] = {}
        self._lock = Lock()

    def client(self, region: str) -> CloudWatchLogsClient:
        """A region's client."""
        with self._lock:  # threads may share a client, but not the session that makes it
            if region not in self._clients:
                self._clients[region] = self._client_of(region)
            return self._clients[region]

    def groups(self, region: str, prefix: str) -> Mapping[str, int]:
        """Names of the log groups that begin with `prefix`; none in a region that the account has not enabled."""
        try:
            pages = self.client(region).get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
            return {
                group["logGroupName"]: group.get("creationTime", 0) for page in pages for group in page["logGroups"]
            }
        except (ClientError, BotoCoreError) as error:
            if is_not_enabled(error):
                return {}
            raise read_failure(f"Listing the log groups of {region} failed", error) from error


class CloudWatchLogReader(LogGroups):
    """Lines out of CloudWatch Logs, page by page."""

    def events(self, region: str, log_group: str, start_ms: int, end_ms: int, *, also: str = "") -> Iterator[LogEvent]:
        """Events that hold the records' key, without `limit`; a group deleted meanwhile has none."""
        client = self.client(region)
        terms = " ".join(f'"{term}"' for term in (RECORD_KEY, also) if term)
        try:
            while True:
                last_ms, full = start_ms, False
                for count, event in _pages(client, log_group, (start_ms, end_ms), terms):
                    last_ms, full = event.timestamp_ms, count >= PAGE_OF_THE_EMULATOR
                    yield event
                if not full:
                    return
                start_ms = max(last_ms, start_ms + 1)
        except client.exceptions.ResourceNotFoundException:
            return
        except (ClientError, BotoCoreError) as error:
            raise read_failure(f"Reading {log_group} of {region} failed", error) from error


def read_failure(what: str, error: Exception) -> OperationFailedError:
    """An answer that is an error is that of one call; no answer is that of a region."""
    kind = OperationFailedError if isinstance(error, ClientError) else SilentRegionError
    return kind(f"{what}: {error}")


def is_not_enabled(error: Exception) -> bool:
    """Whether a region refuses our credentials: one that has to be opted in to, and was not, does."""
    return isinstance(error, ClientError) and error.response["Error"].get("Code") in NOT_ENABLED


def _pages(
    client: CloudWatchLogsClient, log_group: str, span_ms: tuple[int, int], terms: str
) -> Iterator[tuple[int, LogEvent]]:
    """Events of all pages, each with how many its page has; quoted terms as pattern, as JSON ones are not emulated."""
    start_ms, end_ms = span_ms
    paginator = client.get_paginator("filter_log_events")
    for page in paginator.paginate(logGroupName=log_group, startTime=start_ms, endTime=end_ms, filterPattern=terms):
        events = page["events"]
        size = 0 if page.get("nextToken") else len(events)
        for event in events:
            yield size, LogEvent(event["timestamp"], event["message"])
