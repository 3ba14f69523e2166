"""Lines out of log groups by CloudWatch Logs Insights, which searches them in parallel: for millions of records.

A query answers with MOST_ROWS rows at most, and says how many lines matched. A span of time with more is split, so that
each part has about half as many as an answer holds; one that is still too full is split again. Times are given to
Insights in whole seconds, which both count: what lies outside the span is left out here.

Shapes of calls and answers: API reference of CloudWatch Logs, StartQuery and GetQueryResults; syntax: user guide,
"CloudWatch Logs Insights language query syntax".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from caribou.collectors.clients import logs_of
from caribou.collectors.logs import LogEvent, LogGroups, read_failure
from caribou.collectors.polling import Patience
from caribou.model.errors import OperationFailedError
from caribou.model.log_reader import LOG_READER_KEY
from caribou.model.run.record import RECORD_KEY

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import GetQueryResultsResponseTypeDef

MOST_ROWS = 10_000
"""Of an answer without pages; the newest SDKs take 100,000 in pages, those in Lambda need not."""
QUERY = f"""fields @timestamp, @message
| filter @message like "{RECORD_KEY}"
| sort @timestamp asc"""
_BUSY = frozenset({"LimitExceededException", "ThrottlingException", "ServiceUnavailableException"})
"""Thirty queries may run at once in a region of an account: others may have them."""
_AT_WORK = frozenset({"Scheduled", "Running"})


class InsightsLogReader(LogGroups):
    """Log groups in CloudWatch Logs, their lines by queries."""

    def __init__(
        self, client_of: Callable[[str], CloudWatchLogsClient] = logs_of, patience: Patience | None = None
    ) -> None:
        super().__init__(client_of)
        self._patience = patience or Patience()

    def events(self, region: str, log_group: str, start_ms: int, end_ms: int, *, also: str = "") -> Iterator[LogEvent]:
        """Events that hold the records' key, in the order of time; a group deleted meanwhile has none."""
        client = self.client(region)
        try:
            for event in self._span(client, log_group, start_ms, end_ms):
                if start_ms <= event.timestamp_ms <= end_ms and also in event.message:
                    yield event
        except client.exceptions.ResourceNotFoundException:
            return
        except (ClientError, BotoCoreError) as error:
            raise read_failure(f"Querying {log_group} of {region} failed", error) from error

    def _span(self, client: CloudWatchLogsClient, log_group: str, start_ms: int, end_ms: int) -> Iterator[LogEvent]:
        answer = self._answer(client, log_group, start_ms // 1000, end_ms // 1000 + 1)
        rows = answer["results"]
        if len(rows) < MOST_ROWS:
            yield from (_event({field.get("field"): field.get("value") for field in row}, log_group) for row in rows)
            return
        matched = max(int(answer.get("statistics", {}).get("recordsMatched", 0)), MOST_ROWS)
        del answer, rows  # some 25 MB, which regions beside each other would hold while their parts come
        for first_ms, last_ms in _parts(start_ms, end_ms, matched, log_group):
            events = self._span(client, log_group, first_ms, last_ms)
            yield from (event for event in events if first_ms <= event.timestamp_ms <= last_ms)

    def _answer(
        self, client: CloudWatchLogsClient, log_group: str, start_s: int, end_s: int
    ) -> GetQueryResultsResponseTypeDef:
        """The answer to the query over a span, both ends included. Raises OperationFailedError if there is none."""
        query: str | None = None

        def ask() -> GetQueryResultsResponseTypeDef | None:
            nonlocal query
            query = query or self._start(client, log_group, start_s, end_s)
            answer = None if query is None else client.get_query_results(queryId=query)
            return None if answer is None or answer["status"] in _AT_WORK else answer

        answer = self._patience.until(ask)
        if query is None:
            raise OperationFailedError(f"Querying {log_group} failed: too many other queries go on. Try again later")
        if answer is None:
            client.stop_query(queryId=query)
            raise OperationFailedError(f"Querying {log_group} failed: no answer in {self._patience.most_s:g} s")
        if answer["status"] != "Complete":
            raise OperationFailedError(f"Querying {log_group} failed: the query ended as {answer['status']}")
        return answer

    @staticmethod
    def _start(client: CloudWatchLogsClient, log_group: str, start_s: int, end_s: int) -> str | None:
        """Start a query; None if it is not its turn."""
        try:
            return client.start_query(
                logGroupName=log_group, startTime=start_s, endTime=end_s, queryString=QUERY, limit=MOST_ROWS
            )["queryId"]
        except ClientError as error:
            if error.response["Error"].get("Code") in _BUSY:
                return None
            raise


def _parts(start_ms: int, end_ms: int, matched: int, log_group: str) -> Sequence[tuple[int, int]]:
    """A span in parts of whole seconds, as many as give each half an answer's rows if lines come evenly."""
    first_s, last_s = start_ms // 1000, end_ms // 1000
    count = min(math.ceil(2 * matched / MOST_ROWS), last_s - first_s + 1)
    if count < 2:
        raise OperationFailedError(
            f"Querying {log_group} failed: a second has over {MOST_ROWS:,} records, and Insights can't split that. "
            f"Set {LOG_READER_KEY} to filter"
        )
    bounds = [first_s + i * (last_s - first_s + 1) // count for i in range(count)]
    begins = [start_ms, *(bound * 1000 for bound in bounds[1:])]
    return list(zip(begins, [*(begin - 1 for begin in begins[1:]), end_ms], strict=True))


def _event(row: Mapping[str | None, str | None], log_group: str) -> LogEvent:
    """A row's line; `@ptr`, which each row has, is none of its fields."""
    at, message = row.get("@timestamp"), row.get("@message")
    try:
        written = datetime.fromisoformat(at or "").replace(tzinfo=UTC)
    except ValueError as error:
        raise OperationFailedError(f"Querying {log_group} failed: a row has the time {at!a:.60}") from error
    return LogEvent(round(written.timestamp() * 1000), message or "")
