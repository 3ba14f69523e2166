"""CloudWatch Logs with Insights, and Athena, as far as readers of logs ask them: behind boto3's own clients.

`Service` answers from log events in memory, as the API references say; Athena's SQL runs on an embedded engine. What
was asked is kept in `asked`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock

import boto3
import duckdb
import sqlglot
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from caribou.collectors.athena import AthenaLogReader
from caribou.collectors.insights import InsightsLogReader
from caribou.collectors.logs import CloudWatchLogReader, InMemoryLogReader
from caribou.collectors.polling import Patience
from caribou.model.registration import ControlNames
from caribou.model.run.record import RECORD_KEY

CONTROL = "us-west-2"
FILTER_PAGE = 7
ATHENA_PAGE = 5


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self):
        self.now_s, self.slept = 0.0, []

    def sleep(self, seconds):
        """Let it pass."""
        self.slept.append(seconds)
        self.now_s += seconds

    def __call__(self):
        """The time, s."""
        return self.now_s


class Body:
    """The content of an answer, as botocore reads it."""

    def __init__(self, content):
        self.content = content

    def stream(self, **_):
        """All of it at once."""
        yield self.content


def client_of(service, region, answer):
    """A client of boto3's that sends nothing: a function answers, of the operation, its parameters and the region.

    The client writes and reads requests and answers as ever, so that nothing gets by that the service has not.
    """
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    client = boto3.client(service, region_name=region, config=Config(retries={"total_max_attempts": 1}), **keys)

    def send(request, **_):
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        try:
            status, content = 200, answer(operation, json.loads(request.body), region)
        except RefusedError as error:
            status, content = 400, {"__type": error.args[0], "message": "no"}
        return AWSResponse(request.url, status, {}, Body(json.dumps(content).encode()))

    client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}", send)
    return client


class RefusedError(Exception):
    """An answer that is an error, of this code."""


def _exported(region, group, events):
    """A line that Firehose writes to S3, with the region and the day of its partition."""
    batch = {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": group,
        "logStream": "2026/01/01/[$LATEST]0",
        "subscriptionFilters": ["caribou"],
        "logEvents": [
            {"id": str(i), "timestamp": event.timestamp_ms, "message": event.message} for i, event in enumerate(events)
        ],
    }
    return json.dumps(batch), region, f"{datetime.fromtimestamp(events[-1].timestamp_ms / 1000, UTC):%F}"


@dataclass
class Service:
    """Log groups of all regions by (region, name) to their events, and what is asked of them.

    `rows` is how many an answer of Insights holds, `polls` after how many questions a query has ended, and how. What is
    `broken` are operations that end in an error, by its code or itself.
    """

    content: dict = field(default_factory=dict)
    rows: int = 10_000
    polls: int = 1
    ends_as: str = "Complete"
    busy: int = 0
    broken: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    _queries: dict = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @cached_property
    def table(self):
        """What was exported of the events, three a line."""
        made = duckdb.connect(config={"threads": 1})
        made.execute("CREATE TABLE logs (line VARCHAR, region VARCHAR, day VARCHAR)")
        lines = [
            _exported(region, group, events[first : first + 3])
            for (region, group), events in self.content.items()
            for first in range(0, len(events), 3)
        ]
        if lines:
            made.executemany("INSERT INTO logs VALUES (?, ?, ?)", lines)
        return made

    def export(self, region, group, events, *, day=None, cut=None):
        """Export more events, in the partition of a day; the line may be cut."""
        line, *place = _exported(region, group, events)
        self.table.execute("INSERT INTO logs VALUES (?, ?, ?)", [line[:cut], region, day or place[1]])

    def patience(self):
        """Waits that take no time."""
        return Patience(most_s=60, sleep=self.clock.sleep, clock=self.clock)

    def logs(self, region):
        """A client of CloudWatch Logs."""
        return client_of("logs", region, self._answer)

    def reader(self, name):
        """A reader by its name in cdk.json, or the one in memory."""
        match name:
            case "memory":
                return InMemoryLogReader(self.content)
            case "filter":
                return CloudWatchLogReader(self.logs)
            case "insights":
                return InsightsLogReader(self.logs, self.patience())
            case "athena":
                athena = client_of("athena", CONTROL, self._answer)
                return AthenaLogReader(
                    ControlNames(), CONTROL, logs_client_of=self.logs, athena=athena, patience=self.patience()
                )

    def _answer(self, operation, parameters, region):
        with self._lock:  # regions are read beside each other
            self.asked.append((operation, parameters, region))
            if isinstance(error := self.broken.get(operation), Exception):
                raise error
            if error is not None:
                raise RefusedError(error)
            return getattr(self, f"_{operation}")(parameters, region)

    def _DescribeLogGroups(self, asked, region):  # noqa: N802
        names = [name for of, name in self.content if of == region and name.startswith(asked["logGroupNamePrefix"])]
        return {"logGroups": [{"logGroupName": name, "creationTime": 0} for name in names]}

    def _within(self, region, group, start_ms, end_ms):
        if (region, group) not in self.content:
            raise RefusedError("ResourceNotFoundException")
        found = [e for e in self.content[region, group] if start_ms <= e.timestamp_ms <= end_ms]
        return [event for event in found if RECORD_KEY in event.message]

    def _FilterLogEvents(self, asked, region):  # noqa: N802
        found = self._within(region, asked["logGroupName"], asked["startTime"], asked["endTime"])
        terms = [term.strip('"') for term in asked["filterPattern"].split('" "')]
        found = [event for event in found if all(term in event.message for term in terms)]
        first = int(asked.get("nextToken", 0))
        page = [{"timestamp": e.timestamp_ms, "message": e.message} for e in found[first : first + FILTER_PAGE]]
        more = {"nextToken": str(first + FILTER_PAGE)} if first + FILTER_PAGE < len(found) else {}
        return {"events": page, **more}

    def _StartQuery(self, asked, region):  # noqa: N802
        if self.busy:
            self.busy -= 1
            raise RefusedError("LimitExceededException")
        query = str(len(self._queries))
        found = self._within(region, asked["logGroupName"], asked["startTime"] * 1000, asked["endTime"] * 1000)
        self._queries[query] = [self.polls, found]
        return {"queryId": query}

    def _GetQueryResults(self, asked, region):  # noqa: N802
        del region
        if "QueryExecutionId" in asked:  # Athena's call has the same name
            return self._page(asked)
        query = self._queries[asked["queryId"]]
        query[0] -= 1
        if query[0] > 0:
            return {"status": "Running", "results": []}
        rows = [
            [
                {"field": "@timestamp", "value": f"{datetime.fromtimestamp(e.timestamp_ms / 1000, UTC):%F %T.%f}"[:-3]},
                {"field": "@message", "value": e.message},
                {"field": "@ptr", "value": "CmEKJgoi"},
            ]
            for e in query[1][: self.rows]
        ]
        return {"status": self.ends_as, "results": rows, "statistics": {"recordsMatched": float(len(query[1]))}}

    def _StopQuery(self, asked, region):  # noqa: N802
        del asked, region
        return {"success": True}

    def _StartQueryExecution(self, asked, region):  # noqa: N802
        del region
        query = str(len(self._queries))
        [sql] = sqlglot.transpile(asked["QueryString"], read="athena", write="duckdb")
        self._queries[query] = [self.polls, self.table.execute(sql).fetchall()]
        return {"QueryExecutionId": query}

    def _GetQueryExecution(self, asked, region):  # noqa: N802
        del region
        query = self._queries[asked["QueryExecutionId"]]
        query[0] -= 1
        ended = {"Complete": "SUCCEEDED"}.get(self.ends_as, self.ends_as.upper())
        status = {"State": "RUNNING"} if query[0] > 0 else {"State": ended, "StateChangeReason": "SYNTAX_ERROR: line 1"}
        return {"QueryExecution": {"Status": status}}

    def _page(self, asked):
        rows = [("at_ms", "message"), *self._queries[asked["QueryExecutionId"]][1]]
        first = int(asked.get("NextToken", 0))
        page = [{"Data": [{"VarCharValue": str(cell)} for cell in row]} for row in rows[first : first + ATHENA_PAGE]]
        more = {"NextToken": str(first + ATHENA_PAGE)} if first + ATHENA_PAGE < len(rows) else {}
        return {"ResultSet": {"Rows": page}, **more}

    def _StopQueryExecution(self, asked, region):  # noqa: N802
        del asked, region
        return {}
