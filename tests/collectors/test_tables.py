"""The tables' contract, kept by the forms in memory and, in the local cloud, by DynamoDB, CloudWatch Logs and SSM."""

import dataclasses
import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest
from builders import graph_of
from waiting import BACKSTOP_S

from caribou.collectors import handlers
from caribou.collectors.bodies import KINDS, CarbonBody
from caribou.collectors.chain import collect
from caribou.collectors.facts import DynamoFactTable, Fact, InMemoryFactTable, fact_in, read_facts
from caribou.collectors.item_limits import refusal
from caribou.collectors.log_collection import LogCollection, collect_logs, read_to
from caribou.collectors.logs import CloudWatchLogReader
from caribou.collectors.record_lines import parse_record, read_record_lines, write_record_lines
from caribou.collectors.records import RUN_RECORDS, Cursor, DynamoRecordTable, InMemoryRecordTable, record_item
from caribou.collectors.registrations import SsmRegistry, registration_of
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.registry import DEFAULT_SOURCE, sources_of
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.model.errors import InvalidInputError, InvalidRecordError
from caribou.model.names import WorkflowNames
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.registration import ControlNames, Registration
from caribou.model.run.record import RECORD_KEY, Outcome, SuccessorRecord

CONTROL = "us-west-2"
MANY = tuple(SuccessorRecord(f"A#{i}", "B" * 50, None, Outcome.SENT, 0, 1.0, 0.0) for i in range(5_000))
"""Calls that make a record larger than an item may be."""
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT = "424242424242"


@pytest.fixture
def cloud(local_cloud, led_to):
    """An account of its own in the local cloud, with what boto3 reads from the environment set to it."""
    return led_to(local_cloud.as_account(ACCOUNT), region=CONTROL)


def made_table(name, keys):
    """A new table with a partition and a sort key."""
    client = boto3.client("dynamodb", region_name=CONTROL)
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": keys[0], "KeyType": "HASH"}, {"AttributeName": keys[1], "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": int(BACKSTOP_S)})
    return name


@pytest.fixture(params=["memory", pytest.param("cloud", marks=pytest.mark.local_cloud)])
def fact_table(request):
    """A fact table of each form."""
    if request.param == "memory":
        yield InMemoryFactTable()
        return
    request.getfixturevalue("cloud")
    name = made_table(ControlNames("contract").fact_table, ("kind", "region"))
    yield DynamoFactTable(name, CONTROL)
    boto3.client("dynamodb", region_name=CONTROL).delete_table(TableName=name)


@pytest.fixture(params=["memory", pytest.param("cloud", marks=pytest.mark.local_cloud)])
def record_table(request):
    """A record table of each form."""
    if request.param == "memory":
        yield InMemoryRecordTable()
        return
    request.getfixturevalue("cloud")
    name = made_table(ControlNames("contract").record_table, ("workflow", "id"))
    yield DynamoRecordTable(name, CONTROL)
    boto3.client("dynamodb", region_name=CONTROL).delete_table(TableName=name)


def test_fact_table_when_facts_are_collected_then_they_are_read_back_whole(fact_table):
    """Every figure survives, floats included."""
    for kind in KINDS:
        assert len(collect(sources_of(kind, [DEFAULT_SOURCE], {}, KeyRing("")), fact_table, NOW).facts) == len(
            KNOWN_REGIONS
        )
    assert read_facts(fact_table) == packaged_facts(NOW)


def test_fact_table_when_collected_again_then_the_newer_fact_stands(fact_table):
    """One fact a kind and region."""
    for average in (1.0, 2.0):
        fact_table.put([Fact("us-east-1", CarbonBody(average, (average,) * 24), "test", NOW)])
    (fact,) = fact_table.of_kind(CarbonBody)
    assert fact.body.average == 2.0


def test_fact_when_an_item_is_none_then_the_error_says_what_to_run():
    """A damaged item is no traceback."""
    with pytest.raises(InvalidInputError, match="data_collect carbon"):
        fact_in({"kind": "carbon", "region": "us-east-1", "body": "{"}, CarbonBody)


def test_record_table_when_the_same_records_are_written_twice_then_they_are_there_once(record_table, make):
    """The overlap of two collections writes what is there."""
    records = make.simulate(graph_of({"A": "B"}, name="example"))
    record_table.put_records([*records, *records], 30)
    record_table.put_records(records, 30)
    assert record_table.read("example").records == records


def test_record_table_when_the_newest_are_asked_for_then_they_come_oldest_first(record_table, make):
    """Cursors and other workflows' records are not among them."""
    records = [make.record_of("A", run_id=f"r{i}", started_at=make.START + i) for i in range(5)]
    record_table.put_records(records[::-1], 30)
    record_table.put_records([dataclasses.replace(records[0], workflow="other")], 30)
    record_table.put_cursor(Cursor("example", "us-east-1", "group", 5))
    assert record_table.read("example", newest=3).records == records[2:]


def test_record_table_when_all_records_are_asked_for_then_they_come_one_by_one_oldest_first(record_table, make):
    """As `log_sync -o` writes them; and a problem's are those of its workflow's version."""
    graph = graph_of({"A": "B"}, name="example")
    runs = [make.simulate(graph, f"r{i}", started_at=make.START + 10 * i) for i in range(40)]
    records = [record for run in runs for record in run]
    other = make.changed(runs[0][0], run_id="other", workflow_version="0.0.0")
    record_table.put_records([*records[::-1], other], 30)
    record_table.put_cursor(Cursor("example", "us-east-1", "group", 5))
    texts = list(record_table.texts("example"))
    assert [parse_record(json.loads(text), "") for text in texts] == [other, *records]
    stored = record_table.kept(graph)
    assert (stored.records, stored.older, stored.passed_over) == (records, [], {})
    assert stored.left_out == {"of another version of the workflow": 1}


def test_record_table_when_a_cursor_is_put_then_it_is_that_groups_and_regions_own(record_table):
    """None for what was never read; later cursors replace earlier ones."""
    for read_to_ms in (5, 1_700_000_000_123):
        record_table.put_cursor(Cursor("example", "us-east-1", "group", read_to_ms))
    assert record_table.cursor("example", "us-east-1", "group") == Cursor(
        "example", "us-east-1", "group", 1_700_000_000_123
    )
    assert record_table.cursor("example", "us-west-2", "group") is None
    assert record_table.cursor("other", "us-east-1", "group") is None


def test_record_item_when_made_then_its_key_is_its_own_and_it_expires(make):
    """Time, run, node and attempt; TTL in whole seconds."""
    item = record_item(make.record_of("A", attempt=2), 30)
    assert item["id"] == "record#1700000000000#run-1#A#2"
    assert item["expires"] == 1_700_000_000 + 30 * 86_400


def test_record_lines_when_written_then_they_are_read_back(make):
    """What `log_sync -o` writes, `problem --records` reads."""
    records = make.simulate(graph_of({"A": "B"}, name="example"))
    assert read_record_lines(write_record_lines(records).split("\n"), "file") == records


@pytest.mark.parametrize("line", ["no json", "[]", "{}", '{"schema": "caribou.record/1"}'])
def test_record_lines_when_one_is_wrong_then_the_error_names_the_line(line):
    """File and line number, not a traceback."""
    with pytest.raises(InvalidRecordError, match=r"records\.jsonl, line 2"):
        read_record_lines(["", line], "records.jsonl")


@pytest.fixture
def deployed(cloud):
    """A registered workflow of one function, its log group at home, and the control plane's tables."""
    stage = "collected"
    registration = Registration("example", "0.0.1", "us-east-1", ("us-east-1", CONTROL), ("A",), 30)
    ssm = cloud.client("ssm", CONTROL)
    name = WorkflowNames("example", stage).registration
    ssm.put_parameter(Name=name, Type="String", Value=json.dumps(registration.to_json()))
    logs = cloud.client("logs", "us-east-1")
    (group,) = registration.log_groups(stage)
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    control = ControlNames(stage)
    tables = [made_table(control.record_table, ("workflow", "id")), made_table(control.fact_table, ("kind", "region"))]
    yield stage, registration, logs, group
    for table in tables:
        boto3.client("dynamodb", region_name=CONTROL).delete_table(TableName=table)
    ssm.delete_parameter(Name=name)
    logs.delete_log_group(logGroupName=group)


def logged(logs, group, records):
    """Write records into a log group as the runtime's lines, between others; the events' time in ms."""
    at_ms = int(time.time() * 1000)
    lines = ["START", *(json.dumps({RECORD_KEY: record.to_json()}) for record in records), "END"]
    events = [{"timestamp": at_ms, "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    return at_ms


@pytest.mark.local_cloud
def test_collection_in_the_cloud_when_run_twice_then_the_records_are_there_once(deployed, make):
    """Logs of two regions, one without a log group; the cursor says how far they were read."""
    stage, registration, logs, group = deployed
    records = [make.record_of("A", run_id=f"r{i}", started_at=time.time() - 60 + i) for i in range(3)]
    logged(logs, group, records)
    table, now_s = DynamoRecordTable(ControlNames(stage).record_table, CONTROL), time.time() + 1
    assert registration_of(SsmRegistry(stage, CONTROL), "example") == registration
    for _ in range(2):
        report = collect_logs(registration, LogCollection(CloudWatchLogReader(), table, now_s, stage))
        assert (report.records, report.log_groups, report.failures) == (3, 1, ())
    assert table.read("example").records == records
    assert read_to(table, "example", "us-east-1", [group]) == pytest.approx(now_s, abs=0.001)


@pytest.mark.local_cloud
def test_log_reader_when_a_page_of_the_emulator_is_full_then_the_rest_is_read_too(deployed, monkeypatch):
    """MiniStack cuts a page without a token; here already after two events."""
    monkeypatch.setattr("caribou.collectors.logs.PAGE_OF_THE_EMULATOR", 2)
    _, _, logs, group = deployed
    start_ms = int(time.time() * 1000) - 1000
    for i in range(3):
        message = json.dumps({RECORD_KEY: i})
        event = {"timestamp": start_ms + i, "message": message}
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])
    found = {event.message for event in CloudWatchLogReader().events("us-east-1", group, start_ms, start_ms + 100)}
    assert len(found) == 3
    assert list(CloudWatchLogReader().events("us-east-1", "/no/such/group", 0, 1)) == []


@pytest.mark.local_cloud
def test_handlers_when_called_as_lambda_calls_them_then_tables_are_filled(deployed, make, monkeypatch):
    """The schedules' events are empty; the answers count."""
    stage, _, logs, group = deployed
    control = ControlNames(stage)
    monkeypatch.setenv("CARIBOU_STAGE", stage)
    monkeypatch.setenv("CARIBOU_FACT_TABLE", control.fact_table)
    monkeypatch.setenv("CARIBOU_RECORD_TABLE", control.record_table)
    logged(logs, group, [make.record_of("A", started_at=time.time() - 60)])
    for handler in (handlers.carbon_handler, handlers.provider_handler, handlers.performance_handler):
        assert handler({}, None)["facts"] == len(KNOWN_REGIONS)
    answer = handlers.workflow_handler({}, None)
    assert answer["workflows"][0]["records"] == 1
    assert answer["failures"] == []
    assert handlers.workflow_handler({"workflow": "other"}, None)["workflows"] == []
    assert set(read_facts(DynamoFactTable(control.fact_table, CONTROL)).carbon) == set(packaged_facts(NOW).carbon)


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "r" * 1_011},
        {"run_id": "large", "successors": MANY},
        {"started_at": 1e300},
    ],
)
def test_record_table_when_a_record_is_none_that_it_can_hold_then_the_others_are_written(record_table, make, change):
    """What DynamoDB does not take is said, record by record; the form in memory takes no more than it does."""
    records = [make.record_of("A", run_id=f"r{i}", started_at=make.START + i) for i in range(30)]
    wrong = dataclasses.replace(records[7], **change)
    (refused,) = record_table.put_records([*records[:7], wrong, *records[7:]], 30)
    assert "the table does not take it" in refused
    assert record_table.read("example").records == records


def test_record_table_when_an_error_is_put_then_its_type_alone_is_kept(record_table, make):
    """Its text may be anybody's data, and stays where it was logged."""
    errors = ["ValueError: the customer's address", "botocore.errorfactory.NotFound: x", "<b>odd", "plain"]
    record_table.put_records([make.record_of("A", run_id=f"r{i}", error=e) for i, e in enumerate(errors)], 30)
    stored = [record.error for record in record_table.read("example").records]
    assert stored == ["ValueError", "botocore.errorfactory.NotFound", "Exception", "plain"]


def test_record_table_when_a_record_has_hosts_then_they_stay_where_they_were_logged(record_table, make):
    """A host has a bucket's name in it; the model needs service and region."""
    record = make.record_of("A")
    named = replace(record, external=(replace(record.external[0], host="patients.s3.us-east-1.amazonaws.com"),))
    record_table.put_records([named], 30)
    assert record_table.read("example").records == [record]


def test_record_table_when_items_can_t_be_read_or_a_run_has_too_many_then_they_make_room_and_are_counted(make):
    """An item of another version, and a run that would crowd out all others."""
    table = InMemoryRecordTable()
    honest = [make.record_of("A", run_id=f"r{i}", started_at=make.START + i) for i in range(5)]
    flood = [make.record_of("A", run_id="x", started_at=make.START + 9 + i) for i in range(RUN_RECORDS + 100)]
    table.put_records([*honest, *flood], 30)
    table.items["example", "record#9"] = {"workflow": "example", "id": "record#9", "body": "[" * 10_000}
    stored = table.read("example", newest=RUN_RECORDS + 5)
    assert stored.records[:5] == honest
    assert len(stored.records) == RUN_RECORDS + 5
    assert stored.passed_over == {"of a run with more records than a run has": 100, "that can't be read": 1}


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"workflow": "w" * 2048, "id": "i" * 1024, "n": 10**125}, None),
        ({"workflow": "é" * 1025, "id": "i"}, "workflow has 2050 bytes"),
        ({"workflow": "w", "id": "i" * 1025}, "id has 1025 bytes"),
        ({"workflow": "w", "id": ""}, "id has 0 bytes"),
        ({"workflow": "w", "id": "i", "body": "b" * 409_584}, None),
        ({"workflow": "w", "id": "i", "body": "b" * 409_585}, "the item has over 400 KB"),
        ({"workflow": "w", "id": "i", "n": int("1" * 39)}, "a number has over 38 digits"),
        ({"workflow": "w", "id": "i", "body": "\ud800"}, "a text has half a character"),
    ],
)
def test_item_when_it_is_at_the_limit_then_it_is_taken_and_beyond_it_refused(item, why):
    """DynamoDB's own limits, to the byte where they are known to the byte."""
    assert refusal(item, "workflow", "id") == why
