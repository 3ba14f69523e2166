"""Log collection: records out of logs into the table, once and all of them."""

import dataclasses
import json

import pytest
from botocore.exceptions import ClientError
from builders import graph_of

from caribou.collectors.log_collection import LATE_S, LogCollection, collect_logs, read_to
from caribou.collectors.logs import InMemoryLogReader, LogEvent, is_not_enabled
from caribou.collectors.record_lines import record_in
from caribou.collectors.records import DAY_S, InMemoryRecordTable
from caribou.collectors.registrations import InMemoryRegistry, registered, registration_of
from caribou.model.errors import InvalidInputError, InvalidRecordError
from caribou.model.names import WorkflowNames
from caribou.model.registration import Registration
from caribou.model.run.record import RECORD_KEY
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
    assert table.records("example") == records
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
    assert table.records("example") == records


def test_collection_when_history_is_long_then_it_is_read_window_by_window_as_far_as_logs_are_kept(logs, records):
    """29 days later all is found; 31 days later the logs are no longer kept, and nothing is asked for."""
    for days, found in ((29, 2), (31, 0)):
        table = InMemoryRecordTable()
        collect_logs(REGISTRATION, LogCollection(logs, table, records[1].started_at + days * DAY_S))
        assert len(table.records("example")) == found


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
    assert table.records("example") == records


def test_collection_when_a_region_fails_then_the_others_are_read_and_its_cursor_stays(logs, records):
    """What could not be read is reported, and read next time."""
    table, now_s = InMemoryRecordTable(), records[1].started_at + 60
    broken = dataclasses.replace(logs, broken=frozenset({"ca-central-1"}))
    report = collect_logs(REGISTRATION, LogCollection(broken, table, now_s))
    assert table.records("example") == records
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
    """A line of another workflow is none of ours."""
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
    with pytest.raises(InvalidInputError, match=r"registered: other.*cdk deploy Workflow-example"):
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
