"""A log collection that is cut off anywhere, and goes on later, ends with the same bytes as one that never was."""

import contextlib
import dataclasses
import json
import threading
from collections import Counter

import pytest
from builders import graph_of
from hypothesis import given, settings
from hypothesis import strategies as st
from run_records import START, simulate
from waiting import BACKSTOP_S

from caribou.collectors.log_collection import LATE_S, LogCollection, collect_logs
from caribou.collectors.logs import InMemoryLogReader, LogEvent
from caribou.collectors.records import InMemoryRecordTable
from caribou.model.errors import OperationFailedError, SilentRegionError
from caribou.model.registration import Registration
from caribou.runtime.record_log import record_line

REGIONS = ("us-east-1", "ca-central-1", "eu-west-1")
REGISTRATION = Registration("example", "0.0.1", "us-east-1", REGIONS, ("A", "B"), 30)
GROUPS = dict(zip(REGISTRATION.functions, REGISTRATION.log_groups("dev"), strict=True))
GRAPH = graph_of({"A": "B"}, name="example")
RUNS, APART_S = 60, 1_800.0
END_S = START + RUNS * APART_S + LATE_S


class Killed(BaseException):
    """What nothing catches, as when Lambda ends a process."""


@dataclasses.dataclass
class Faults:
    """Raises at the n-th of all calls, whichever they are."""

    error: BaseException | None = None
    after: int = 0
    calls: Counter = dataclasses.field(default_factory=Counter)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def meet(self, what):
        """Count a call, and raise if it is the one; from then on each, if that is a kill."""
        with self.lock:
            self.calls[what] += 1
            self.after -= 1
            due = self.after == 0 or (self.after < 0 and isinstance(self.error, Killed))
        if due and self.error is not None:
            raise self.error


@dataclasses.dataclass(frozen=True, slots=True)
class Visible(InMemoryLogReader):
    """Logs of which an event appears some seconds after it happened, in pages of three; each is a call."""

    seen_at_s: dict[LogEvent, float] = dataclasses.field(default_factory=dict)
    now_s: float = END_S
    faults: Faults = dataclasses.field(default_factory=Faults)

    def groups(self, region, prefix):
        """The log groups."""
        self.faults.meet("groups")
        return InMemoryLogReader.groups(self, region, prefix)

    def events(self, region, log_group, start_ms, end_ms, *, also=""):
        """Events that have appeared."""
        for number, event in enumerate(InMemoryLogReader.events(self, region, log_group, start_ms, end_ms, also=also)):
            if number % 3 == 0:
                self.faults.meet("page")
            if self.seen_at_s[event] <= self.now_s:
                yield event


@dataclasses.dataclass(frozen=True, slots=True)
class Fragile(InMemoryRecordTable):
    """A table that may fail in the middle of a batch, and at a cursor."""

    faults: Faults = dataclasses.field(default_factory=Faults)

    def put_records(self, records, keep_days):
        """Write one by one."""
        refused = []
        for record in records:
            self.faults.meet("record")
            refused += InMemoryRecordTable.put_records(self, [record], keep_days)
        return refused

    def cursor(self, workflow, region, log_group):
        """Read a cursor."""
        self.faults.meet("cursor")
        return InMemoryRecordTable.cursor(self, workflow, region, log_group)

    def put_cursor(self, cursor):
        """Write a cursor."""
        self.faults.meet("put cursor")
        InMemoryRecordTable.put_cursor(self, cursor)


def logged(late_s):
    """Runs of A, home and away, with lines that are torn, foreign, wrapped and user's own between them."""
    content = {(region, group): [] for region in REGIONS for group in GROUPS.values()}
    seen_at_s = {}
    for number in range(RUNS):
        region = REGIONS[number % 3]
        for record in simulate(GRAPH, f"r{number}", regions={"B": region}, started_at=START + number * APART_S):
            line = record_line(record).decode()
            foreign = record_line(dataclasses.replace(record, workflow="other")).decode()
            lines = [json.dumps({"message": line}) if number % 2 else line, "user's own", line[: 40 + number], foreign]
            written_s = record.started_at + record.duration_s
            for i, message in enumerate(lines):
                event = LogEvent(round(written_s * 1000) + i, message)
                content[record.region, GROUPS[record.node]].append(event)
                seen_at_s[event] = written_s + late_s[number % len(late_s)]
    for events in content.values():
        events.sort(key=lambda event: event.timestamp_ms)
    return content, seen_at_s


def content_of(table):
    """A table's bytes."""
    return json.dumps(sorted(table.items.items())).encode()


ERRORS = st.sampled_from([OperationFailedError("no"), SilentRegionError("silent"), Killed(), None])


CUTS = st.lists(st.tuples(ERRORS, st.integers(1, 250), st.integers(0, 40)), max_size=8)
LATE = st.lists(st.floats(0, LATE_S - 1), min_size=1, max_size=4)


def cut_off(cuts, late_s):
    """A table, and a report of the last collection, after some that were cut off; and a table of one that was not."""
    content, seen_at_s = logged(late_s)
    whole = InMemoryRecordTable()
    collect_logs(REGISTRATION, LogCollection(Visible(content, seen_at_s=seen_at_s), whole, END_S))
    table = Fragile()
    for i, (error, after, turns) in enumerate(cuts, 1):
        faults = Faults(error, after)
        reader = Visible(content, seen_at_s=seen_at_s, now_s=START + i * (END_S - START) / 9, faults=faults)
        left = iter(range(turns))
        work = LogCollection(
            reader, Fragile(table.items, faults), reader.now_s, may_go_on=lambda left=left: next(left, None) is not None
        )
        with contextlib.suppress(OperationFailedError, Killed):
            collect_logs(REGISTRATION, work)
    report = collect_logs(REGISTRATION, LogCollection(Visible(content, seen_at_s=seen_at_s), table, END_S))
    return table, report, whole


def must_be_whole(cuts, late_s):
    """Errors and kills at any call of reader or table, ends of time after any batch; events appear late meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caribou.collectors.log_collection.BATCH", 4)
        table, report, whole = cut_off(cuts, late_s)
    assert (report.failures, report.unfinished) == ((), 0)
    assert content_of(table) == content_of(whole)
    assert len(table.read("example").records) == 2 * RUNS


@settings(deadline=None, max_examples=10)
@given(cuts=CUTS, late_s=LATE)
def test_collection_when_cut_off_anywhere_then_it_ends_with_the_bytes_of_one_that_never_was(cuts, late_s):
    """Ten times quickly."""
    must_be_whole(cuts, late_s)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(cuts=CUTS, late_s=LATE)
def test_collection_when_cut_off_anywhere_a_hundred_times_then_it_ends_with_the_same_bytes(cuts, late_s):
    """The same, more often."""
    must_be_whole(cuts, late_s)


def test_collection_when_it_is_killed_then_the_next_one_goes_on_where_it_was(monkeypatch):
    """Batch by batch, not from the window's beginning: a day may hold more than a process has time for."""
    monkeypatch.setattr("caribou.collectors.log_collection.BATCH", 4)
    content, seen_at_s = logged([0.0])
    table, pages = InMemoryRecordTable(), []
    for after in (60, 0):
        faults = Faults(Killed() if after else None, after)
        work = LogCollection(Visible(content, seen_at_s=seen_at_s, faults=faults), table, END_S)
        if after:
            with pytest.raises(Killed):
                collect_logs(REGISTRATION, work)
        else:
            collect_logs(REGISTRATION, work)
        pages.append(faults.calls["page"])
    again = Faults()
    collect_logs(
        REGISTRATION,
        LogCollection(Visible(content, seen_at_s=seen_at_s, faults=again), InMemoryRecordTable(), END_S),
    )
    assert pages[1] < again.calls["page"]
    assert len(table.read("example").records) == 2 * RUNS


def test_collection_when_regions_are_many_then_they_are_read_beside_each_other_and_a_dead_one_holds_up_none():
    """All are asked before any has answered; the one that does not answer is said."""
    meeting = threading.Barrier(len(REGIONS))

    class Meeting(InMemoryLogReader):
        def groups(self, region, prefix):
            meeting.wait(BACKSTOP_S)
            if region == "eu-west-1":
                raise SilentRegionError("eu-west-1 does not answer")
            return super().groups(region, prefix)

    content, _ = logged([0.0])
    table = InMemoryRecordTable()
    report = collect_logs(REGISTRATION, LogCollection(Meeting(content), table, END_S))
    assert report.failures == ("eu-west-1: not known what was logged there: eu-west-1 does not answer",)
    assert {record.region for record in table.read("example").records} == {"us-east-1", "ca-central-1"}
