"""Regions that are gone, and a control plane that never was."""

import contextlib
import json
import os
import urllib.request

import pytest

from caribou.model.run import RunState
from caribou.runtime.sweeping import Swept

pytestmark = pytest.mark.local_cloud
slow = pytest.mark.skipif("CARIBOU_CHAOS_RUNS" not in os.environ, reason="slow: set CARIBOU_CHAOS_RUNS")


def payload_of(**changes):
    """A run of storm in which nothing is ordered to go wrong."""
    quiet = {"right": True, "side": True, "late": True, "orders": {}, "seconds": 0.0, "pad": 0}
    return {**quiet, **changes}


def outputs(project, run_id):
    """What the last node noted."""
    return [sorted(name for name, _ in note["output"]) for note in project.notes(run_id) if note["node"] == "last"]


@pytest.mark.parametrize("cut", ["REFUSED", pytest.param("UNAVAILABLE", marks=slow)])
def test_region_when_it_is_cut_off_then_its_plain_nodes_run_at_home(calm, storm, cut):
    """`keep` is placed in a region that takes nothing: it runs at home, and its record says so."""
    calm.proxy.weather = storm.Weather(cut={storm.NORTH: storm.Cut[cut]})
    run_id = f"cut-{cut.lower()}"

    calm.project.start("sizes", "hello", run_id)

    assert calm.project.ended("sizes", run_id) is RunState.SUCCEEDED
    records = [record for record in calm.project.records("sizes") if record["run_id"] == run_id]
    assert {record["region"] for record in records} == {storm.HOME}
    assert [s["outcome"] for record in records for s in record["successors"]] == ["rerouted"]


def test_region_when_it_comes_back_then_the_sync_node_that_waited_there_runs_once(calm, storm):
    """Sync state is waited for, not split: while its region is away the run stays open, then it goes on."""
    calm.proxy.weather = storm.Weather(cut={storm.NORTH: storm.Cut.REFUSED})
    calm.project.start("storm", payload_of(), "back-again")
    storm.eventually(lambda: calm.project.sweep("storm").get("resent"), 60, "a message that is sent again")
    assert calm.project.state("storm", "back-again") is RunState.RUNNING

    calm.proxy.weather = storm.Weather()

    assert calm.project.ended("storm", "back-again", limit_s=150) is RunState.SUCCEEDED
    assert outputs(calm.project, "back-again") == [["late", "left", "right", "start"]]


@contextlib.contextmanager
def removed(functions, name):
    """Remove a function, and put it back as it was."""
    found = functions.get_function(FunctionName=name)
    kept = {key: found["Configuration"][key] for key in ("Runtime", "Handler", "Role", "Timeout", "MemorySize")}
    settings = functions.get_function_event_invoke_config(FunctionName=name, Qualifier="$LATEST")
    with urllib.request.urlopen(found["Code"]["Location"], timeout=30) as answer:
        code = answer.read()
    functions.delete_function(FunctionName=name)
    try:
        yield
    finally:
        functions.create_function(
            FunctionName=name, Code={"ZipFile": code}, Environment=found["Configuration"]["Environment"], **kept
        )  # fmt: skip
        functions.put_function_event_invoke_config(FunctionName=name, DestinationConfig=settings["DestinationConfig"])


def test_function_when_it_was_removed_too_early_then_its_message_waits_with_run_node_and_attempt(calm, storm):
    """SNS can't deliver: the message lies in the failure queue, is sent again, and runs once its function is back."""
    ports = calm.project.sweeper("sizes").ports
    with removed(calm.project.cloud.client("lambda", storm.NORTH), "caribou-dev-sizes-keep"):
        calm.project.start("sizes", "hello", "too-early")
        (event,) = storm.eventually(lambda: ports.failures.receive(storm.NORTH, "keep"), 30, "a failed event")
    message = json.loads(event.message)
    assert event.error_type is None
    assert (message["run_id"], message["node"].partition(":")[0], message["attempt"]) == ("too-early", "keep", 0)
    assert calm.project.state("sizes", "too-early") is RunState.RUNNING

    queues = calm.project.cloud.client("sqs", storm.NORTH)
    url = queues.get_queue_url(QueueName="caribou-dev-sizes-keep")["QueueUrl"]
    queues.change_message_visibility(QueueUrl=url, ReceiptHandle=event.handle, VisibilityTimeout=0)

    assert calm.project.ended("sizes", "too-early") is RunState.SUCCEEDED


def test_run_when_user_code_fails_for_good_then_a_redrive_goes_on_from_there(calm):
    """The failing node is named, what its siblings did is kept, and only what had not run runs after the redrive."""
    (calm.project.folder / "healed").unlink(missing_ok=True)
    calm.project.start("storm", payload_of(orders={"right": ["poison"]}), "poisoned")
    assert calm.project.ended("storm", "poisoned") is RunState.FAILED
    item = calm.project.sweeper("storm").ports.runs.get("poisoned")
    assert item.failed_node.startswith("right:")
    assert "StormError: poison" in item.error

    (calm.project.folder / "healed").touch()
    assert [parked.node for parked in calm.project.sweeper("storm").redrive("poisoned")] == [item.failed_node]

    assert calm.project.ended("storm", "poisoned") is RunState.SUCCEEDED
    nodes = [note["node"] for note in calm.project.notes("poisoned")]
    assert nodes.count("right") == 4
    assert all(nodes.count(node) == 1 for node in ("start", "left", "side", "late", "join", "last"))


@slow
def test_node_when_lambda_ends_it_at_its_time_limit_then_the_next_attempt_runs(calm):
    """A function that sleeps past its limit is killed and tried again: the run succeeds."""
    calm.project.start("storm", payload_of(orders={"left": ["sleep"]}), "asleep")

    assert calm.project.ended("storm", "asleep", limit_s=60) is RunState.SUCCEEDED
    assert [note["node"] for note in calm.project.notes("asleep")].count("left") == 2


def test_runs_when_there_is_no_control_plane_then_they_succeed(calm, storm):
    """No control-plane table exists, and the registration is deleted: runs do not notice."""
    tables = [
        name for r in storm.REGIONS for name in calm.project.cloud.client("dynamodb", r).list_tables()["TableNames"]
    ]
    assert not [name for name in tables if name.startswith(("caribou-dev-facts", "caribou-dev-records"))]
    registration = storm.WorkflowNames("storm").registration
    calm.project.cloud.client("ssm", storm.WEST).delete_parameter(Name=registration)

    calm.project.start("storm", payload_of(), "alone")

    assert calm.project.ended("storm", "alone") is RunState.SUCCEEDED


def test_sweeper_when_nothing_is_open_then_it_does_nothing(calm, storm):
    """A sweep of an idle workflow costs a look at the list and at the entry's queue."""
    assert calm.project.sweep(storm.SAMPLE) == storm.asdict(Swept())
