"""What a run's executions have written into their functions' logs, line by line, out of all its regions.

A line does not say which run it is of. But an execution environment writes into a log stream of its own, one invocation
after the other, each between Lambda's `START` and the next one's. So an invocation is a run's if the run's record is in
it, or if its request owns the claim of one of the run's nodes: that of an execution that goes on, or was killed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caribou.collectors.record_lines import record_in
from caribou.control.aws import Aws
from caribou.control.runs.evidence import RunFacts, Unseen, search_term, span_ms_of
from caribou.model.errors import InvalidRecordError
from caribou.model.names import WorkflowNames
from caribou.model.run.item import RunItem
from caribou.model.run.record import RECORD_KEY

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_THREADS = 16
_STREAMS_A_CALL = 100
"""What FilterLogEvents takes."""
_START = re.compile(r"START RequestId: ([0-9a-fA-F-]{1,64})")
_PLATFORMS = (
    "START RequestId: ",
    "END RequestId: ",
    "REPORT RequestId: ",
    "INIT_START ",
    "EXTENSION\t",
    "XRAY TraceId: ",
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log event: when (ms since 1970), where it stands, and the node that wrote it. `id` is CloudWatch's."""

    at_ms: int
    region: str
    log_group: str
    stream: str
    node: str
    text: str
    id: str

    @property
    def is_own(self) -> bool:
        """Whether it is Lambda's or Caribou's own: not the function's."""
        return self.text.startswith(_PLATFORMS) or _is_metric(self.text) or _record_run(self.text) is not None


@dataclass(frozen=True, slots=True)
class RunLines:
    """Lines in the order of time. Of the regions `unseen`, which did not answer, none are known; `gone` have no log."""

    lines: tuple[LogLine, ...]
    unseen: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunLog:
    """Reads the lines of runs of one workflow."""

    aws: Aws
    facts: RunFacts

    @property
    def _names(self) -> WorkflowNames:
        return self.facts.names

    def read(self, item: RunItem, now_s: float, functions: Collection[str] = ()) -> RunLines:
        """The lines of a run, of some of its functions alone if any are named.

        A region but home that does not answer is named. Raises OperationFailedError if home does not answer.
        """
        home, run = self.facts.home_region, item.run
        unseen = Unseen(home)
        owners = self.facts.owners(item, unseen)
        regions = sorted({home, *run.regions.values()} - unseen.regions)
        names = [f.name for f in self.facts.graph.functions if not functions or f.name in functions]
        search = _Search(run.run_id, owners, span_ms_of(item, now_s))
        for region in regions:
            self.aws.logs(region)  # made here: sessions are slow at making clients on many threads
        groups = [(region, name) for region in regions for name in names]
        with ThreadPoolExecutor(_THREADS) as threads:
            found = list(threads.map(lambda group: self._lines(group[0], group[1], search, unseen), groups))
        lines = sorted((line for lines in found for line in lines or ()), key=lambda line: line.at_ms)
        there = {region for (region, _), lines in zip(groups, found, strict=True) if lines is not None}
        gone = sorted(set(regions) - there - unseen.regions)
        return RunLines(tuple(lines), tuple(sorted(unseen.regions)), tuple(gone))

    def _lines(self, region: str, function: str, search: _Search, unseen: Unseen) -> list[LogLine] | None:
        """The run's lines in one log; None if there is no such log."""
        group, client = self._names.log_group(function), self.aws.logs(region)
        lines: list[LogLine] = []
        with unseen.looking(region):
            try:
                streams = sorted(search.streams(client, group))
                for first in range(0, len(streams), _STREAMS_A_CALL):
                    found = search.events(client, group, streams=streams[first : first + _STREAMS_A_CALL])
                    for stream, events in _by_stream(found).items():
                        lines += _of_run(stream, events, search, region, group)
            except client.exceptions.ResourceNotFoundException:
                return None
        return lines


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for: a run, by its records and by the requests that own its claims, in a span of time (ms)."""

    run_id: str
    owners: Mapping[str, str]
    span_ms: tuple[int, int]

    def streams(self, client: CloudWatchLogsClient, group: str) -> set[str]:
        """The log streams in which something of the run stands."""
        terms = [search_term(self.run_id) or RECORD_KEY, *self.owners]
        found: set[str] = set()
        for term in terms:
            for event in self.events(client, group, term=term):
                text = event["message"]
                if term in self.owners or any(_record_run(line) == self.run_id for line in text.split("\n")):
                    found.add(event["logStreamName"])
        return found

    def events(
        self, client: CloudWatchLogsClient, group: str, *, term: str = "", streams: Iterable[str] = ()
    ) -> Iterator[Any]:
        """The events of a log group, as CloudWatch has them, with a term or of some streams."""
        names = list(streams)
        narrow: dict[str, Any] = {"logStreamNames": names} if names else {}
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            startTime=self.span_ms[0],
            endTime=self.span_ms[1],
            filterPattern=f'"{term}"' if term else "",
            **narrow,
        )
        for page in pages:
            yield from page["events"]


def _by_stream(events: Iterable[Any]) -> dict[str, list[Any]]:
    streams: dict[str, list[Any]] = {}
    for event in events:
        streams.setdefault(event["logStreamName"], []).append(event)
    return streams


def _of_run(stream: str, events: Sequence[Any], search: _Search, region: str, group: str) -> Iterator[LogLine]:
    """The lines of a stream's invocations that are the run's."""
    for request, invocation in _invocations(events):
        node = search.owners.get(request) or _recorded_node(invocation, search.run_id)
        if node is None:
            continue
        for number, event in enumerate(invocation):
            at_ms, text = event["timestamp"], event["message"].rstrip("\n")
            name = event.get("eventId") or f"{stream}#{request}#{number}"
            yield LogLine(at_ms, region, group, stream, node, text, name)


def _invocations(events: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The invocations of a stream: the request's id, and the events from its start to the next one's."""
    request, lines = "", list[Any]()
    for event in events:
        start = _START.match(event["message"])
        if start and request:
            yield request, lines
            lines = []
        request = start[1] if start else request
        lines.append(event)
    if lines:
        yield request, lines


def _recorded_node(invocation: Iterable[Any], run_id: str) -> str | None:
    """The node of a run's record among some events; None if there is none."""
    lines = (line for event in invocation for line in event["message"].split("\n"))
    return next((found[1] for line in lines if (found := _record(line)) and found[0] == run_id), None)


def _record_run(line: str) -> str | None:
    found = _record(line)
    return None if found is None else found[0]


def _record(line: str) -> tuple[str, str] | None:
    """Run and node of the record in a line; None if it has none that can be read."""
    if RECORD_KEY not in line:
        return None
    try:
        record = record_in(line)
    except InvalidRecordError:
        return None
    return None if record is None else (record.run_id, record.node)


def _is_metric(text: str) -> bool:
    """Whether a line is metrics in CloudWatch's embedded format."""
    if not text.startswith("{") or '"_aws"' not in text:
        return False
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and "CloudWatchMetrics" in (data.get("_aws") or {})
