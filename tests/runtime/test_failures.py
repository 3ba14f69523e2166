"""What happens when user code fails, and what must not be left behind in the process."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import BACKSTOP_S

from caribou.model.errors import InvalidPayloadError, InvalidWorkflowError
from caribou.runtime import CaribouWorkflow
from caribou.runtime.event import Delivery
from caribou.runtime.testing import LocalRunner

HOME = "us-east-1"


def _failing(_):
    """User code that fails at once."""
    raise ValueError("not so")


def test_function_when_it_fails_once_then_it_is_tried_again_and_both_tries_have_records(graph_of, script_of):
    """The record of a failed try has the error; the next attempt has the next number."""
    graph = graph_of({"a": "b"})
    script = script_of(graph, flaky={"b": 1})
    result = LocalRunner(graph, script.functions).run("x")
    tries = [(record.attempt, record.error) for record in result.records if record.node == "b"]
    assert tries == [(1, "RuntimeError: b fails"), (2, None)]
    assert (result.state, result.failed_node) == ("SUCCEEDED", None)


def test_function_when_its_third_attempt_fails_then_the_run_has_failed_there(graph_of, script_of):
    """The run item names the node; the other branches have run."""
    graph = graph_of({"a": "b c", "b": "s", "c": "s"}, sync="s")
    runner = LocalRunner(graph, script_of(graph).functions | {"b": _failing})
    result = runner.run("x")
    assert (result.state, result.failed_node) == ("FAILED", "b")
    assert runner.cloud.runs.items["run"].error == "ValueError: not so"
    assert [str(error) for error in result.errors] == ["not so"] * 3
    assert result.nodes == ("a", "c")
    assert [record.attempt for record in result.records if record.error] == [1, 2, 3]


@pytest.mark.parametrize("attempts", [1, 2])
def test_function_when_attempts_are_left_then_the_run_is_still_open(graph_of, script_of, attempts):
    """A failing try isn't a failed run."""
    graph = graph_of({"a": ""})
    runner = LocalRunner(graph, script_of(graph, flaky={"a": 9}).functions)
    for _ in range(attempts):
        with pytest.raises(RuntimeError, match="a fails"):
            runner.runner("a", HOME).handle(Delivery("x", id="run", request_id="r", from_topic=True), cold_start=False)
    assert runner.result("run").state == "RUNNING"


def test_function_when_it_fails_after_sending_then_its_record_has_what_was_sent(graph_of, script_of):
    """Sends that have begun are waited for, so that the record doesn't depend on threads."""
    graph = graph_of({"a": "b c d"})
    runner = LocalRunner(graph, script_of(graph, flaky={"a": 1}, skip={"a#1"}).functions)
    result = runner.run("x")
    first, second = (record for record in result.records if record.node == "a")
    assert [sent.outcome for sent in first.successors] in (
        ["sent", "skipped", "sent"],
        ["sent", "skipped"],
        ["sent"],
    )
    assert {sent.edge for sent in first.successors} <= {"a#0", "a#1", "a#2"}
    assert [sent.outcome for sent in second.successors] == ["sent", "skipped", "sent"]
    assert sorted(result.nodes) == ["a", "b", "d"]


def test_send_when_it_is_slow_and_user_code_fails_then_nothing_is_sent_after_the_record(
    graph_of, script_of, monkeypatch
):
    """A send in flight at the failure is in the record, and none runs on into the next request."""
    graph = graph_of({"a": "b c"})
    script, begun, failed = script_of(graph), threading.Event(), threading.Event()
    runner = LocalRunner(graph, dict(script.functions))
    publish, shutdown = runner.cloud.bus.publish, ThreadPoolExecutor.shutdown

    def slowly(region, function, message):
        begun.set()
        assert failed.wait(BACKSTOP_S)
        publish(region, function, message)

    def noticed(pool, **options):
        failed.set()  # user code has failed, and what has begun is waited for
        shutdown(pool, **options)

    @script.workflow.serverless_function(name="a")
    def failing(_):
        script.workflow.invoke_serverless_function(script.functions["b"], "x")
        assert begun.wait(BACKSTOP_S)
        raise RuntimeError("with a send in flight")

    runner.functions = script.functions | {"a": failing}
    runner.start("x", "run")
    (start,) = runner.cloud.bus.take()
    runner.cloud.bus.publish = slowly
    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", noticed)
    with pytest.raises(RuntimeError, match="in flight"):
        runner.runner("a", HOME).handle(
            Delivery(json.loads(start.text), id="m", request_id="r", from_topic=True), cold_start=False
        )
    assert [message.function for message in runner.cloud.bus.take()] == ["b"]
    assert [successor.edge for successor in runner.records[0].successors] == ["a#0"]


def test_process_when_a_request_failed_then_the_next_one_begins_anew(graph_of, script_of):
    """Calls that a failed request made are not counted in the next."""
    graph = graph_of({"a": "b c"})
    script = script_of(graph)
    failing = [True]

    @script.workflow.serverless_function(name="a")
    def once(payload):
        script.workflow.invoke_serverless_function(script.functions["b"], payload)
        if failing.pop() if failing else False:
            raise RuntimeError("between two calls")
        script.workflow.invoke_serverless_function(script.functions["c"], payload)

    runner = LocalRunner(graph, script.functions | {"a": once})
    process = runner.runner("a", HOME)
    with pytest.raises(RuntimeError):
        process.handle(Delivery("first", id="run-1", request_id="r-1", from_topic=True), cold_start=True)
    process.handle(Delivery("second", id="run-2", request_id="r-2", from_topic=True), cold_start=False)
    runner.deliver_all()
    assert sorted(script.received["b"]) == ["first", "second"]
    assert script.received["c"] == ["second"]
    assert runner.result("run-2").state == "SUCCEEDED"
    assert runner.result("run-1").state == "RUNNING"


@pytest.mark.parametrize("fails", [False, True])
def test_call_when_no_request_is_running_then_it_is_refused(graph_of, script_of, fails):
    """After a request, ended well or not, the workflow's calls refer to nothing."""
    graph = graph_of({"a": "b"})
    script = script_of(graph, flaky={"a": 3 * fails})
    LocalRunner(graph, script.functions).run("x")
    with pytest.raises(InvalidWorkflowError, match="in a run only"):
        script.workflow.invoke_serverless_function(script.functions["b"], 1)
    with pytest.raises(InvalidWorkflowError, match="in a run only"):
        script.workflow.get_run_id()


def _run_with(graph, script, function):
    """Run with another entry function; the errors."""
    entry = script.workflow.serverless_function(name="a")(function)
    return LocalRunner(graph, script.functions | {"a": entry}).run("x").errors


def test_call_when_the_payload_can_not_travel_then_user_code_fails_there(graph_of, script_of):
    """The error is raised at the call, where the traceback helps."""
    graph = graph_of({"a": "b"})
    script = script_of(graph)
    invoke = script.workflow.invoke_serverless_function
    errors = _run_with(graph, script, lambda _: invoke(script.functions["b"], {"a": {1, 2}}))
    assert [type(error) for error in errors] == [InvalidPayloadError] * 3


def test_call_when_it_is_not_the_one_that_was_deployed_then_it_is_refused(graph_of, script_of):
    """Source and graph that have drifted apart are found at the call, by order and by number."""
    graph = graph_of({"a": "b c"})
    script = script_of(graph)
    invoke, named = script.workflow.invoke_serverless_function, script.functions
    errors = _run_with(graph, script, lambda _: invoke(named["c"], 1))
    assert "call 0 of a is not the one that was deployed" in str(errors[0])
    errors = _run_with(graph, script, lambda _: [invoke(named[name], 1) for name in "bcc"])
    assert "call 2 of a" in str(errors[0])


def test_call_when_the_function_is_not_registered_then_it_is_refused(graph_of, script_of):
    """A function without the decorator is no successor."""
    graph = graph_of({"a": "b"})
    script = script_of(graph)
    errors = _run_with(graph, script, lambda _: script.workflow.invoke_serverless_function(print, 1))
    assert "not the one that was deployed" in str(errors[0])


def test_predecessor_data_when_the_node_is_no_sync_node_then_it_is_refused(graph_of, script_of):
    """Reading predecessors' data where there is none to wait for is a mistake in the source."""
    graph = graph_of({"a": ""})
    script = script_of(graph)
    errors = _run_with(graph, script, lambda _: script.workflow.get_predecessor_data())
    assert "no sync node" in str(errors[0])


def test_function_when_it_is_registered_then_it_stays_a_plain_function():
    """A test may call a user's function as it is."""
    workflow = CaribouWorkflow("flow", "0.0.1")

    @workflow.serverless_function(name="double", entry_point=True, environment_variables=[{"key": "A", "value": "b"}])
    def twice(number):
        return number * 2

    assert twice(4) == 8


@pytest.mark.parametrize("owner", ["same", "another"])
def test_delivery_when_the_node_has_run_then_only_its_own_retry_runs_it_again(graph_of, script_of, owner):
    """Lambda's retry shares the request id; a message that comes again has another one and is dropped."""
    graph = graph_of({"a": ""})
    script = script_of(graph)
    process = LocalRunner(graph, script.functions).runner("a", HOME)
    process.handle(Delivery("x", id="run", request_id="same", from_topic=True), cold_start=True)
    answer = process.handle(Delivery("x", id="run", request_id=owner, from_topic=True), cold_start=False)
    assert answer["state"] == ("ran" if owner == "same" else "duplicate")
    assert len(script.received["a"]) == (2 if owner == "same" else 1)
