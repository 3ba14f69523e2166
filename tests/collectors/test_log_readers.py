"""The readers of logs: all find the same records, and ask services for no more than they have."""

import json
import random
import re
import weakref
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError
from builders import ROOT, graph_of
from log_services import CONTROL, Service
from run_records import START, simulate

from caribou.collectors.athena import EXPORT_S, query_of
from caribou.collectors.handlers import collect_all
from caribou.collectors.insights import QUERY, InsightsLogReader
from caribou.collectors.log_collection import LogCollection, collect_logs, read_to
from caribou.collectors.log_readers import log_reader
from caribou.collectors.logs import LogEvent
from caribou.collectors.records import DAY_S, InMemoryRecordTable
from caribou.model.errors import OperationFailedError
from caribou.model.log_reader import LogReading
from caribou.model.registration import Registration
from caribou.runtime.record_log import record_line

READERS = ["memory", *LogReading]
HOME, AWAY = "us-east-1", "ca-central-1"
REGISTRATION = Registration("example", "0.0.1", HOME, (HOME, AWAY), ("A", "B"), 4)
GROUPS = dict(zip(REGISTRATION.functions, REGISTRATION.log_groups("dev"), strict=True))
GRAPH = graph_of({"A": "B"}, name="example")
RUNS = 40
END_S = START + 3 * DAY_S


def lines_of(runs=RUNS):
    """Log events of runs over two days, with what else stands in logs between them."""
    content = {(region, group): [] for region in (HOME, AWAY) for group in GROUPS.values()}
    for number in range(runs):
        at = START + number * 2 * DAY_S / runs
        for record in simulate(GRAPH, f"r'{number}\"é\\", regions={"B": (HOME, AWAY)[number % 2]}, started_at=at):
            line = record_line(record).decode()
            written_ms = round((record.started_at + record.duration_s) * 1000)
            events = [
                LogEvent(written_ms, json.dumps({"level": "INFO", "message": line}) if number % 3 else line),
                LogEvent(written_ms + 1, "REPORT RequestId: 1 \U0001f980"),
                LogEvent(written_ms + 2, line[: 60 + number]),
            ]
            content[record.region, GROUPS[record.node]] += events
    return {key: sorted(events, key=lambda event: event.timestamp_ms) for key, events in content.items()}


@pytest.fixture(scope="module")
def content():
    """Those of forty runs."""
    return lines_of()


@pytest.mark.parametrize("name", READERS)
def test_reader_when_groups_are_asked_for_then_it_names_those_that_begin_so(name, content):
    """With when each was made; none where there are none."""
    reader = Service(content).reader(name)
    assert reader.groups(AWAY, GROUPS["A"]) == {GROUPS["A"]: 0}
    assert reader.groups("eu-west-1", "/aws/lambda/") == {}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("group", GROUPS.values())
def test_reader_when_a_span_is_asked_for_then_it_has_the_events_of_a_plain_search_in_the_order_of_time(
    name, group, content
):
    """Both ends count, to the millisecond; also with another text in them."""
    service, records = Service(content), [e for e in content[HOME, group] if "caribou_record" in e.message]
    reader = service.reader(name)
    first, last = records[2].timestamp_ms, records[-3].timestamp_ms
    for start_ms, end_ms in ((first, last), (first + 1, last - 1), (first, first)):
        found = [e for e in reader.events(HOME, group, start_ms, end_ms) if "caribou_record" in e.message]
        assert found == [e for e in records if start_ms <= e.timestamp_ms <= end_ms]
    only = [e for e in reader.events(HOME, group, first, last, also="r'12") if "caribou_record" in e.message]
    assert {e.message for e in only} == {e.message for e in records if "r'12" in e.message}


@pytest.mark.parametrize("name", LogReading)
def test_reader_when_a_log_group_is_gone_or_has_no_lines_then_there_are_no_events(name, content):
    """A group may be deleted between the listing and the reading."""
    assert list(Service(content).reader(name).events(HOME, "/aws/lambda/gone", 0, 10**13)) == []


@pytest.mark.parametrize("name", READERS)
def test_collection_when_read_by_any_reader_then_the_table_has_the_same_bytes(name, content):
    """Regions, groups, wrapped and torn lines alike."""
    table, plain = InMemoryRecordTable(), InMemoryRecordTable()
    report = collect_logs(REGISTRATION, LogCollection(Service(content).reader(name), table, END_S))
    expected = collect_logs(REGISTRATION, LogCollection(Service(content).reader("memory"), plain, END_S))
    assert report == expected
    records = [{key: item for key, item in one.items.items() if key[1].startswith("record#")} for one in (table, plain)]
    assert json.dumps(sorted(records[0].items())) == json.dumps(sorted(records[1].items()))
    assert len(records[0]) == 2 * RUNS


@pytest.mark.parametrize(
    ("name", "operation"),
    [("filter", "FilterLogEvents"), ("insights", "StartQuery"), ("athena", "StartQueryExecution")],
)
def test_reader_when_it_is_refused_then_it_is_a_failure_of_each_log_group_and_the_others_are_read(
    name, operation, content
):
    """One message, without a traceback; cursors stay."""
    service, table = Service(content), InMemoryRecordTable()
    service.broken[operation] = "AccessDeniedException"
    report = collect_logs(REGISTRATION, LogCollection(service.reader(name), table, END_S))
    assert len(report.failures) == 4
    assert all("AccessDenied" in failure for failure in report.failures)
    assert table.items == {}


@pytest.mark.parametrize(
    ("name", "operation"),
    [("filter", "FilterLogEvents"), ("insights", "GetQueryResults"), ("athena", "GetQueryExecution")],
)
def test_reader_when_there_is_no_answer_then_the_region_is_silent_and_asked_no_more(name, operation, content):
    """Each further log group would be waited for in vain."""
    service = Service(content)
    service.broken[operation] = EndpointConnectionError(endpoint_url="https://nowhere")
    report = collect_logs(REGISTRATION, LogCollection(service.reader(name), InMemoryRecordTable(), END_S))
    assert len(report.failures) == 2
    assert all("Could not connect" in failure for failure in report.failures)
    assert sum(asked == operation for asked, _, _ in service.asked) == 2


def test_insights_when_a_span_is_queried_then_this_is_sent(content):
    """Whole seconds around it, and no more rows than an answer holds."""
    service = Service(content)
    list(service.reader("insights").events(HOME, GROUPS["A"], 1_700_000_000_500, 1_700_000_009_000))
    query = {"logGroupName": GROUPS["A"], "startTime": 1_700_000_000, "endTime": 1_700_000_010}
    assert service.asked == [
        ("StartQuery", {**query, "queryString": QUERY, "limit": 10_000}, HOME),
        ("GetQueryResults", {"queryId": "0"}, HOME),
    ]
    assert "@ptr" not in QUERY


@pytest.mark.parametrize("rows", [2, 3, 10])
def test_insights_when_more_lines_match_than_an_answer_holds_then_the_span_is_split_until_all_are_there(
    rows, content, monkeypatch
):
    """None twice, none missing, in the order of time."""
    monkeypatch.setattr("caribou.collectors.insights.MOST_ROWS", rows + 1)
    service = Service(content, rows=rows + 1)
    found = list(service.reader("insights").events(HOME, GROUPS["A"], 0, int(END_S * 1000)))
    assert found == [e for e in content[HOME, GROUPS["A"]] if "caribou_record" in e.message]


class Rows(list):
    """Rows that can be seen to go."""


def test_insights_when_an_answer_is_full_then_it_is_gone_before_its_parts_are_asked_for(monkeypatch):
    """Each holds some 25 MB, and there are eight regions beside each other."""
    monkeypatch.setattr("caribou.collectors.insights.MOST_ROWS", 2)
    answers, held = [], []

    def start_query(**_):
        held.append(sum(answer() is not None for answer in answers))
        return {"queryId": str(len(held))}

    def get_query_results(queryId):  # noqa: N803 - as boto3 has it
        rows = Rows([[]] * (2 if queryId == "1" else 0))
        answers.append(weakref.ref(rows))
        return {"status": "Complete", "results": rows, "statistics": {"recordsMatched": 2.0}}

    client = SimpleNamespace(
        start_query=start_query,
        get_query_results=get_query_results,
        exceptions=SimpleNamespace(ResourceNotFoundException=LookupError),
    )
    assert list(InsightsLogReader(lambda _: client).events(HOME, GROUPS["A"], 0, 9_000)) == []
    assert held == [0, 0, 0]


def test_insights_when_lines_come_in_bursts_then_few_queries_do(monkeypatch):
    """Lines are split by how many there are: about three times as many queries as answers are full."""
    monkeypatch.setattr("caribou.collectors.insights.MOST_ROWS", 100)
    chance = random.Random(3)
    times = sorted(int(chance.choice([2e6, 7e6, 8e6]) + chance.expovariate(1e-5)) for _ in range(3_000))
    events = [LogEvent(at_ms, f"caribou_record {i}") for i, at_ms in enumerate(times)]
    service = Service({(HOME, GROUPS["A"]): events}, rows=100)
    found = list(service.reader("insights").events(HOME, GROUPS["A"], 0, 10_000_000))
    assert found == events
    assert sum(operation == "StartQuery" for operation, _, _ in service.asked) < 300


def test_insights_when_a_second_has_too_many_lines_then_the_error_says_what_to_set(monkeypatch):
    """Nothing is left out silently."""
    monkeypatch.setattr("caribou.collectors.insights.MOST_ROWS", 3)
    events = [LogEvent(5_000 + i, "caribou_record") for i in range(5)]
    service = Service({(HOME, GROUPS["A"]): events}, rows=3)
    with pytest.raises(OperationFailedError, match=r"over 3 records.*caribou:log_reader to filter"):
        list(service.reader("insights").events(HOME, GROUPS["A"], 0, 10_000))


@pytest.mark.parametrize("name", ["insights", "athena"])
def test_query_when_it_takes_its_time_then_it_is_asked_for_ever_more_seldom(name, content):
    """Not at once, and not for ever."""
    service = Service(content, polls=7)
    assert list(service.reader(name).events(HOME, GROUPS["A"], 0, int(END_S * 1000)))
    assert service.clock.slept == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0]


@pytest.mark.parametrize(("name", "stop"), [("insights", "StopQuery"), ("athena", "StopQueryExecution")])
def test_query_when_it_does_not_end_then_it_is_stopped_and_said(name, stop, content):
    """It would go on being billed."""
    service = Service(content, polls=10**6)
    with pytest.raises(OperationFailedError, match="no answer in 60 s"):
        list(service.reader(name).events(HOME, GROUPS["A"], 0, int(END_S * 1000)))
    assert service.asked[-1][0] == stop
    assert service.clock.now_s <= 60


@pytest.mark.parametrize(
    ("name", "said"), [("insights", "the query ended as Failed"), ("athena", "SYNTAX_ERROR: line 1")]
)
def test_query_when_it_fails_then_the_error_says_of_which_log_group_and_why(name, said, content):
    """As the service says it."""
    service = Service(content, ends_as="Failed")
    with pytest.raises(OperationFailedError, match=f"{GROUPS['A']}.*{said}"):
        list(service.reader(name).events(HOME, GROUPS["A"], 0, int(END_S * 1000)))


def test_insights_when_too_many_queries_go_on_then_it_waits_for_its_turn(content):
    """Others may have them: thirty may in an account's region."""
    service = Service(content, busy=3)
    assert list(service.reader("insights").events(HOME, GROUPS["A"], 0, int(END_S * 1000)))
    assert service.clock.slept == [0.25, 0.5, 1.0]
    with pytest.raises(OperationFailedError, match="too many other queries"):
        list(Service(content, busy=10**6).reader("insights").events(HOME, GROUPS["A"], 0, 1))


def test_athena_when_a_span_is_queried_then_this_is_sent(content):
    """In the control region's workgroup and database of the stage; pages of 1,000."""
    service, start_ms = Service(content), round(START * 1000)
    list(service.reader("athena").events(HOME, GROUPS["A"], start_ms, start_ms + 60_000))
    started, asked, *pages = service.asked
    token = started[1].pop("ClientRequestToken")
    assert started == (
        "StartQueryExecution",
        {
            "QueryString": query_of(HOME, GROUPS["A"], start_ms, start_ms + 60_000),
            "QueryExecutionContext": {"Database": "caribou_dev"},
            "WorkGroup": "caribou-dev",
        },
        CONTROL,
    )
    assert len(token) >= 32
    assert asked == ("GetQueryExecution", {"QueryExecutionId": "0"}, CONTROL)
    assert pages == [("GetQueryResults", {"QueryExecutionId": "0", "MaxResults": 1000}, CONTROL)]


def test_athena_when_texts_have_quotation_marks_then_they_are_texts():
    """Nothing of a name becomes SQL."""
    assert "region = 'x'' OR ''1''=''1'" in query_of("x' OR '1'='1", "group", 0, 1)


def test_athena_when_the_export_is_torn_doubled_foreign_or_a_day_late_then_what_can_be_read_is():
    """Firehose delivers at least once, and in the partition of the day at which it does."""
    events = [LogEvent(round(START * 1000) + i, f'{{"caribou_record": {i}}}') for i in range(3)]
    service = Service({(HOME, GROUPS["A"]): []})
    service.export(HOME, GROUPS["A"], events[:1])
    service.export(HOME, GROUPS["A"], events[:1])
    service.export(HOME, GROUPS["A"], events[1:2], cut=-5)
    service.export(HOME, GROUPS["B"], events[1:2])
    service.export(AWAY, GROUPS["A"], events[1:2])
    service.export(HOME, GROUPS["A"], events[2:], day="2023-11-15")
    service.table.execute("INSERT INTO logs VALUES ('no JSON, caribou_record', ?, '2023-11-14')", [HOME])
    found = list(service.reader("athena").events(HOME, GROUPS["A"], 0, round(START * 1000) + 10))
    assert found == [events[0], events[0], events[2]]


def test_athena_when_the_export_is_behind_then_the_cursor_is_too(content):
    """What is not there yet is read next time: by whatever reader, since the cursor says what was read."""
    table = InMemoryRecordTable()
    now_s = max(event.timestamp_ms for events in content.values() for event in events) / 1000 + 60
    collect_logs(REGISTRATION, LogCollection(Service(content).reader("athena"), table, now_s))
    assert read_to(table, "example", HOME, GROUPS.values()) == pytest.approx(now_s - EXPORT_S, abs=0.001)
    assert len(table.read("example").records) < 2 * RUNS
    collect_logs(REGISTRATION, LogCollection(Service(content).reader("filter"), table, now_s))
    assert len(table.read("example").records) == 2 * RUNS
    collect_logs(REGISTRATION, LogCollection(Service(content).reader("athena"), table, now_s + 1))
    assert read_to(table, "example", HOME, GROUPS.values()) == pytest.approx(now_s, abs=0.001)


@pytest.mark.parametrize("reading", LogReading)
def test_log_reader_when_it_is_chosen_then_it_can_be_made_and_used_by_the_collectors(reading, monkeypatch):
    """No call is made before there is something to read."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    work = LogCollection(log_reader(reading, "dev", CONTROL), InMemoryRecordTable(), END_S)
    assert collect_all([], work, 0.0) == []


@pytest.mark.parametrize("reading", LogReading)
def test_permissions_page_when_a_reader_is_chosen_then_its_row_has_what_it_asks_for(reading, content):
    """And nothing else: the calls of a collection, and that which ends a query."""
    service = Service(content, polls=2)
    collect_logs(REGISTRATION, LogCollection(service.reader(reading), InMemoryRecordTable(), END_S))
    endless = Service(content, polls=10**6)
    collect_logs(REGISTRATION, LogCollection(endless.reader(reading), InMemoryRecordTable(), END_S))
    prefix = {"athena": "athena"}.get(reading, "logs")
    asked = {f"{prefix}:{operation}" for operation, _, _ in (*service.asked, *endless.asked)} - {
        f"{prefix}:DescribeLogGroups"
    }
    page = (ROOT / "docs" / "permissions.md").read_text()
    [row] = re.findall(rf"^\| `{reading}` \|(.*)\|$", page, re.MULTILINE)
    actions = {action for action in re.findall(r"`(\w+:\w+)`", row) if action.split(":")[0] in ("logs", "athena")}
    assert actions == asked
