"""What is deployed, as CloudFormation says it."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from builders import record_of

from caribou.collectors.records import Cursor, InMemoryRecordTable
from caribou.control.inventory import inventory
from caribou.control.runs.run_table import RunUse, open_runs
from caribou.control.runs.unrecorded import RecordCheck, Unrecorded
from caribou.control.stacks.deployed import (
    DeployedStack,
    Found,
    deployed_workflow,
    find_stacks,
    home_stack,
    placement_in,
    stack_of,
)
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import OperationFailedError
from caribou.model.run.envelope import Run
from caribou.model.template_contract import metadata_of
from caribou.runtime.clients import Clients
from caribou.runtime.run_items import DynamoRunStore, use_in

HOME, WEST, CANADA = REGIONS = "us-east-1", "us-west-2", "ca-central-1"


def stack(status="UPDATE_COMPLETE"):
    """A stack in some status."""
    return DeployedStack("arn", "name", WEST, "w", "region", status, datetime.now(UTC))


@pytest.mark.local_cloud
def test_stacks_when_they_carry_our_tags_then_they_are_found_by_workflow_and_role(world, placed):
    """A region that waits to be retired is found whoever asks; another stage's stacks are not."""
    world.home(placed(WEST))
    world.region(WEST)
    world.region(CANADA)
    found = find_stacks(world.aws, "dev", (), REGIONS)
    assert [stack.region for stack in found.of(world.name, "region")] == [CANADA, WEST]
    assert [stack.region for stack in found.of(world.name, "home")] == [HOME]
    assert world.name in found.workflows
    assert not find_stacks(world.aws, "other", (), REGIONS).stacks


@pytest.mark.local_cloud
def test_placement_when_it_is_deployed_then_it_comes_out_of_the_template(world, placed):
    """The whole of it, and the same digest as the output's."""
    placement = placed(WEST, name=world.name, expires_at=datetime(2030, 1, 1, tzinfo=UTC))
    world.home(placement)
    deployed = deployed_workflow(world.aws, home_stack(world.aws, world.name, "dev", HOME))
    assert deployed.placement == placement
    assert deployed.placement_digest == placement.digest


def test_placement_when_the_template_is_of_before_it_was_packed_then_it_is_read(placed):
    """What an earlier version deployed is read, kept and moved as ever."""
    placement = placed(WEST, solved_at="2026-01-01T00:00:00Z")
    assert placement_in({"Metadata": {"CaribouPlacement": placement.to_json()}}, "a stack") == placement
    assert placement_in({"Metadata": metadata_of(placement.to_json())}, "a stack") == placement


@pytest.mark.local_cloud
def test_home_when_there_is_none_then_there_is_none(world):
    """Not deployed is no error."""
    assert home_stack(world.aws, world.name, "dev", HOME) is None


@pytest.mark.local_cloud
def test_placement_when_the_template_has_none_then_it_is_an_error(world, placed):
    """A stack that someone made by hand is not guessed about."""
    home = world.home(placed())
    body = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    client = world.aws.cloudformation(HOME)
    client.update_stack(StackName=home.id, TemplateBody=body)
    client.get_waiter("stack_update_complete").wait(StackName=home.id, WaiterConfig={"Delay": 1})
    with pytest.raises(OperationFailedError, match="has no placement"):
        deployed_workflow(world.aws, home)
    entries = {entry.name: entry for entry in inventory(world.aws, [world.known], world.target, 2.0)}
    assert "has no placement" in entries[world.name].trouble


@pytest.mark.local_cloud
def test_inventory_when_a_region_is_not_used_any_more_then_it_is_listed_as_waiting(world, placed):
    """What is deployed, what is left over, and how many runs are open."""
    world.home(placed(WEST, name=world.name))
    world.region(WEST)
    world.region(CANADA)
    world.begin_run("r1")
    world.begin_run("r2", state={"S": "SUCCEEDED"}, ended_at={"N": "1.0"})
    entries = {entry.name: entry for entry in inventory(world.aws, [world.known], world.target, 2.0)}
    data = entries[world.name].to_json()
    assert data["region_stacks"] == [CANADA, WEST]
    assert data["waiting_to_be_retired"] == [CANADA]
    assert data["open_runs"] == 1
    assert data["placement"]["regions"] == [HOME, WEST]
    assert data["home_region"] == HOME
    assert not data["in_project"]


@pytest.mark.local_cloud
def test_inventory_when_a_registered_workflow_is_not_deployed_then_it_is_listed_without_placement(world):
    """What is known is listed."""
    entries = {entry.name: entry for entry in inventory(world.aws, [world.known], world.target, 2.0)}
    assert entries[world.name].to_json()["placement"] is None


@pytest.mark.local_cloud
def test_inventory_when_a_region_refuses_the_credentials_then_it_says_that_what_is_there_is_not_known(world, refused):
    """Only regions that the workflow may be in are worth a word."""
    refused(CANADA, "InvalidClientTokenId")
    refused("af-south-1", "InvalidClientTokenId")
    entries = {entry.name: entry for entry in inventory(world.aws, [world.known], world.target, 2.0)}
    assert entries[world.name].to_json()["unseen_regions"] == {CANADA: "InvalidClientTokenId"}


def test_stack_when_its_first_change_set_waits_for_review_then_nobody_is_at_work_on_it():
    """It may wait for ever."""
    assert not stack("REVIEW_IN_PROGRESS").is_busy
    assert stack("UPDATE_IN_PROGRESS").is_busy


@pytest.mark.parametrize(
    ("status", "settled", "there"),
    [
        ("CREATE_COMPLETE", True, True),
        ("UPDATE_COMPLETE", True, True),
        ("UPDATE_ROLLBACK_COMPLETE", True, True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False, True),
        ("UPDATE_ROLLBACK_FAILED", False, True),
        ("DELETE_FAILED", False, True),
        ("ROLLBACK_COMPLETE", False, False),
        ("REVIEW_IN_PROGRESS", False, False),
        ("DELETE_COMPLETE", False, False),
    ],
)
def test_stack_when_its_status_is_given_then_it_is_settled_or_there_accordingly(status, settled, there):
    """Only what ended well is settled; what never came up is not there."""
    assert (stack(status).is_settled, stack(status).is_there) == (settled, there)


def test_stack_when_it_was_never_updated_then_its_creation_counts():
    """CloudFormation has no update time before the first update."""
    made = datetime(2026, 1, 1, tzinfo=UTC)
    answer = {"StackId": "arn", "StackName": "n", "StackStatus": "CREATE_COMPLETE", "CreationTime": made}
    assert stack_of(answer, WEST).changed_at == made


def test_found_when_asked_for_a_workflow_then_stacks_of_no_workflow_are_not_counted():
    """The control plane's stack has no workflow."""
    assert Found((DeployedStack("a", "n", WEST, "", "control", "X", datetime.now(UTC)),)).workflows == ()


@pytest.mark.parametrize("attributes", [{}, {"ended_at": {"N": "5"}}])
def test_run_when_its_deadline_has_passed_then_it_is_not_open_and_ended_then(attributes):
    """Nothing is sent for a run after its deadline, whoever forgot to end it; an end before a redrive is none."""
    item = {
        "run_id": {"S": "r"},
        "state": {"S": "RUNNING"},
        "regions": {"S": '{"a": "us-west-2"}'},
        "deadline": {"N": "10"},
        **attributes,
    }
    use = RunUse(**use_in(item))
    assert use.regions == {WEST}
    assert [use.is_open(now_s) for now_s in (9.0, 10.0)] == [True, False]
    assert use.end_s() == 10.0


@pytest.mark.local_cloud
def test_open_runs_when_counted_then_they_are_those_on_the_list_that_still_run(world, placed):
    """What ended, what failed and waits on the sweeper's list, and what is past its deadline is not open."""
    world.home(placed())
    world.begin_run("runs", deadline=10.0)
    world.begin_run("late", deadline=8.0)
    world.begin_run("failed", deadline=10.0, state={"S": "FAILED"}, ended_at={"N": "1"})
    assert open_runs(world.aws, world.names, HOME, 9.0) == 1


@pytest.mark.local_cloud
def test_open_runs_when_there_is_no_table_yet_then_there_are_none(world):
    """Nothing is deployed."""
    assert open_runs(world.aws, world.names, HOME, 9.0) == 0


@pytest.fixture
def known(world, placed, written_workflow, tmp_path):
    """The workflow, in the project and deployed, with one run that has records and one that has none."""
    world.home(placed())
    workflow = written_workflow(tmp_path, world.name)
    store = DynamoRunStore(Clients(), world.names.run_table, HOME)
    for run_id in ("recorded", "lost"):
        run = Run(run_id, "0.0.1", workflow.graph.digest, "p", {}, 1_000.0, 9_999.0)
        store.begin(run, frozenset({"last:first_0_0:1"}))
        store.succeed(run_id, 1_010.0)
    return KnownWorkflow(world.name, workflow, None)


class Unreadable(InMemoryRecordTable):
    """A record table that can't be read."""

    def read(self, *_):
        """As a control plane does that is not there."""
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "none"}}, "Query")


@pytest.mark.local_cloud
def test_inventory_when_a_run_left_no_record_then_it_says_of_how_many_executions(world, known):
    """Of what the newest records and some run items show; without the asking it is not looked at."""
    table = InMemoryRecordTable()
    for function in ("first", "last"):
        table.put_cursor(Cursor(world.name, HOME, world.names.log_group(function), 9_000_000))
    whole = [
        record_of(node, run_id="recorded", workflow=world.name, started_at=1_000.0)
        for node in ("first:entry_point:0", "last:first_0_0:1")
    ]
    table.put_records(whole, 30)
    [entry] = of_world(world, known, RecordCheck(world.aws, table))
    assert entry.unrecorded == Unrecorded(2, 1, 1, "lost")
    assert entry.to_json()["unrecorded"] == {"runs": 2, "incomplete": 1, "executions": 1, "example": "lost"}
    [entry] = of_world(world, known, None)
    assert (entry.unrecorded, entry.trouble) == (None, None)


@pytest.mark.local_cloud
def test_inventory_when_records_can_not_be_read_then_it_says_so_and_shows_the_rest(world, known):
    """A list answers whatever is broken."""
    [entry] = of_world(world, known, RecordCheck(world.aws, Unreadable()))
    assert entry.unrecorded is None
    assert "not known whether runs lack records" in entry.trouble
    assert entry.deployed is not None


def of_world(world, known, check):
    """The world's entry."""
    entries = inventory(world.aws, [known], world.target, 2.0, check)
    return [entry for entry in entries if entry.name == world.name]
