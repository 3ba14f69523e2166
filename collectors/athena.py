"""Lines of log groups by Athena, out of what was exported to S3: for millions of records that are there anyway.

The table is one of text, a line a row, with partitions by region and day. A line is what a subscription of CloudWatch
Logs sends (user guide, "Log group-level subscription filters": `logGroup`, `logEvents` of `id`, `timestamp` in ms and
`message`), as Firehose writes it to S3, decompressed and with a newline behind it. A day is that of delivery: never
before that of the event, and hardly ever later than the next one. Lines that are no JSON are passed over.

Calls and answers: API reference of Athena, StartQueryExecution, GetQueryExecution, GetQueryResults. The SQL is tested
on an embedded engine, not on Athena.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from caribou.collectors.clients import athena_of, logs_of
from caribou.collectors.logs import LogEvent, LogGroups, read_failure
from caribou.collectors.polling import Patience
from caribou.model.errors import OperationFailedError
from caribou.model.log_reader import LOG_TABLE
from caribou.model.registration import ControlNames
from caribou.model.run.record import RECORD_KEY

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import GetQueryExecutionOutputTypeDef, RowTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient

EXPORT_S = 3600.0
"""How far the export may be behind: Firehose waits up to 15 minutes for a file to fill, and tries again for a while."""
PAGE_ROWS = 1000
"""Of GetQueryResults, at most."""
_AT_WORK = frozenset({"QUEUED", "RUNNING"})


class AthenaLogReader(LogGroups):
    """Log groups as CloudWatch Logs has them, their lines out of a table in the control region."""

    behind_s = EXPORT_S

    def __init__(
        self,
        names: ControlNames,
        control_region: str,
        *,
        logs_client_of: Callable[[str], CloudWatchLogsClient] = logs_of,
        athena: AthenaClient | None = None,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(logs_client_of)
        self._names = names
        self._athena = athena or athena_of(control_region)
        self._patience = patience or Patience()

    def events(self, region: str, log_group: str, start_ms: int, end_ms: int, *, also: str = "") -> Iterator[LogEvent]:
        """Events that hold the records' key, in the order of time."""
        try:
            for row in self._rows(query_of(region, log_group, start_ms, end_ms), f"{log_group} of {region}"):
                at, message = (cell.get("VarCharValue", "") for cell in row["Data"])
                if also in message:
                    yield LogEvent(int(at), message)
        except (ClientError, BotoCoreError) as error:
            raise read_failure(f"Querying the export of {log_group} of {region} failed", error) from error

    def _rows(self, query: str, of: str) -> Iterator[RowTypeDef]:
        """The rows of an answer, page by page, without the first, which names the columns."""
        started = self._athena.start_query_execution(
            QueryString=query,
            QueryExecutionContext={"Database": self._names.log_database},
            WorkGroup=self._names.log_workgroup,
        )
        execution = started["QueryExecutionId"]
        self._wait_for(execution, of)
        pages = self._athena.get_paginator("get_query_results").paginate(
            QueryExecutionId=execution, PaginationConfig={"PageSize": PAGE_ROWS}
        )
        for number, page in enumerate(pages):
            yield from page["ResultSet"]["Rows"][1 if number == 0 else 0 :]

    def _wait_for(self, execution: str, of: str) -> None:
        """Wait until a query has succeeded. Raises OperationFailedError if it does not."""

        def ask() -> GetQueryExecutionOutputTypeDef | None:
            answer = self._athena.get_query_execution(QueryExecutionId=execution)
            return None if answer["QueryExecution"]["Status"]["State"] in _AT_WORK else answer

        answer = self._patience.until(ask)
        if answer is None:
            self._athena.stop_query_execution(QueryExecutionId=execution)
            raise OperationFailedError(f"Querying the export of {of} failed: no answer in {self._patience.most_s:g} s")
        status = answer["QueryExecution"]["Status"]
        if status["State"] != "SUCCEEDED":
            why = status.get("StateChangeReason", f"the query ended as {status['State']}")
            raise OperationFailedError(f"Querying the export of {of} failed: {why}")


def query_of(region: str, log_group: str, start_ms: int, end_ms: int) -> str:
    """SQL, in Athena's dialect, for the lines of a log group that may hold a record; both ends of the span count."""
    first, last = _day(start_ms), _day(end_ms, later=timedelta(days=1))
    return f"""\
WITH batches AS (
  SELECT TRY(json_parse(line)) AS batch
  FROM {LOG_TABLE}
  WHERE region = {_text(region)} AND day BETWEEN '{first}' AND '{last}' AND strpos(line, '{RECORD_KEY}') > 0
), events AS (
  SELECT CAST(json_extract_scalar(event, '$.timestamp') AS BIGINT) AS at_ms,
    json_extract_scalar(event, '$.message') AS message
  FROM batches CROSS JOIN UNNEST(CAST(json_extract(batch, '$.logEvents') AS ARRAY(JSON))) AS t (event)
  WHERE json_extract_scalar(batch, '$.logGroup') = {_text(log_group)}
)
SELECT at_ms, message
FROM events
WHERE at_ms BETWEEN {start_ms} AND {end_ms} AND strpos(message, '{RECORD_KEY}') > 0
ORDER BY at_ms"""  # noqa: S608 - texts are quoted, and nothing else is from outside


def _text(value: str) -> str:
    """A text in SQL, in which a quotation mark is written twice, and nothing else means anything."""
    return "'" + value.replace("'", "''") + "'"


def _day(at_ms: int, later: timedelta = timedelta()) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC) + later:%Y-%m-%d}"
