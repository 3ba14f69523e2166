"""What a sample of runs leaves open is said: branches that none took, and runs that change over time."""

import random

import pytest
from builders import graph_of, record_of

from caribou.collectors.observed import RecordFilter, observe
from caribou.collectors.sample_notes import sample_notes
from caribou.model.run.record import Outcome, SuccessorRecord

HOME = "us-east-1"
START = 1_782_000_000.0


def _notes(durations, *, taken=()):
    """Of runs of a → b, conditional, that took so long at a; those in `taken` called b."""
    graph = graph_of({"a": "b"}, conditional="a#0", name="example")
    records = []
    for i, duration_s in enumerate(durations):
        outcome = Outcome.SENT if i in taken else Outcome.SKIPPED
        called = SuccessorRecord("a#0", "b", HOME, outcome, 0, 0.0, 0.01)
        run = {"run_id": f"run-{i}", "region": HOME}
        records.append(record_of("a", started_at=START + i, duration_s=duration_s, successors=(called,), **run))
        if i in taken:
            records.append(record_of("b", started_at=START + i + 0.5, edge="a#0", sent_at=START + i, **run))
    counted = RecordFilter(graph, HOME, {"a": 1769, "b": 1769}, frozenset({HOME}))
    return sample_notes(observe(records, counted), graph)


@pytest.mark.parametrize(("runs", "share"), [(2, "100%"), (60, "5%")])
def test_notes_when_no_run_made_a_call_then_say_how_often_it_may_come(runs, share):
    """Three in n, not none."""
    assert _notes([1.0] * runs)["calls_never_made"] == f"a > b, up to {share} of its runs may"


def test_notes_when_a_run_made_the_call_then_there_is_nothing_to_say():
    """Its share is known."""
    assert _notes([1.0] * 30, taken={4}) == {}


@pytest.mark.parametrize(("newer", "said"), [(1.5, True), (0.5, True), (1.05, False)])
def test_notes_when_newer_runs_take_more_or_less_then_say_so_beyond_a_tenth(newer, said):
    """Thirty old ones and thirty new ones, which differ among themselves by some per cent."""
    chance = random.Random(1)
    durations = [mean * chance.uniform(0.95, 1.05) for mean in [1.0] * 30 + [newer] * 30]
    assert ("runs_change" in _notes(durations, taken={0, 59})) is said


def test_notes_when_halves_differ_by_chance_then_there_is_nothing_to_say():
    """Runs with a heavy tail."""
    chance = random.Random(2)
    durations = [chance.lognormvariate(0, 1.0) for _ in range(60)]
    assert "runs_change" not in _notes(durations, taken={0})


def test_notes_when_runs_are_few_then_halves_are_not_compared():
    """Ten against nine would say little."""
    assert "runs_change" not in _notes([1.0] * 9 + [3.0] * 10, taken={0})
