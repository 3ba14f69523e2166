"""Which runs are looked at: the newest, older ones of rare calls, and no others, in whatever order records come."""

import json
import random
from functools import partial

import pytest
from builders import graph_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_records import START, manifest_of, simulate

from caribou.collectors.first_look import KEPT_DAYS, FirstLook
from caribou.collectors.kept_runs import Texts, kept_runs
from caribou.collectors.observed import MOST_RUNS, NEWEST_RUNS
from caribou.collectors.record_lines import write_record_lines
from caribou.collectors.records import InMemoryRecordTable
from caribou.collectors.summary import summarise
from caribou.model.errors import InvalidRecordError
from caribou.model.schema.json_text import json_value

GRAPH = graph_of({"A": "B C"}, conditional="A#1", name="example")
RARE, DAY_S = "A#1", 24 * 3600


def run_of(number, *, rare=False, at=None):
    """The records of a run, ten seconds after the one before; a rare one calls C."""
    started_at = START + 10 * number if at is None else at
    return simulate(GRAPH, f"r{number:05}", skipped=() if rare else (RARE,), started_at=started_at)


def texts_of(lines, broken=None):
    """Lines as they are read out of a file; the numbers of broken ones go into a list, if there is one."""

    def on_error(number, error):
        if broken is None:
            raise error
        broken.append(number)

    return Texts(partial(iter, lines), "line {}".format, on_error, json_value)


def kept_of(records):
    """What is kept of records."""
    return kept_runs(texts_of(write_record_lines(records).splitlines()), GRAPH)


def ids(records):
    """The runs of records, in order."""
    return list(dict.fromkeys(record.run_id for record in records))


@pytest.fixture
def few(monkeypatch):
    """Four runs are kept, and two for each call that is rare."""
    monkeypatch.setattr("caribou.collectors.first_look.KEPT_RUNS", 4)
    monkeypatch.setattr("caribou.collectors.first_look.RARE_RUNS", 2)


@pytest.mark.usefixtures("few")
def test_kept_when_there_are_more_runs_than_may_be_then_the_newest_are_and_the_newest_that_made_a_rare_call():
    """The two newest of three that called C, though older; what is left out is counted."""
    runs = [run_of(number, rare=number in {0, 2, 3}) for number in range(12)]
    kept = kept_of([record for run in runs for record in run])
    assert ids(kept.records) == ["r00008", "r00009", "r00010", "r00011"]
    assert ids(kept.older) == ["r00002", "r00003"]
    assert kept.older == [*runs[2], *runs[3]]
    assert kept.left_out == {"of a run before the newest ones": 13}
    assert kept.since_s == START + 80


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("runs", [5, 8, 9])
def test_kept_when_there_are_more_runs_than_may_be_then_the_reason_for_the_rest_is_that(runs):
    """However few more they are."""
    kept = kept_of([record for number in range(runs) for record in run_of(number)])
    assert kept.left_out == {"of a run before the newest ones": 2 * (runs - 4)}


@pytest.mark.usefixtures("few")
def test_kept_when_the_newest_runs_made_a_call_often_enough_then_no_older_one_is_kept():
    """Nothing is rare that two of the four made."""
    runs = [run_of(number, rare=True) for number in range(12)]
    kept = kept_of([record for run in runs for record in run])
    assert (len(ids(kept.records)), kept.older) == (4, [])


@pytest.mark.usefixtures("few")
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_kept_when_records_come_in_any_order_and_again_then_they_are_those_of_a_search_through_all(data):
    """Against the definition, written down plainly; each record once."""
    rare = data.draw(st.sets(st.integers(0, 14)))
    runs = [run_of(number, rare=number in rare) for number in range(15)]
    records = [record for run in runs for record in run]
    some = data.draw(st.lists(st.sampled_from(records), max_size=10))
    kept = kept_of(data.draw(st.permutations([*records, *some])))
    older = [number for number in sorted(rare)[-2:] if number < 11]
    assert kept.records == [record for run in runs[11:] for record in run]
    assert kept.older == [record for number in older for record in runs[number]]


def test_kept_when_runs_are_older_than_a_month_then_they_are_not_looked_at():
    """Counted from the newest run, as the file knows no other time; rare or not."""
    now = START + 40 * DAY_S
    old, new = run_of(0, rare=True, at=now - KEPT_DAYS * DAY_S - 1), run_of(1, at=now)
    kept = kept_of([*old, *new])
    assert (ids(kept.records), kept.older) == (["r00001"], [])
    assert kept.left_out == {"of a run before the newest ones": len(old)}


def test_kept_when_a_run_s_beginning_is_not_recorded_then_it_is_none_of_the_newest():
    """It takes nobody's place, and is counted."""
    torn, whole = run_of(1)[1:], run_of(0)
    kept = kept_of([*whole, *torn])
    assert kept.records == whole
    assert kept.left_out == {"of a run whose beginning is not recorded": 1}


def test_kept_when_records_are_of_another_program_then_they_are_counted_by_reason(make):
    """The first look knows versions and workflows."""
    aliens = [make.record_of("A", workflow_version="9"), make.record_of("A", workflow="other")]
    kept = kept_of([*run_of(0), *aliens])
    assert kept.records == run_of(0)
    assert kept.left_out == {"of another version of the workflow": 1, "of another workflow": 1}


@pytest.mark.usefixtures("few")
def test_kept_when_a_function_makes_up_runs_of_others_nodes_then_they_take_nobodys_place(make):
    """What B's log says of A, who begins runs and calls C."""
    calls = run_of(0, rare=True)[0].successors
    made_up = [
        make.record_of("A", function="B", run_id=f"x{i}", started_at=START + 900 + i, successors=calls)
        for i in range(9)
    ]
    runs = [run_of(number, rare=number in {0, 1}) for number in range(6)]
    kept = kept_of([*(record for run in runs for record in run), *made_up])
    assert ids(kept.records) == ["r00002", "r00003", "r00004", "r00005"]
    assert ids(kept.older) == ["r00000", "r00001"]
    assert kept.left_out == {"of another graph of the workflow": 9}


def test_kept_when_records_are_too_many_for_memory_then_the_oldest_runs_make_room(monkeypatch):
    """A graph of very many nodes: but the newest ones are whole."""
    monkeypatch.setattr("caribou.collectors.kept_runs.KEPT_RECORDS", 7)
    runs = [run_of(number) for number in range(9)]
    for order in (runs, runs[::-1]):
        kept = kept_of([record for run in order for record in run])
        assert kept.records == [record for run in runs[6:] for record in run]
        assert kept.since_s == START + 60
        assert kept.left_out == {"of a run whose beginning is not recorded": 12}


def test_kept_when_a_run_has_more_records_than_a_run_has_then_the_rest_is_left_out(monkeypatch, make):
    """One run can't crowd out the others."""
    monkeypatch.setattr("caribou.collectors.kept_runs.RUN_RECORDS", 3)
    flood = [make.record_of("B", run_id="r00000", started_at=START + i) for i in range(1, 20)]
    kept = kept_of([*run_of(0), *flood])
    assert len(kept.records) == 3
    assert kept.left_out == {"of a run with more records than a run has": 18}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"workflow": ', "not a JSON object"),
        ("[1]", "not a JSON object"),
        ("{}", "schema"),
        ('{"workflow": "example", "workflow_version": "0.0.1", "run_id": 5, "started_at": 1}', "schema"),
    ],
)
def test_kept_when_a_line_is_no_record_then_the_error_names_it(line, what):
    """Whichever run it would be of."""
    lines = [*write_record_lines(run_of(0)).splitlines(), "", line]
    with pytest.raises(InvalidRecordError, match=rf"line 4.*{what}"):
        kept_runs(texts_of(lines), GRAPH)


@pytest.mark.parametrize("change", [{"duration_s": -1}, {"memory_mb": 1.5}, {"cpu_s": float("nan")}, {"region": ""}])
def test_kept_when_a_field_of_a_kept_run_can_t_be_then_it_is_refused_as_ever(change):
    """The first look does not judge; what is kept is read in full."""
    data = {**json.loads(write_record_lines(run_of(0)[:1])), **change}
    broken = []
    with pytest.raises(InvalidRecordError, match=r"line 1.*wrong field"):
        kept_runs(texts_of([json.dumps(data)]), GRAPH)
    kept = kept_runs(texts_of([json.dumps(data), *write_record_lines(run_of(1)).splitlines()], broken), GRAPH)
    assert (set(broken), kept.records) == ({1}, run_of(1))


@pytest.mark.parametrize("name", ["é", "\U0001f980", 'quo"te', "back\\slash", '"run_id": "r"'])
def test_kept_when_a_run_has_an_odd_name_then_its_records_are_found_however_they_are_written(name, make):
    """With escapes and without, with blanks and without."""
    records = [make.changed(record, run_id=name) for record in run_of(0)]
    for ascii_only in (True, False):
        for separators in ((",", ":"), (", ", " : ")):
            lines = [json.dumps(r.to_json(), ensure_ascii=ascii_only, separators=separators) for r in records]
            assert kept_runs(texts_of(lines), GRAPH).records == records
            assert kept_runs(texts_of([line.encode() for line in lines]), GRAPH).records == records


def test_look_when_runs_are_many_then_it_remembers_few_of_them(monkeypatch):
    """Twice as many as are wanted, whatever the order."""
    monkeypatch.setattr("caribou.collectors.first_look.KEPT_RUNS", 10)
    look, chance = FirstLook(GRAPH), random.Random(1)
    record = run_of(0)[0].to_json()
    for number in range(2_000):
        look.take({**record, "run_id": str(number), "started_at": START + chance.random() * DAY_S})
        assert len(look._begun._at) < 20
    assert len(look.newest()) == 10


def test_problem_when_older_runs_made_a_rare_call_then_they_change_no_figure_and_are_said(monkeypatch):
    """Their share is not that of all runs: probabilities, rows and samples are of the newest runs alone."""
    monkeypatch.setattr("caribou.collectors.first_look.KEPT_RUNS", 30)
    newest = [record for number in range(100, 130) for record in run_of(number)]
    rare = [record for number in (3, 7) for record in run_of(number, rare=True)]
    between = [record for number in range(20, 60) for record in run_of(number)]
    without = summarise(kept_of([*between, *newest]), GRAPH, manifest_of(GRAPH))
    found = summarise(kept_of([*between, *rare, *newest]), GRAPH, manifest_of(GRAPH))
    assert (found.nodes, found.edges, found.runs, found.entry) == (
        *(without.nodes, without.edges, without.runs, without.entry),
    )
    assert without.provenance["calls_never_made"] == "A > C, up to 10% of its runs may"
    assert "calls_never_made" not in found.provenance
    said = "A > C, in 0 of 30 runs and in 2 older ones, 1.5 times the GB-seconds"
    assert found.provenance["calls_seldom_made"] == said


@pytest.mark.parametrize(("back", "rows"), [(100, NEWEST_RUNS), (700, MOST_RUNS), (1_200, NEWEST_RUNS)])
def test_problem_when_a_call_was_made_before_the_newest_runs_then_more_of_them_are_rows(back, rows):
    """A stretch of time without a gap, 500 or 1,000 runs: the share is right; what is older still is said."""
    runs = [run_of(number, rare=number == 1_300 - back) for number in range(1_300)]
    summary = summarise([record for run in runs for record in run], GRAPH, manifest_of(GRAPH))
    assert len(summary.runs["id"]) == rows
    assert summary.edges[1]["probability"] == (0.0 if back > MOST_RUNS else round(1 / rows, 6))
    if back > MOST_RUNS:
        assert summary.provenance["calls_seldom_made"] == "A > C, in 1 of 1300 runs, 1.5 times the GB-seconds"


@pytest.mark.usefixtures("few")
def test_table_when_it_is_read_for_a_problem_then_it_keeps_what_a_file_of_it_would(monkeypatch):
    """The newest first, and no further than it takes; but rare calls are looked for."""
    table = InMemoryRecordTable()
    records = [record for number in range(12) for record in run_of(number, rare=number in {2, 3})]
    table.put_records(records, 30)
    found, whole = table.kept(GRAPH), kept_of(table.read("example").records)
    assert (found.records, found.older) == (whole.records, whole.older)
    assert ids(found.older) == ["r00002", "r00003"]
    monkeypatch.setattr("caribou.collectors.records.LOOKED_AT_RECORDS", 10)
    assert table.kept(GRAPH).older == []


def test_table_when_an_item_holds_no_record_then_it_is_counted_and_the_others_are_kept():
    """Of another version, cut, or without a body."""
    table = InMemoryRecordTable()
    table.put_records(run_of(0), 30)
    for key, body in (("record#1", "{"), ("record#2", None), ("record#3", "[" * 100_000)):
        table.items["example", key] = {"workflow": "example", "id": key, "body": body}
    stored = table.kept(GRAPH)
    assert (stored.records, stored.passed_over) == (run_of(0), {"that can't be read": 3})
    texts = list(table.texts("example"))
    assert texts.count(None) == 3
    assert [json.loads(text)["node"] for text in texts if text] == ["A", "B"]
