"""Log collection: records out of logs into the table, once and all of them."""

import dataclasses
import json
import socket
import time

import boto3
import pytest
from botocore.exceptions import ClientError
from builders import graph_of
from waiting import BACKSTOP_S

from caribou.collectors.handlers import collect_all, turned
from caribou.collectors.log_collection import LATE_S, LogCollection, collect_logs, read_to
from caribou.collectors.logs import CloudWatchLogReader, InMemoryLogReader, LogEvent, is_not_enabled
from caribou.collectors.record_lines import record_in
from caribou.collectors.records import DAY_S, Cursor, InMemoryRecordTable
from caribou.collectors.registrations import InMemoryRegistry, registered, registration_of
from caribou.collectors.ties import SKEW_S
from caribou.model.errors import InvalidInputError, InvalidRecordError, OperationFailedError, SilentRegionError
from caribou.model.names import WorkflowNames
from caribou.model.registration import Registration
from caribou.model.run.record import RECORD_KEY, Outcome, SuccessorRecord
from caribou.runtime.record_log import record_line

REGISTRATION = Registration(
    workflow="example",
    version="0.0.1",
    home_region="us-east-1",
    regions=("us-east-1", "ca-central-1"),
    functions=("A", "B"),
    log_retention_days=30,
)
GROUP_A, GROUP_B = REGISTRATION.log_groups("dev")


def line_of(record):
    """A line as the runtime writes it."""
    return record_line(record).decode().rstrip()


def event_of(record, delay_s=0.0):
    """A record's log event, written when the node had ended."""
    written = record.started_at + record.duration_s + delay_s
    return LogEvent(round(written * 1000), line_of(record))


@pytest.fixture
def records(make):
    """The records of a run of A and B."""
    return make.simulate(graph_of({"A": "B"}, name="example"))


@pytest.fixture
def logs(records):
    """A's and B's log groups at home, with the run's records among other lines."""
    noise = LogEvent(round(records[0].started_at * 1000), "START RequestId: 1")
    return InMemoryLogReader(
        {
            ("us-east-1", GROUP_A): [noise, event_of(records[0])],
            ("us-east-1", GROUP_B): [event_of(records[1])],
        }
    )


def test_collection_when_run_then_every_record_is_in_the_table(logs, records):
    """Both functions' records, in the order of time; a region without log groups is passed over."""
    table = InMemoryRecordTable()
    report = collect_logs(REGISTRATION, LogCollection(logs, table, records[1].started_at + 60))
    assert table.read("example").records == records
    assert (report.log_groups, report.records, report.malformed, report.failures) == (2, 2, 0, ())


def test_collection_when_run_twice_then_nothing_changes(logs, records):
    """The second one reads the overlap again and writes the same items."""
    table, now_s = InMemoryRecordTable(), records[1].started_at + 60
    collect_logs(REGISTRATION, LogCollection(logs, table, now_s))
    before = dict(table.items)
    report = collect_logs(REGISTRATION, LogCollection(logs, table, now_s))
    assert table.items == before
    assert report.records == 2  # read again, not new


def test_collection_when_an_event_appears_late_then_the_overlap_finds_it(logs, records):
    """CloudWatch may show an event after a later one was read: the next collection looks back."""
    table, now_s = InMemoryRecordTable(), records[1].started_at + 60
    late = logs.content.pop(("us-east-1", GROUP_B))
    logs.content["us-east-1", GROUP_B] = []
    collect_logs(REGISTRATION, LogCollection(logs, table, now_s))
    logs.content["us-east-1", GROUP_B] = late
    collect_logs(REGISTRATION, LogCollection(logs, table, now_s + LATE_S / 2))
    assert table.read("example").records == records


def test_collection_when_history_is_long_then_it_is_read_window_by_window_as_far_as_logs_are_kept(logs, records):
    """29 days later all is found; 31 days later the logs are no longer kept, and nothing is asked for."""
    for days, found in ((29, 2), (31, 0)):
        table = InMemoryRecordTable()
        collect_logs(REGISTRATION, LogCollection(logs, table, records[1].started_at + days * DAY_S))
        assert len(table.read("example").records) == found


def test_collection_when_lines_are_broken_then_they_are_counted_and_the_others_kept(logs, records):
    """A truncated line or a record of another schema is reported, and stops nothing."""
    at = round(records[0].started_at * 1000)
    other = json.dumps({RECORD_KEY: {**records[0].to_json(), "schema": "caribou.record/99"}})
    broken = [LogEvent(at, line_of(records[0])[:200]), LogEvent(at, other)]
    logs.content["us-east-1", GROUP_A] = [*broken, event_of(records[0])]
    table = InMemoryRecordTable()
    report = collect_logs(REGISTRATION, LogCollection(logs, table, records[1].started_at + 60))
    assert (report.records, report.malformed) == (2, 2)
    assert "schema" in report.examples[1]
    assert table.read("example").records == records


def test_collection_when_a_region_fails_then_the_others_are_read_and_its_cursor_stays(logs, records):
    """What could not be read is reported, and read next time."""
    table, now_s = InMemoryRecordTable(), records[1].started_at + 60
    broken = dataclasses.replace(logs, broken=frozenset({"ca-central-1"}))
    report = collect_logs(REGISTRATION, LogCollection(broken, table, now_s))
    assert table.read("example").records == records
    assert len(report.failures) == 1
    assert "ca-central-1" in report.failures[0]


def test_read_to_when_groups_were_read_then_it_is_the_earliest_cursor_and_none_if_one_never_was(logs, records):
    """A region can be retired when log collection has read all its groups past the last moment of use."""
    table, now_s = InMemoryRecordTable(), records[1].started_at + 60
    assert read_to(table, "example", "us-east-1", (GROUP_A, GROUP_B)) is None
    collect_logs(REGISTRATION, LogCollection(logs, table, now_s))
    assert read_to(table, "example", "us-east-1", (GROUP_A, GROUP_B)) == pytest.approx(now_s, abs=0.001)
    assert read_to(table, "example", "ca-central-1", (GROUP_A,)) is None


def test_records_when_another_workflow_logs_into_a_group_then_its_records_are_left_there(logs, records):
    """A line of another workflow is none of ours, and is counted."""
    alien = dataclasses.replace(records[0], workflow="other")
    logs.content["us-east-1", GROUP_A] = [event_of(alien), event_of(records[0])]
    table = InMemoryRecordTable()
    assert collect_logs(REGISTRATION, LogCollection(logs, table, records[1].started_at + 60)).records == 2
    assert {workflow for workflow, _ in table.items} == {"example"}


@pytest.mark.parametrize(
    "wrapped",
    [
        line_of,
        lambda record: "{50 %} " + line_of(record),
        lambda record: line_of(record) + "user's own, without an end of the line before it",
        lambda record: json.dumps({"level": "INFO", "message": "node", RECORD_KEY: record.to_json()}),
        lambda record: json.dumps({"level": "INFO", "message": {RECORD_KEY: record.to_json()}}),
        lambda record: json.dumps({"timestamp": "2026-01-01T00:00:00Z", "level": "INFO", "message": line_of(record)}),
        lambda record: json.dumps({"message": "50 % " + line_of(record) + "\n", "requestId": "r"}),
    ],
)
def test_record_in_a_line_when_wrapped_as_lambda_may_then_it_is_found(records, wrapped):
    """Alone, beside user code's text, as earlier versions wrote it, inside `message`, or as text inside it."""
    assert record_in(wrapped(records[0])) == records[0]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "START RequestId: 1",
        '{"message": "no record"}',
        '{"x": {"caribou_record": 1}}',
        'what is a "caribou_record"?',
        json.dumps({"message": 'what is a "caribou_record"?'}),
    ],
)
def test_record_in_a_line_when_it_holds_none_then_it_is_passed_over(line):
    """Other lines are user's own."""
    assert record_in(line) is None


@pytest.mark.parametrize(
    "change", [{"duration_s": -1}, {"started_at": "now"}, {"cpu_s": float("nan")}, {"successors": [{"edge": "A#0"}]}]
)
def test_record_in_a_line_when_a_number_is_impossible_then_it_is_an_error(records, change):
    """What arithmetic would choke on later is refused at the border."""
    line = json.dumps({RECORD_KEY: {**records[0].to_json(), **change}})
    with pytest.raises(InvalidRecordError):
        record_in(line)


def test_registrations_when_one_is_broken_then_the_others_are_found_and_it_is_named():
    """A parameter that is no registration stops nobody else."""
    names = WorkflowNames("example")
    registry = InMemoryRegistry(
        {names.registration: json.dumps(REGISTRATION.to_json()), "/caribou/dev/workflows/broken": "{"}
    )
    found, wrong = registered(registry)
    assert found == [REGISTRATION]
    assert len(wrong) == 1
    assert "/caribou/dev/workflows/broken" in wrong[0]


def test_registration_when_the_workflow_is_not_deployed_then_the_error_says_how_to_deploy_it():
    """And which ones are."""
    registry = InMemoryRegistry({"/caribou/dev/workflows/other": "{}"})
    with pytest.raises(InvalidInputError, match=r"registered: other.*caribou deploy example"):
        registration_of(registry, "example")


def test_registration_when_of_another_schema_then_the_error_says_so():
    """A later version's registration is not guessed at."""
    text = json.dumps({**REGISTRATION.to_json(), "schema": "caribou.registration/2"})
    with pytest.raises(InvalidInputError, match="another schema"):
        registration_of(InMemoryRegistry({"/caribou/dev/workflows/example": text}), "example")


@pytest.mark.parametrize(("code", "skipped"), [("UnrecognizedClientException", True), ("ThrottlingException", False)])
def test_region_when_it_refuses_us_then_it_is_passed_over_only_if_it_was_not_enabled(code, skipped):
    """A region that has to be opted in to answers as to a stranger; a busy one is a failure."""
    error = ClientError({"Error": {"Code": code}}, "DescribeLogGroups")
    assert is_not_enabled(error) is skipped


def test_collection_when_the_same_line_stands_in_anothers_log_then_it_is_refused_and_counted(records):
    """A function can't speak for another one, in another region, for another workflow, or of another time."""
    mine = records[0]
    a_home, a_away = ("us-east-1", GROUP_A), ("ca-central-1", GROUP_A)
    at_2036 = dataclasses.replace(mine, started_at=mine.started_at + 10 * 365 * DAY_S)
    logs = InMemoryLogReader(
        {
            a_home: [
                event_of(mine),
                event_of(records[1]),
                event_of(dataclasses.replace(mine, workflow="other")),
                LogEvent(event_of(mine).timestamp_ms, line_of(at_2036)),
                event_of(mine, delay_s=SKEW_S + 1),
            ],
            a_away: [event_of(mine)],
        }
    )
    table = InMemoryRecordTable()
    report = collect_logs(REGISTRATION, LogCollection(logs, table, mine.started_at + 3600))
    assert table.read("example").records == [mine]
    assert report.refused == {
        "of another function than their log": 1,
        "of another workflow than their log": 1,
        "of another time than their log event": 2,
        "of another region than their log": 1,
    }
    assert "2 records of another time than their log event" in report.passed_over[0]


def test_collection_when_the_table_does_not_take_a_record_then_it_is_counted_and_the_others_are_kept(logs, records):
    """One of 5,000 calls is larger than an item: it is malformed, as a broken line is."""
    many = tuple(SuccessorRecord(f"A#{i}", "B", None, Outcome.SKIPPED, 0, 1.0, 0.0) for i in range(5_000))
    large = dataclasses.replace(records[0], run_id="large", successors=many)
    plain = json.dumps({RECORD_KEY: large.to_json()})
    logs.content["us-east-1", GROUP_A] = [dataclasses.replace(event_of(large), message=plain), event_of(records[0])]
    table = InMemoryRecordTable()
    report = collect_logs(REGISTRATION, LogCollection(logs, table, records[1].started_at + 60))
    assert (report.records, report.malformed) == (2, 1)
    assert "400 KB" in report.examples[0]
    assert table.read("example").records == records


def test_collection_when_one_log_group_fails_then_the_others_of_its_region_are_read(logs, records):
    """A refusal is of one log group; silence is of a region."""

    class Refusing(InMemoryLogReader):
        def events(self, region, log_group, start_ms, end_ms, *, also=""):
            if log_group == GROUP_A:
                raise OperationFailedError("Access denied")
            return super().events(region, log_group, start_ms, end_ms, also=also)

    table = InMemoryRecordTable()
    report = collect_logs(REGISTRATION, LogCollection(Refusing(logs.content), table, records[1].started_at + 60))
    assert table.read("example").records == records[1:]
    assert report.failures == ("us-east-1: not known what was logged there: Access denied",)
    assert table.cursor("example", "us-east-1", GROUP_A) is None


def test_collection_when_a_region_is_silent_then_it_is_asked_once_and_said_to_be_not_known(logs, records):
    """Each further question would be waited for in vain."""

    class Silent(InMemoryLogReader):
        asked = 0

        def events(self, *_, **__):
            type(self).asked += 1
            raise SilentRegionError("no answer")

    report = collect_logs(
        REGISTRATION, LogCollection(Silent(logs.content), InMemoryRecordTable(), records[1].started_at + 60)
    )
    assert Silent.asked == 1
    assert report.failures == ("us-east-1: not known what was logged there: no answer",)


def test_collection_when_time_is_up_within_a_log_group_then_the_next_one_goes_on_there(make, monkeypatch):
    """What was read is kept, the cursor says how far; nothing is read beyond, and nothing is lost."""
    monkeypatch.setattr("caribou.collectors.log_collection.BATCH", 10)
    graph = graph_of({"A": ""}, name="example")
    records = [make.simulate(graph, f"r{i:03}", started_at=make.START + 100 * i)[0] for i in range(50)]
    logs = InMemoryLogReader({("us-east-1", GROUP_A): [event_of(record) for record in records]})
    table, now_s, unfinished = InMemoryRecordTable(), records[-1].started_at + 60, []
    table.put_cursor(Cursor("example", "us-east-1", GROUP_A, make.START * 1000))
    for _ in range(10):
        answers = iter([True, True, False])  # as long as two batches take
        work = LogCollection(logs, table, now_s, may_go_on=lambda answers=answers: next(answers))
        report = collect_logs(REGISTRATION, work)
        unfinished.append(report.unfinished)
        if not report.unfinished:
            break
    assert unfinished[0] == 1
    assert unfinished[-1] == 0
    assert table.read("example").records == records
    assert read_to(table, "example", "us-east-1", (GROUP_A,)) == pytest.approx(now_s, abs=0.001)


def test_collection_when_there_is_no_time_at_all_then_nothing_is_asked_and_the_cursor_stays(logs, records):
    """Also not to where the overlap begins."""
    table, now_s = InMemoryRecordTable(), records[1].started_at + 60
    collect_logs(REGISTRATION, LogCollection(logs, table, now_s))
    report = collect_logs(REGISTRATION, LogCollection(logs, table, now_s + 60, may_go_on=lambda: False))
    assert (report.unfinished, report.records) == (2, 0)
    assert "collect again to go on" in report.passed_over[0]
    assert read_to(table, "example", "us-east-1", (GROUP_A, GROUP_B)) == pytest.approx(now_s, abs=0.001)


def test_turned_when_an_hour_passes_then_another_workflow_is_the_first():
    """The one that is last when time is up is not always the same."""
    three = [dataclasses.replace(REGISTRATION, workflow=name) for name in "abc"]
    assert ["".join(r.workflow for r in turned(three, hour)) for hour in range(4)] == ["abc", "bca", "cab", "abc"]
    assert turned([], 5) == []


@pytest.mark.parametrize(
    "change",
    [
        {"log_retention_days": 1e400},
        {"log_retention_days": True},
        {"log_retention_days": 0},
        {"regions": "us-east-1"},
        {"regions": ["us-east-1", None]},
        {"functions": {"A": 1}},
        {"functions": ["A/../B"]},
        {"workflow": ["example"]},
        {"workflow": "other"},
        {"version": "\ud800"},
        {"schema": [[]]},
    ],
)
def test_registration_when_a_field_has_another_shape_then_it_is_a_warning_that_names_the_parameter(change):
    """The others are found all the same."""
    names = WorkflowNames("example"), WorkflowNames("good")
    good = dataclasses.replace(REGISTRATION, workflow="good")
    wrong = json.dumps({**REGISTRATION.to_json(), **change})
    registry = InMemoryRegistry({names[0].registration: wrong, names[1].registration: json.dumps(good.to_json())})
    found, warnings = registered(registry)
    assert found == [good]
    assert len(warnings) == 1
    assert warnings[0].startswith(names[0].registration)
    assert len(warnings[0]) < 400


def test_collectors_when_one_workflow_can_t_be_collected_then_the_others_are_and_it_is_said(logs, records):
    """Whatever goes wrong with one."""

    class Fragile(InMemoryRecordTable):
        def cursor(self, workflow, region, log_group):
            if workflow == "bad":
                raise ZeroDivisionError("never thought of")
            return super().cursor(workflow, region, log_group)

    bad = dataclasses.replace(REGISTRATION, workflow="bad")
    logs.content["us-east-1", bad.log_groups("dev")[0]] = []
    work = LogCollection(logs, Fragile(), records[1].started_at + 60)
    reports = collect_all([bad, REGISTRATION], work, time.monotonic() + BACKSTOP_S)
    assert [report.records for report in reports] == [0, 2]
    assert "never thought of" in reports[0].failures[0]


def test_collectors_when_there_is_little_time_then_each_workflow_has_its_share(logs, records):
    """The first one may not take all of it; with none left, all say that they are not done."""
    work = LogCollection(logs, InMemoryRecordTable(), records[1].started_at + 60)
    reports = collect_all([REGISTRATION, REGISTRATION], work, time.monotonic() - 1)
    assert [report.unfinished for report in reports] == [2, 2]


def test_log_reader_when_a_region_takes_no_connection_then_it_is_silent_and_not_only_a_log_group(monkeypatch):
    """Whoever reads its logs gives it up at once, and says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "none")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        with pytest.raises(SilentRegionError, match="ca-central-1"):
            CloudWatchLogReader().groups("ca-central-1", "/aws/lambda/")
