"""small_sync_example: its output for every kind of input, and its graph."""

import json
from pathlib import Path

import pytest

from caribou.model.source.derive import derive_graph

FOLDER = Path(__file__).parents[2] / "workflows" / "small_sync_example"
SWITCHES = ("execute_1", "execute_2", "execute_3", "execute_4")


def output(app, event):
    """What a run puts out: an edge whose switch is off carries nothing, and a sync node without input does not run."""
    task = app.task_of(event)
    first, second, third = app.parts_of(task["limit"])
    sent = [(first, "execute_1"), (second, "execute_2"), (app.counted_part(third), "execute_4")]
    parts = [part for part, switch in sent if task[switch]]
    messages = [{"limit": task["limit"]}] if task["execute_3"] else []
    messages += [app.joined_counts(parts)] if parts else []
    return app.summary_of(messages) if messages else None


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (None, {"limit": 30000, "parts": {"first": 1229, "second": 1033, "third": 983}, "primes": 3245}),
        ({"execute_2": False}, {"limit": 30000, "parts": {"first": 1229, "third": 983}, "primes": 2212}),
        (
            {"execute_3": False},
            {"limit": None, "parts": {"first": 1229, "second": 1033, "third": 983}, "primes": 3245},
        ),
        (
            {"execute_1": False, "execute_2": False, "execute_4": False},
            {"limit": 30000, "parts": {}, "primes": 0},
        ),
        (dict.fromkeys(SWITCHES, False), None),
    ],
)
def test_output_when_switches_are_set_then_is_as_the_readme_says(app, event, expected):
    """The table in the README, row by row."""
    assert output(app, event) == expected


def test_output_when_given_the_sample_input_then_has_all_parts(app):
    """The sample input is what the README calls all switches on."""
    sample = json.loads((FOLDER / "samples" / "input.json").read_text())
    assert output(app, sample) == output(app, {})


@pytest.mark.parametrize(("limit", "primes"), [(0, 0), (1, 0), (2, 0), (3, 1), (10, 4), (100, 25), (1_000_000, 78498)])
def test_output_when_the_limit_is_changed_then_counts_the_primes_below_it(app, limit, primes):
    """The prime counting function, at values known from tables."""
    assert output(app, {"limit": limit})["primes"] == primes


def test_counted_part_when_it_is_counted_already_then_stays_as_it_is(app):
    """The sync node does not repeat what second_function did."""
    counted = {"part": "third", "start": 0, "stop": 10, "primes": 99}
    assert app.counted_part(counted) == counted


@pytest.mark.parametrize("limit", [-1, 1.5, "10", True, 1_000_001])
def test_task_of_when_the_limit_is_wrong_then_names_it(app, limit):
    """A wrong event fails the run with a message that helps."""
    with pytest.raises(ValueError, match="limit must be a whole number"):
        app.task_of({"limit": limit})


@pytest.mark.parametrize("event", ["text", 3, [1]])
def test_task_of_when_the_event_is_no_object_then_says_so(app, event):
    """An event may be any JSON value, but not for this workflow."""
    with pytest.raises(TypeError, match="the event must be an object"):
        app.task_of(event)


def test_graph_when_derived_then_has_two_sync_nodes_one_behind_the_other():
    """One sync node is called twice by one function and once through another, and feeds the second."""
    graph = derive_graph(FOLDER)
    function = {node.name: node.function for node in graph.nodes}
    assert [(function[edge.source], function[edge.target], edge.conditional) for edge in graph.edges] == [
        ("initial_function", "sync_function", True),
        ("initial_function", "sync_function", True),
        ("initial_function", "second_sync_function", True),
        ("initial_function", "second_function", True),
        ("second_function", "sync_function", False),
        ("sync_function", "second_sync_function", False),
    ]
    assert [(node.function, node.sync) for node in graph.nodes] == [
        ("initial_function", False),
        ("second_function", False),
        ("sync_function", True),
        ("second_sync_function", True),
    ]
