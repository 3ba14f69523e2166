"""What collectors and `problem` read, of any shape: a value, or one clear error."""

import json
from datetime import UTC, datetime

from boto3.dynamodb.types import TypeDeserializer
from builders import graph_of
from hostile import ATTRIBUTES, fuzzed, hostile_json
from hypothesis import given
from hypothesis import strategies as st
from run_records import manifest_of, simulate

from caribou.cli.history_files import HistoryFiles
from caribou.collectors.bodies import CarbonBody, PerformanceBody, ProviderBody
from caribou.collectors.facts import InMemoryFactTable, fact_in, read_facts
from caribou.collectors.kept_runs import Texts, kept_runs
from caribou.collectors.log_collection import LogCollection, collect_logs
from caribou.collectors.logs import InMemoryLogReader, LogEvent
from caribou.collectors.record_lines import read_record_lines, record_in, write_record_lines
from caribou.collectors.records import InMemoryRecordTable
from caribou.collectors.registrations import InMemoryRegistry, registered
from caribou.collectors.sources.profile_feed import ProfileFeed
from caribou.collectors.sources.snapshot import CarbonSnapshot, packaged_facts
from caribou.control.plan.problem import build_problem
from caribou.model.errors import InvalidInputError, InvalidRecordError
from caribou.model.names import WorkflowNames
from caribou.model.registration import Registration
from caribou.model.run.record import RECORD_KEY
from caribou.model.schema.json_text import json_value
from caribou.model.schema.problem_file import parse_problem
from caribou.runtime.record_log import record_line

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FACTS = packaged_facts(NOW)
GRAPH = graph_of({"A": "B C", "B": "D", "C": "D"}, sync="D", conditional="A#0", name="example")
RUNS = [record for i in range(2) for record in simulate(GRAPH, f"run-{i}", skipped=["A#0"] if i else [])]
REGISTRATION = Registration("example", "0.0.1", "us-east-1", ("us-east-1",), ("A", "B", "C", "D"), 30)


def must_be_clear(error):
    """An error is one short message that can be printed and stored."""
    assert str(error).encode().decode() == str(error)
    assert len(str(error)) < 1_000
    assert "To fix" in str(error)


def json_of(record):
    """A record's JSON, as it is read."""
    return json.loads(record_line(record))[RECORD_KEY]


def refused(_, error):
    """A broken line of a file stops its reader."""
    raise error


@st.composite
def lines(draw):
    """Log lines of a damaged record: as they are, cut, after other text, and wrapped by Lambda."""
    line = f'{{"{RECORD_KEY}": {draw(hostile_json(json_of(draw(st.sampled_from(RUNS)))))}}}'
    cut = draw(st.sampled_from([len(line)] * 5 + [len(line) // 2, 40]))
    line = draw(st.sampled_from(["", "", "{ 50 % "])) + line[:cut]
    return json.dumps({"message": line}) if draw(st.booleans()) else line


@fuzzed
@given(some=st.lists(lines(), min_size=1, max_size=4))
def test_lines_when_damaged_then_the_table_has_what_is_a_record_and_the_rest_is_counted(some):
    """Line → table: true records beside them are kept, and what is kept makes a problem or one clear error."""
    at_ms = round((RUNS[0].started_at + RUNS[0].duration_s) * 1000)
    true = [record_line(record).decode() for record in RUNS if record.function == "A"]
    log = WorkflowNames("example").log_group("A")
    logs = InMemoryLogReader({("us-east-1", log): [LogEvent(at_ms, line) for line in (*some, *true)]})
    table = InMemoryRecordTable()
    report = collect_logs(REGISTRATION, LogCollection(logs, table, at_ms / 1000 + 60))
    assert report.failures == ()
    assert len(true) <= report.records <= len(true) + len(some)
    json.dumps(report.to_json()).encode()
    "".join(report.passed_over).encode()
    stored = table.read("example")
    assert not stored.passed_over
    assert {record.run_id for record in stored.records} >= {"run-0", "run-1"}


@fuzzed
@given(line=lines())
def test_line_when_damaged_then_it_is_a_record_or_none_or_one_clear_error(line):
    """`trace` reads lines as the collectors do; a record that is read can be written and read again."""
    try:
        record = record_in(line)
    except InvalidRecordError as error:
        must_be_clear(error)
        return
    if record is not None:
        assert read_record_lines([write_record_lines([record])], "again") == [record]


@fuzzed
@given(data=st.data())
def test_records_when_damaged_then_they_are_a_problem_or_one_clear_error(data):
    """Record → problem: a file of true records, some of them damaged."""
    texts = [json.dumps(json_of(record)) for record in RUNS]
    for i in data.draw(st.sets(st.integers(0, len(RUNS) - 1), min_size=1, max_size=3)):
        texts[i] = data.draw(hostile_json(json_of(RUNS[i])))
    try:
        stored = kept_runs(Texts(lambda: texts, "records.jsonl, line {}".format, refused, json_value), GRAPH)
        built = build_problem(
            graph=GRAPH, manifest=manifest_of(GRAPH), facts=FACTS, records=stored, control_region="us-west-2", now=NOW
        )
        parse_problem(built)
    except InvalidInputError as error:
        must_be_clear(error)


@fuzzed
@given(value=hostile_json(REGISTRATION.to_json()))
def test_registration_when_damaged_then_it_is_one_or_a_warning_and_the_others_are_found(value):
    """One parameter never hides another, and what is read has log groups."""
    other = json.dumps({**REGISTRATION.to_json(), "workflow": "other"})
    prefix = "/caribou/dev/workflows"
    found, wrong = registered(InMemoryRegistry({f"{prefix}/example": value, f"{prefix}/other": other}))
    assert len(found) + len(wrong) == 2
    assert "other" in [registration.workflow for registration in found]
    assert all("/caribou/dev/workflows/example" in message and len(message) < 1_000 for message in wrong)
    for registration in found:
        assert len(registration.log_groups("dev")) == len(registration.functions)
        collect_logs(registration, LogCollection(InMemoryLogReader(), InMemoryRecordTable(), NOW.timestamp()))


resource_values = st.sampled_from(ATTRIBUTES).map(TypeDeserializer().deserialize)
"""What boto3's tables make of an attribute."""
BODIES = [(CarbonBody, FACTS.carbon), (ProviderBody, FACTS.provider), (PerformanceBody, FACTS.performance)]


@fuzzed
@given(data=st.data())
def test_fact_when_its_item_is_damaged_then_it_makes_a_problem_or_one_clear_error_that_names_it(data):
    """Item → problem: body, source and time alike."""
    kind, facts = data.draw(st.sampled_from(BODIES))
    item = facts["us-east-1"].to_item()
    if data.draw(st.booleans()):
        item["body"] = data.draw(hostile_json(json.loads(item["body"])))
    else:
        item[data.draw(st.sampled_from(sorted(item)))] = data.draw(resource_values)
    table = InMemoryFactTable()
    for body, others in BODIES:
        table.put(others[region] for region in others if body is not kind or region != "us-east-1")
    table.items[kind.kind, "us-east-1"] = item
    try:
        built = build_problem(
            graph=GRAPH,
            manifest=manifest_of(GRAPH),
            facts=read_facts(table),
            records=RUNS,
            control_region="us-west-2",
            now=NOW,
        )
        parse_problem(built)
    except InvalidInputError as error:
        must_be_clear(error)


TABLE = [[f"2026-01-01T{hour:02}:00:00Z", "1.5", "", "", "False", "snapshot", "X"] for hour in range(3)]
HEADER = "timestamp_utc,gCO2eq_per_kWh_lifecycle,gCO2eq_per_kWh_direct,gCO2eq_per_kWh_other,estimated,source,zone"
FEED = ProfileFeed("snapshot", CarbonSnapshot())
odd_cells = st.sampled_from(
    ["", "nan", "1e999", "2026-01-01", "9999-12-31T23:00:00Z", "true", '"', "x" * 200_000, "\0"]
)


@fuzzed
@given(
    cells=st.dictionaries(
        st.tuples(st.integers(0, 2), st.integers(0, 6)),
        odd_cells | st.text(st.characters(codec="utf-8"), max_size=9),
        max_size=3,
    ),
    name=st.sampled_from(["2026-01-01_2026-01-02.csv", "2026-13-01_2026-01-02.csv", "2026-01-02_2026-01-01.csv", "x"]),
)
def test_piece_of_a_grids_past_when_damaged_then_it_is_hours_or_one_clear_error(cells, name, tmp_path_factory):
    """Cells of its rows, and its file's name; what is read is written again."""
    files = HistoryFiles(tmp_path_factory.mktemp("history"))
    piece = files.folder / "snapshot" / ".pieces" / "X" / name
    piece.parent.mkdir(parents=True)
    rows = [[cells.get((i, j), cell) for j, cell in enumerate(row)] for i, row in enumerate(TABLE)]
    piece.write_text("\n".join([HEADER, *map(",".join, rows)]))
    try:
        path, series = files.finish(FEED, "X")
    except InvalidInputError as error:
        must_be_clear(error)
        return
    assert len(path.read_text().splitlines()) == len(series.hours) + 1


def test_fuzzers_when_nothing_is_damaged_then_all_of_it_is_read():
    """What the fuzzers damage is right before."""
    assert [record_in(record_line(record).decode()) for record in RUNS] == RUNS
    assert fact_in(FACTS.carbon["us-east-1"].to_item(), CarbonBody) == FACTS.carbon["us-east-1"]
