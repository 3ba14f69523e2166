"""What user code is given besides its payload, as in the reference system, and what it gets without a payload."""

import functools
from datetime import datetime, timedelta

import pytest

from caribou.runtime import CaribouWorkflow
from caribou.runtime.execution import cpu_model, wants_metadata
from caribou.runtime.testing import LocalRunner

HOME, AWAY = "us-east-1", "us-west-2"
KEYS = {
    *("workflow_name", "run_id", "current_instance_name", "current_provider", "current_region"),
    *("cpu_model", "function_start_time"),
}


def _decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


def _plain(event): ...


def _with_metadata(event, metadata): ...


def _positional_only(event, metadata, /): ...


def _with_default(event, verbose=None): ...


def _keyword_only(event, *, verbose): ...


def _any(*arguments): ...


@pytest.mark.parametrize(
    ("function", "wants"),
    [
        (_plain, False),
        (_with_metadata, True),
        (_positional_only, True),
        (_decorated(_with_metadata), True),
        (_decorated(_plain), False),
        (_with_default, False),
        (_keyword_only, False),
        (_any, False),
        (functools.partial(_with_metadata, 1), False),
        (dict.fromkeys, False),
        (type, False),
    ],
)
def test_function_when_its_second_parameter_must_be_given_then_it_wants_the_metadata(function, wants):
    """A default is kept: a function that has one did without the metadata in some version of the reference system."""
    assert wants_metadata(function) is wants


@pytest.fixture
def given(graph_of, placement_of):
    """What two functions, one at home and one elsewhere, get, and what they ask for."""
    workflow = CaribouWorkflow("flow", "0.0.1")
    seen = {}

    @workflow.serverless_function(name="a")
    def a(event, metadata):
        seen["a"] = (event, metadata, workflow.get_caribou_metadata())
        workflow.invoke_serverless_function(b, event)

    @workflow.serverless_function(name="b")
    def b(event):
        seen["b"] = (event, workflow.get_caribou_metadata(), workflow.get_caribou_metadata())

    graph = graph_of({"a": "b"})
    runner = LocalRunner(graph, {"a": a, "b": b}, placement=placement_of(graph, {"b": AWAY}))
    assert runner.run({"x": 1}, "r-1").state == "SUCCEEDED"
    return seen


def test_metadata_when_a_node_runs_then_it_names_run_node_and_region(given):
    """The second argument and the call give the same; each says where its own node runs."""
    for node, region in (("a", HOME), ("b", AWAY)):
        event, metadata, asked = given[node]
        assert event == {"x": 1}
        assert metadata == asked
        assert set(metadata) == KEYS
        assert (metadata["workflow_name"], metadata["run_id"]) == ("flow-0.0.1", "r-1")
        assert (metadata["current_instance_name"], metadata["current_region"]) == (node, region)
        assert metadata["current_provider"] == "aws"


def test_metadata_when_a_node_runs_then_its_start_is_utc_in_the_reference_system_s_format(given):
    """Code that parses the time goes on to do so."""
    started = datetime.strptime(given["a"][1]["function_start_time"], "%Y-%m-%d %H:%M:%S,%f%z")
    assert started.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("content", "model"),
    [
        ("processor\t: 0\nmodel name\t: A CPU @ 2.50GHz: new\nmodel name\t: other\n", "A CPU @ 2.50GHz: new"),
        ("processor\t: 0\nBogoMIPS\t: 243.75\n", ""),
        (None, ""),
    ],
)
def test_cpu_model_when_linux_has_it_then_it_is_the_first_one_named(tmp_path, content, model):
    """Not every machine has it, and none must fail for it."""
    path = tmp_path / "cpuinfo"
    if content is not None:
        path.write_text(content)
    assert cpu_model(path) == model


def _runner(graph, sends, seen):
    """A runner in which the entry sends some payloads, and the others note what they get."""
    workflow = CaribouWorkflow("flow", "0.0.1")

    @workflow.serverless_function(name="s")
    def s(event):
        seen.append((event, workflow.get_predecessor_data()))

    @workflow.serverless_function(name="b")
    def b(event):
        seen.append(event)

    @workflow.serverless_function(name="a")
    def a(event):
        seen.append(event)
        sends(workflow, b, s)

    return LocalRunner(graph, {"a": a, "b": b, "s": s})


def test_event_when_there_is_no_payload_then_it_is_an_empty_dict(graph_of):
    """As in the reference system: a function may look for keys, whether or not there was a payload."""
    seen = []

    def sends(workflow, b, s):
        workflow.invoke_serverless_function(b)
        workflow.invoke_serverless_function(s)
        workflow.invoke_serverless_function(s, None)

    runner = _runner(graph_of({"a": "b s s"}, sync="s"), sends, seen)
    assert runner.run(None).state == "SUCCEEDED"
    assert sorted(seen, key=str) == [({}, [{}, {}]), {}, {}]


@pytest.mark.parametrize("payload", [0, "", False, [], {}, {"x": None}])
def test_event_when_the_payload_is_falsy_then_it_is_what_was_sent(graph_of, payload):
    """Only none at all becomes an empty dict."""
    seen = []

    def sends(workflow, b, s):
        workflow.invoke_serverless_function(b, payload)
        workflow.invoke_serverless_function(s, payload)

    runner = _runner(graph_of({"a": "b s"}, sync="s"), sends, seen)
    assert runner.run(payload).state == "SUCCEEDED"
    assert seen == [payload, payload, ({}, [payload])]
    assert [repr(event) for event in seen[:2]] == [repr(payload)] * 2


def test_process_when_metadata_was_never_asked_for_then_no_file_is_read(graph_of, monkeypatch):
    """It costs nothing where nobody wants it."""
    monkeypatch.setattr("caribou.runtime.execution.cpu_model", lambda: pytest.fail("the processor was looked up"))
    seen = []
    runner = _runner(graph_of({"a": "b"}), lambda workflow, b, _: workflow.invoke_serverless_function(b), seen)
    assert runner.run({}).state == "SUCCEEDED"
