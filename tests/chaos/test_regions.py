"""Regions that are gone, and a control plane that never was."""

import contextlib
import json
import urllib.request
from collections import Counter
from dataclasses import asdict

import pytest
from deployed import HOME, NORTH, REGIONS, SAMPLE, SIZES, STORM, WEST
from faults import Cut, Weather
from waiting import BACKSTOP_S, eventually

from caribou.model.names import WorkflowNames
from caribou.model.run.item import RunState
from caribou.runtime.sweeping import Swept

pytestmark = pytest.mark.local_cloud


def payload_of(**changes):
    """A run of storm in which nothing is ordered to go wrong."""
    quiet = {"right": True, "side": True, "late": True, "orders": {}, "seconds": 0.0, "pad": 0}
    return {**quiet, **changes}


def outputs(project, run_id):
    """What the last node noted."""
    return [sorted(name for name, _ in note["output"]) for note in project.notes(run_id) if note["node"] == "last"]


def executions(project, run_id):
    """How often each of storm's functions noted that it ran."""
    return Counter(note["node"] for note in project.notes(run_id))


def good_records(place, workflow, run_id, functions):
    """The records of a run's executions that ended well, once each of the functions has left one."""
    of_run = (record for record in place.project.records(workflow) if record["run_id"] == run_id)
    records = [record for record in of_run if record["error"] is None]
    return records if functions <= {record["function"] for record in records} else []


@pytest.mark.parametrize("cut", [Cut.REFUSED, pytest.param(Cut.UNAVAILABLE, marks=pytest.mark.slow)])
def test_region_when_it_is_cut_off_then_its_plain_nodes_run_at_home(calm, cut):
    """`keep` is placed in a region that takes nothing: it runs at home, and its record says so."""
    calm.proxy.weather = Weather(cut={NORTH: cut})
    run_id = f"cut-{cut.value}"

    calm.project.start(SIZES, "hello", run_id)

    assert calm.project.ended(SIZES, run_id) is RunState.SUCCEEDED
    records = eventually(lambda: good_records(calm, SIZES, run_id, {"take", "keep"}), "the records of both nodes")
    assert {record["region"] for record in records} == {HOME}
    assert [s["outcome"] for record in records for s in record["successors"]] == ["rerouted"]


def test_region_when_it_comes_back_then_the_sync_node_that_waited_there_runs_once(calm):
    """Sync state is waited for, not split: while its region is away the run stays open, then it goes on."""
    calm.proxy.weather = Weather(cut={NORTH: Cut.REFUSED})
    calm.project.start(STORM, payload_of(), "back-again")
    eventually(lambda: calm.project.sweep(STORM).get("resent"), "a message that is sent again")
    assert calm.project.state(STORM, "back-again") is RunState.RUNNING

    calm.proxy.weather = Weather()

    assert calm.project.ended(STORM, "back-again") is RunState.SUCCEEDED
    assert outputs(calm.project, "back-again") == [["late", "left", "right", "start"]]


@contextlib.contextmanager
def removed(functions, name):
    """Remove a function, and put it back as it was."""
    found = functions.get_function(FunctionName=name)
    kept = {key: found["Configuration"][key] for key in ("Runtime", "Handler", "Role", "Timeout", "MemorySize")}
    settings = functions.get_function_event_invoke_config(FunctionName=name, Qualifier="$LATEST")
    with urllib.request.urlopen(found["Code"]["Location"], timeout=BACKSTOP_S) as answer:
        code = answer.read()
    functions.delete_function(FunctionName=name)
    try:
        yield
    finally:
        functions.create_function(
            FunctionName=name, Code={"ZipFile": code}, Environment=found["Configuration"]["Environment"], **kept
        )  # fmt: skip
        functions.put_function_event_invoke_config(FunctionName=name, DestinationConfig=settings["DestinationConfig"])


def failed_in_north(project, failures):
    """A run whose message could not be delivered in NORTH, and that event.

    A process that found NORTH silent in another test does not ask it for a while, and its run ends at home: then
    another run is started.
    """
    runs = []

    def look():
        if not runs or project.state(SIZES, runs[-1]) is RunState.SUCCEEDED:
            runs.append(f"too-early-{len(runs)}")
            project.start(SIZES, "hello", runs[-1])
        return failures.receive(NORTH, "keep")

    events = eventually(look, "a failed event")
    return runs[-1], events


def test_function_when_it_was_removed_too_early_then_its_message_waits_with_run_node_and_attempt(calm):
    """SNS can't deliver: the message lies in the failure queue, is sent again, and runs once its function is back."""
    ports = calm.project.ports(SIZES)
    with removed(calm.project.cloud.client("lambda", NORTH), "caribou-dev-sizes-keep"):
        run_id, (event,) = failed_in_north(calm.project, ports.failures)
    message = json.loads(event.message)
    assert event.error_type is None
    assert (message["run_id"], message["node"].partition(":")[0], message["attempt"]) == (run_id, "keep", 0)
    assert calm.project.state(SIZES, run_id) is RunState.RUNNING

    queues = calm.project.cloud.client("sqs", NORTH)
    url = queues.get_queue_url(QueueName="caribou-dev-sizes-keep")["QueueUrl"]
    queues.change_message_visibility(QueueUrl=url, ReceiptHandle=event.handle, VisibilityTimeout=0)

    assert calm.project.ended(SIZES, run_id) is RunState.SUCCEEDED


def test_run_when_user_code_fails_for_good_then_a_redrive_goes_on_from_there(calm):
    """The failing node is named, what its siblings did is kept, and only what had not run runs after the redrive."""
    project, siblings = calm.project, {"start", "left", "side", "late"}
    (project.folder / "healed").unlink(missing_ok=True)
    project.start(STORM, payload_of(orders={"right": ["poison"]}), "poisoned")
    assert project.ended(STORM, "poisoned") is RunState.FAILED
    item = project.ports(STORM).runs.get("poisoned")
    assert item.failed_node.startswith("right:")
    assert "StormError: poison" in item.error
    eventually(lambda: good_records(calm, STORM, "poisoned", siblings), "the ends of its siblings")
    eventually(lambda: project.sweep(STORM) and project.ports(STORM).parking.parked("poisoned"), "its message")
    before = executions(project, "poisoned")

    (project.folder / "healed").touch()
    assert [sent.node for sent in project.redrive(STORM, "poisoned").sent] == [item.failed_node]

    assert project.ended(STORM, "poisoned") is RunState.SUCCEEDED
    assert before == {"right": 3, **dict.fromkeys(siblings, 1)}
    assert executions(project, "poisoned") - before == dict.fromkeys(("right", "join", "last"), 1)


@pytest.mark.slow
def test_node_when_lambda_ends_it_at_its_time_limit_then_the_next_attempt_runs(calm):
    """A function that sleeps past its limit is killed and tried again: the run succeeds."""
    calm.project.start(STORM, payload_of(orders={"left": ["sleep"]}), "asleep")

    assert calm.project.ended(STORM, "asleep") is RunState.SUCCEEDED
    assert [note["node"] for note in calm.project.notes("asleep")].count("left") == 2


def test_runs_when_there_is_no_control_plane_then_they_succeed(calm):
    """No control-plane table exists, and the registration is deleted: runs do not notice."""
    tables = [name for r in REGIONS for name in calm.project.cloud.client("dynamodb", r).list_tables()["TableNames"]]
    assert not [name for name in tables if name.startswith(("caribou-dev-facts", "caribou-dev-records"))]
    registration = WorkflowNames(STORM).registration
    calm.project.cloud.client("ssm", WEST).delete_parameter(Name=registration)

    calm.project.start(STORM, payload_of(), "alone")

    assert calm.project.ended(STORM, "alone") is RunState.SUCCEEDED


def test_sweeper_when_nothing_is_open_then_it_does_nothing(calm):
    """A sweep of an idle workflow costs a look at the list and at the entry's queue."""
    assert calm.project.sweep(SAMPLE) == asdict(Swept()) | {"problems": []}
