"""How runs and traces are shown, and what the verbs' options take."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from caribou.cli.console import Terminal
from caribou.cli.main import main
from caribou.cli.run_lookup import found_run
from caribou.cli.runs import run_json, seconds_of
from caribou.cli.trace_view import runs_table, trace_view
from caribou.control.runs.trace import EdgeTrace, NodeState, NodeTrace, Trace
from caribou.model.errors import InvalidInputError
from caribou.model.run.envelope import Run
from caribou.model.run.item import RunItem, RunState

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = "us-east-1"
RUN = Run("r1", "0.0.1", "g", "0123456789abcdef", {}, 1_700_000_000.0, 1_700_086_400.0)
DONE = RunItem(RUN, frozenset({"s"}), RunState.SUCCEEDED, ended_at=1_700_000_002.5)


def node(name, state=NodeState.RAN, targets="", **fields):
    """A node with an edge to each target."""
    edges = tuple(EdgeTrace(f"{name}#{i}", target, "sent", 10) for i, target in enumerate(targets.split()))
    values = {"attempts": 1, "began_s": 0.5, "duration_s": 1.25, "bytes_in": 10, "bytes_out": 20_500}
    return NodeTrace(name, name, state, HOME, HOME, edges=edges, **(values | fields))


def shown(view):
    """What a wide terminal without colours shows."""
    output = io.StringIO()
    Terminal(file=output, width=140).print(view)
    return output.getvalue()


def trace(*nodes, item=DONE, parents=None, **fields):
    """A trace in which each node hangs below the first edge to it, unless `parents` says otherwise."""
    found = {}
    for one in nodes:
        for edge in one.edges:
            found.setdefault(edge.node, edge.id)
    return Trace(item, "flow", nodes, found | (parents or {}), **fields)


def test_trace_when_shown_then_each_node_stands_once_in_a_tree_with_the_critical_path_marked():
    """A sync node hangs below the edge that fired it."""
    found = trace(
        node("a", targets="b c", is_critical=True),
        node("b", targets="s"),
        node("c", targets="s", is_critical=True),
        node("s", is_critical=True),
        parents={"s": "c#0"},
    )
    lines = shown(trace_view(found)).splitlines()
    assert lines[0] == "Run r1 of flow: SUCCEEDED in 2.50 s"
    assert [line[:9].rstrip() for line in lines[3:7]] == ["a *", "├─ b", "└─ c *", "   └─ s *"]
    assert "10 B" in lines[3]
    assert "20.5 KB" in lines[3]
    assert "* on the critical path" in lines


def test_trace_when_a_run_failed_then_the_exception_and_the_way_to_go_on_are_shown():
    """What a person needs next."""
    failed = node("b", NodeState.FAILED, attempts=3, error="ValueError: no [such] picture", is_parked=True)
    waiting = node("s", NodeState.WAITING, reported=1, attempts=0, began_s=None, duration_s=None, bytes_in=None)
    item = replace(DONE, state=RunState.FAILED, failed_node="b", error="ValueError: no [such] picture")
    text = shown(trace_view(trace(node("a", targets="b s"), failed, waiting, item=item)))
    assert "failed, parked" in text
    assert "b: ValueError: no [such] picture" in text
    assert "waiting, 1 reported" in text
    assert "caribou redrive r1" in text


def test_trace_when_leaves_returned_something_then_it_is_shown_below_the_tree():
    """What a person runs a workflow for; programs get it as a value."""
    done = trace(node("a"), item=replace(DONE, results={"a": '{"primes":3245}'}))
    assert 'a returned {"primes":3245}' in shown(trace_view(done))
    assert done.to_json()["results"] == {"a": {"primes": 3245}}


def test_trace_when_a_node_ran_elsewhere_then_both_regions_are_shown():
    """The deviation from the run's map."""
    away = replace(node("a"), planned_region="us-west-2")
    text = shown(trace_view(trace(away, forwarded_s=0.01, remark="it began with another graph")))
    assert "us-east-1, not us-west-2" in text
    assert "home forwarded it in 0.010 s" in text
    assert "it began with another graph" in text


def test_runs_when_shown_then_each_has_a_row():
    """State, time, placement, and where one failed."""
    failed = replace(DONE, state=RunState.FAILED, failed_node="b", error="ValueError")
    home = replace(DONE, run=replace(RUN, run_id="r2", stays_home=True))
    text = shown(runs_table([failed, home], "Runs of flow"))
    assert "0123456789ab" in text
    assert "stays home" in text
    assert "2023-11-14 22:13:20Z" in text
    assert run_json(failed)["failed_node"] == "b"
    assert run_json(failed)["seconds"] == 2.5


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h", 3600), ("1.5d", 129_600)])
def test_since_when_it_is_a_time_then_it_is_so_many_seconds(text, seconds):
    """Seconds, minutes, hours, days."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1w", "-1h", "1h30m"])
def test_since_when_it_is_no_time_then_it_is_a_mistake(text):
    """One message, and what to write."""
    with pytest.raises(InvalidInputError, match="90s, 30m, 1h or 7d"):
        seconds_of(text)


@pytest.mark.parametrize("verb", ["trace", "redrive", "cancel"])
def test_verb_when_the_workflow_does_not_exist_then_it_is_one_message_and_exit_code_2(
    verb, tmp_path, monkeypatch, capsys
):
    """A mistake is reported before AWS is asked."""
    (tmp_path / "cdk.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main([verb, "r1", "--workflow", "nothing"])
    assert exit_.value.code == 2
    assert "there is no such workflow" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["lock#deploy", "a\nb", "x" * 300, "\x1b]0;title\x07"])
def test_run_when_no_run_can_be_called_so_then_it_is_one_message_and_nobody_is_asked(name):
    """What is named on the command line is checked as names in messages are."""
    with pytest.raises(InvalidInputError, match="no name of a run") as caught:
        found_run(name, None, None)
    assert "\x1b" not in str(caught.value)


def test_docs_when_a_node_has_a_state_then_it_is_explained():
    """Every state that a trace shows has a row."""
    text = (REPOSITORY / "docs" / "runs.md").read_text()
    assert [state for state in NodeState if f"\n| {state} |" not in text] == []
