"""Log collection: run records out of the functions' logs into the control plane's record table.

For each log group of each allowed region it reads from the group's cursor on, less an overlap, since CloudWatch may
show an event some time after it happened; what the overlap reads again is written to the same item. It goes window
by window and batch by batch, the cursor following, so that a call that is cut off goes on where it was:

    cursor - overlap      cursor                             now
          |== read again ==|==== window ====|==== window ====|
                              ^  ^  ^  ^  ^ ^ the cursor moves here, then here

Regions are read beside each other. One that is silent is given up at its first log group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import reduce

from caribou.collectors.collection_report import EXAMPLES, CollectionReport, example
from caribou.collectors.logs import LogEvent, LogReader
from caribou.collectors.record_lines import record_in
from caribou.collectors.records import DAY_S, Cursor, RecordTable
from caribou.collectors.ties import Log
from caribou.model.errors import InvalidRecordError, OperationFailedError, SilentRegionError
from caribou.model.names import DEFAULT_STAGE, WorkflowNames
from caribou.model.registration import Registration
from caribou.model.run.record import RunRecord

LATE_S = 600
"""How long after it happened an event may still appear in CloudWatch: mostly seconds, ten minutes to be safe."""

WINDOW_MS = DAY_S * 1000
BATCH = 500
REGIONS_AT_ONCE = 8


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class LogCollection:
    """What it works with: the logs, the table, the stage, now (s since 1970), and how late events may be.

    Once `may_go_on` says no, what is left is left to the next collection.
    """

    logs: LogReader
    table: RecordTable
    now_s: float
    stage: str = DEFAULT_STAGE
    late_s: float = LATE_S
    may_go_on: Callable[[], bool] = _always


def collect_logs(registration: Registration, work: LogCollection) -> CollectionReport:
    """Read what is new in a workflow's logs in all its regions. A region that fails is reported and stops no other."""
    regions = sorted({registration.home_region, *registration.regions})
    with ThreadPoolExecutor(REGIONS_AT_ONCE) as threads:
        reports = threads.map(lambda region: _collect_region(registration, region, work), regions)
        return reduce(CollectionReport.plus, reports, CollectionReport(registration.workflow))


def read_to(table: RecordTable, workflow: str, region: str, log_groups: Iterable[str]) -> float | None:
    """Up to when (s since 1970) all these log groups of a region were read; None if one never was.

    Everything logged before that, less `LATE_S`, is in the table. A region may be retired once this is later than the
    last moment at which its functions can have logged, by `LATE_S`.
    """
    cursors = [table.cursor(workflow, region, group) for group in log_groups]
    if not cursors or None in cursors:
        return None
    return min(cursor.read_to_ms for cursor in cursors if cursor) / 1000


def _collect_region(registration: Registration, region: str, work: LogCollection) -> CollectionReport:
    report = CollectionReport(registration.workflow)
    try:
        for group in _groups(registration, region, work):
            report = report.plus(_collect_group(group, work))
    except OperationFailedError as error:
        report = report.plus(_failed(registration.workflow, region, error))
    return report


@dataclass(frozen=True, slots=True)
class _Group:
    """A log group that is there: whose log it is, from when on it may be read, and how long records are kept."""

    log: Log
    begins_ms: int
    keep_days: int


def _groups(registration: Registration, region: str, work: LogCollection) -> Iterator[_Group]:
    names = WorkflowNames(registration.workflow, work.stage)
    existing = work.logs.groups(region, names.log_group(""))
    kept_ms = int((work.now_s - registration.log_retention_days * DAY_S) * 1000)
    for function in registration.functions:
        if (name := names.log_group(function)) in existing:
            begins_ms = max(kept_ms, existing[name] - int(work.late_s * 1000), 0)
            log = Log(registration.workflow, function, region, name)
            yield _Group(log, begins_ms, registration.log_retention_days)


def _collect_group(group: _Group, work: LogCollection) -> CollectionReport:
    """Read a log group on. Raises SilentRegionError; what else fails is reported, and stops no other log group."""
    tally = _Tally(group, work.table)
    log = group.log
    try:
        tally.is_whole = _read_on(group, tally, work)
    except SilentRegionError:
        raise
    except OperationFailedError as error:
        return tally.report().plus(_failed(log.workflow, log.region, error))
    return tally.report()


def _failed(workflow: str, region: str, error: OperationFailedError) -> CollectionReport:
    return CollectionReport(workflow, failures=(f"{region}: not known what was logged there: {example(error)}",))


def _read_on(group: _Group, tally: _Tally, work: LogCollection) -> bool:
    """Read a group window by window, its cursor following; whether it was read to its end."""
    log = group.log
    cursor = work.table.cursor(log.workflow, log.region, log.name)
    before_ms = -1 if cursor is None else cursor.read_to_ms
    start_ms = max(group.begins_ms, before_ms - int(work.late_s * 1000))

    def move(read_to_ms: int) -> None:
        if read_to_ms > before_ms:  # else it is still in the overlap
            work.table.put_cursor(Cursor(log.workflow, log.region, log.name, read_to_ms))

    for first_ms, last_ms in _windows(start_ms, int((work.now_s - work.logs.behind_s) * 1000)):
        if not work.may_go_on():
            return False
        events = work.logs.events(log.region, log.name, first_ms, last_ms)
        if not tally.take_all(events, move, work.may_go_on):
            return False
        move(last_ms)
    return True


def _windows(start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """The time from start to end in windows of a day; the last one ends at `end_ms`, however short; none before it."""
    while end_ms - start_ms > WINDOW_MS:
        yield start_ms, start_ms + WINDOW_MS
        start_ms += WINDOW_MS
    if start_ms <= end_ms:
        yield start_ms, end_ms


@dataclass(slots=True)
class _Tally:
    """Counts of a log group's lines, and the records not yet written: in batches, so that they need little memory."""

    group: _Group
    table: RecordTable
    is_whole: bool = True
    records: int = 0
    malformed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    batch: list[RunRecord] = field(default_factory=list)

    def take_all(
        self, events: Iterable[LogEvent], reached: Callable[[int], None], may_go_on: Callable[[], bool]
    ) -> bool:
        """Keep the records of events, which come in the order of time; whether it got to their end.

        `reached` is called with the time (ms) up to which records are in the table: there the next collection goes on.
        """
        for event in events:
            for line in event.message.split("\n"):
                self._take(line, event.timestamp_ms / 1000)
            if len(self.batch) >= BATCH:
                self._write()
                reached(event.timestamp_ms)
                if not may_go_on():
                    return False
        self._write()
        return True

    def report(self) -> CollectionReport:
        """What was counted."""
        return CollectionReport(
            workflow=self.group.log.workflow,
            log_groups=1,
            unfinished=int(not self.is_whole),
            records=self.records,
            malformed=self.malformed,
            refused=dict(self.refused),
            examples=tuple(self.examples),
        )

    def _take(self, line: str, written_s: float) -> None:
        """Count a line, and keep its record if it is this log's."""
        try:
            record = record_in(line)
        except InvalidRecordError as error:
            self._pass_over(str(error))
            return
        if record is None:
            return
        if reason := self.group.log.refusal(record, written_s):
            self.refused[reason] += 1
            return
        self.records += 1
        self.batch.append(record)

    def _write(self) -> None:
        """Write the batch, which begins anew."""
        not_taken = self.table.put_records(self.batch, self.group.keep_days)
        self.batch = []
        self.records -= len(not_taken)
        for why in not_taken:
            self._pass_over(why)

    def _pass_over(self, why: str) -> None:
        self.malformed += 1
        self.examples = [*self.examples, example(why)][:EXAMPLES]
