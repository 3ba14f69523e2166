"""Log collection: run records out of the functions' logs into the control plane's record table.

For each log group of each allowed region it reads from the group's cursor on, less an overlap, since CloudWatch may
show an event some time after it happened; what the overlap reads again is written to the same item. It goes window
by window, the cursor following, so that a call that is cut off goes on where it was:

    cursor - overlap      cursor                             now
          |== read again ==|==== window ====|==== window ====|
                                            ^ cursor moves here, then here
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from caribou.collectors.logs import LogEvent, LogReader
from caribou.collectors.record_lines import record_in
from caribou.collectors.records import DAY_S, Cursor, RecordTable
from caribou.model.errors import InvalidRecordError, OperationFailedError
from caribou.model.names import DEFAULT_STAGE, WorkflowNames
from caribou.model.registration import Registration
from caribou.model.run.record import RunRecord

LATE_S = 600
"""How long after it happened an event may still appear in CloudWatch: mostly seconds, ten minutes to be safe."""

WINDOW_MS = DAY_S * 1000
BATCH = 500
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """What a log collection did.

    Log groups read, records found in them (again or new), lines that should hold a record and do not, with some
    examples, and the regions that failed, whose cursors stay where they were.
    """

    workflow: str
    log_groups: int = 0
    records: int = 0
    malformed: int = 0
    examples: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    def plus(self, other: CollectionReport) -> CollectionReport:
        """Both together."""
        return CollectionReport(
            workflow=self.workflow,
            log_groups=self.log_groups + other.log_groups,
            records=self.records + other.records,
            malformed=self.malformed + other.malformed,
            examples=(self.examples + other.examples)[:EXAMPLES],
            failures=self.failures + other.failures,
        )

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object, for a log or an answer."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LogCollection:
    """What it works with: the logs, the table, the stage, now (s since 1970), and how late events may be."""

    logs: LogReader
    table: RecordTable
    now_s: float
    stage: str = DEFAULT_STAGE
    late_s: float = LATE_S


def collect_logs(registration: Registration, work: LogCollection) -> CollectionReport:
    """Read what is new in a workflow's logs in all its regions. A region that fails is reported and stops no other."""
    report = CollectionReport(registration.workflow)
    for region in sorted({registration.home_region, *registration.regions}):
        try:
            report = report.plus(_collect_region(registration, region, work))
        except OperationFailedError as error:
            report = replace(report, failures=(*report.failures, str(error)))
    return report


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
    names = WorkflowNames(registration.workflow, work.stage)
    existing = work.logs.groups(region, names.log_group(""))
    report = CollectionReport(registration.workflow)
    for group in registration.log_groups(work.stage):
        if group in existing:
            report = report.plus(_collect_group(registration, _Group(region, group, existing[group]), work))
    return report


@dataclass(frozen=True, slots=True)
class _Group:
    region: str
    name: str
    made_ms: int


def _collect_group(registration: Registration, group: _Group, work: LogCollection) -> CollectionReport:
    report = CollectionReport(registration.workflow, log_groups=1)
    for start_ms, end_ms in _windows(_start_ms(registration, group, work), int(work.now_s * 1000)):
        events = work.logs.events(group.region, group.name, start_ms, end_ms)
        report = report.plus(_store(registration, events, work.table))
        work.table.put_cursor(Cursor(registration.workflow, group.region, group.name, end_ms))
    return report


def _start_ms(registration: Registration, group: _Group, work: LogCollection) -> int:
    """Where to read from: the cursor less the overlap, else the group's beginning, as far as logs are kept."""
    late_ms = int(work.late_s * 1000)
    cursor = work.table.cursor(registration.workflow, group.region, group.name)
    kept_ms = int((work.now_s - registration.log_retention_days * DAY_S) * 1000)
    beginning_ms = max(kept_ms, group.made_ms - late_ms, 0)
    return beginning_ms if cursor is None else max(beginning_ms, cursor.read_to_ms - late_ms)


def _windows(start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """The time from start to end in windows of a day; the last one ends at `end_ms`, however short."""
    while end_ms - start_ms > WINDOW_MS:
        yield start_ms, start_ms + WINDOW_MS
        start_ms += WINDOW_MS
    yield start_ms, end_ms


def _store(registration: Registration, events: Iterable[LogEvent], table: RecordTable) -> CollectionReport:
    """Write the events' records in batches, so that a day of many runs needs little memory."""
    tally = _Tally(registration.workflow)
    for event in events:
        for line in event.message.split("\n"):
            tally.take(line)
        if len(tally.batch) >= BATCH:
            table.put_records(tally.emptied(), registration.log_retention_days)
    table.put_records(tally.emptied(), registration.log_retention_days)
    return CollectionReport(
        registration.workflow, records=tally.records, malformed=tally.malformed, examples=tuple(tally.examples)
    )


@dataclass(slots=True)
class _Tally:
    """Counts of a log group's lines, and the records not yet written."""

    workflow: str
    records: int = 0
    malformed: int = 0
    examples: list[str] = field(default_factory=list)
    batch: list[RunRecord] = field(default_factory=list)

    def take(self, line: str) -> None:
        """Count a line, and keep its record if it is this workflow's."""
        try:
            record = record_in(line)
        except InvalidRecordError as error:
            self.malformed += 1
            self.examples = [*self.examples, str(error)][:EXAMPLES]
            return
        if record is not None and record.workflow == self.workflow:
            self.records += 1
            self.batch.append(record)

    def emptied(self) -> list[RunRecord]:
        """The batch, which begins anew."""
        batch, self.batch = self.batch, []
        return batch
