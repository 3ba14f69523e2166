"""How runs and traces are shown, and what the verbs' options take."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from builders import graph_of

from caribou.cli.console import Terminal, print_view
from caribou.cli.load import load_view
from caribou.cli.logs import nodes_of
from caribou.cli.main import main
from caribou.cli.run_end import end
from caribou.cli.run_lookup import found_run
from caribou.cli.runs import run_json, seconds_of
from caribou.cli.trace_view import failure_lines, runs_table, trace_view
from caribou.control.load.summary import Failure, Spread, Summary
from caribou.control.runs.failure import FailureLog
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
    assert "waiting, 1 of 1" in text
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
    assert "us-east-1 !" in text
    assert "! a ran in us-east-1, not us-west-2" in text
    assert "home forwarded it in 0.010 s" in text
    assert "it began with another graph" in text


def test_runs_when_shown_then_each_has_a_row():
    """State, time, placement, and where one failed."""
    failed = replace(DONE, state=RunState.FAILED, failed_node="b", error="ValueError")
    home = replace(DONE, run=replace(RUN, run_id="r2", stays_home=True))
    text = shown(runs_table([failed, home], "Runs of flow"))
    assert "11-14 22:13:20  FAILED        2.50  0123456789\n  failed at b\n" in text
    assert "stays home" in text
    assert run_json(failed)["failed_node"] == "b"
    assert run_json(failed)["seconds"] == 2.5


@pytest.mark.parametrize("length", [32, 33, 80])
def test_runs_when_ids_are_long_then_each_stands_whole_and_all_else_fits_into_80_columns(length):
    """A name has up to 80 characters, an id of ours 32."""
    item = replace(DONE, run=replace(RUN, run_id="x" * length, stays_home=True))
    lines = printed(runs_table([item], "Runs of flow"), soft_wrap=True)
    assert max(len(line) for line in lines) <= 80
    assert any(line.split()[0] == "x" * length for line in lines)


def printed(view, **options):
    """The lines that come out of a pipe, where a console has 80 columns."""
    output = io.StringIO()
    terminal = Terminal(file=output, width=80)
    if options:
        terminal.print(view, **options)
    else:
        print_view(view, terminal)
    return [line.rstrip() for line in output.getvalue().splitlines()]


def test_trace_when_it_is_printed_then_its_tree_fits_into_80_columns_and_lines_of_text_stay_whole():
    """Long names and notes fold; an error that somebody searches for does not."""
    long = "transcode_video_into_small:split_the_video_entry_point_0_1:12"
    nodes = (
        node("begin:entry_point:0", targets=long, is_critical=True),
        replace(node(long, state=NodeState.FAILED, is_parked=True, error="E" * 150), planned_region="ap-southeast-2"),
    )
    lines = printed(trace_view(trace(*nodes, item=replace(DONE, state=RunState.FAILED, failed_node=long))))
    table = lines[2 : next(i for i, line in enumerate(lines) if line.startswith("* on"))]
    assert max(len(line) for line in table) <= 80
    assert f"{long}: {'E' * 150}" in lines
    assert "1.250 s" in table[1]


def test_state_when_a_run_failed_then_it_is_red_on_a_terminal_alone():
    """What is piped has no colours."""
    failed = replace(DONE, state=RunState.FAILED, failed_node="b")
    for view in (runs_table([failed], "Runs"), trace_view(trace(node("b"), item=failed))):
        output = io.StringIO()
        Terminal(file=output, force_terminal=True, width=80).print(view)
        assert "\x1b[1;31mFAILED" in output.getvalue()
        assert "\x1b" not in shown(view)


def test_load_when_it_is_printed_then_its_tables_fit_into_80_columns():
    """Times of minutes, several sets of regions, and an error with a long text."""
    spread = Spread(1000, *(123.456,) * 7)
    failure = Failure("right:begin_0_1:2", "ValueError: " + "so " * 60, 12, "load-4ac70df1-00012")
    by_regions = {("eu-central-1", "us-west-2"): spread, ("us-west-2",): spread}
    found = Summary(9, 9, 8, 1, 0, 0, 0, spread, spread, by_regions, (failure,), 3)
    lines = printed(load_view(found, "Load load-4ac70df1 of small_sync_example"))
    assert max(len(line) for line in lines if not line.startswith("warning")) <= 80
    assert any("load-4ac70df1-00012" in line for line in lines)


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


def test_failure_when_its_log_is_known_then_the_line_and_where_to_read_on_are_shown():
    """Plain lines, which can be copied."""
    found = FailureLog("b", HOME, "/aws/lambda/g", "s", ("Traceback (most recent call last):",), "app.py, line 3, in b")
    assert list(failure_lines(found)) == [
        "",
        "b failed at app.py, line 3, in b",
        "  Traceback (most recent call last):",
        "log: /aws/lambda/g in us-east-1, stream s",
        f"console: {found.console}",
    ]


class Interrupted:
    """Runs of which one is waited for until somebody presses Ctrl-C."""

    def wait(self, run_id, *, limit_s):
        """He does."""
        raise KeyboardInterrupt(run_id, limit_s)


def test_wait_when_it_is_interrupted_then_the_run_s_id_is_said_and_how_to_look_at_it(capsys):
    """The run goes on; the exit code is that of a command that SIGINT ended."""
    with pytest.raises(SystemExit) as exit_:
        end(Interrupted(), "r1", limit_s=1.0, as_json=False)
    assert exit_.value.code == 130
    said = capsys.readouterr().err
    assert "Run r1 goes on" in said
    assert "caribou trace r1" in said
    assert "caribou cancel r1" in said


@pytest.mark.parametrize(
    ("written", "nodes"), [(None, {"a", "b:1", "b:2"}), ("b", {"b:1", "b:2"}), ("b:1", {"b:1"}), ("c", None)]
)
def test_logs_when_a_node_is_named_then_it_or_those_of_a_function_are_meant(written, nodes):
    """Another name is a mistake, with the ones there are."""
    graph = graph_of({"a": "b:1 b:2"})
    named = [replace(node, function=node.name[0]) for node in graph.nodes]
    graph = replace(graph, nodes=tuple(named))
    if nodes is None:
        with pytest.raises(InvalidInputError, match="--node"):
            nodes_of(written, graph)
    else:
        assert nodes_of(written, graph) == nodes
