"""Removing a workflow, and deploying again where something was left."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from builders import record_of

from caribou.collectors.records import Cursor, DynamoRecordTable
from caribou.control.deploy.checks import Leftovers
from caribou.control.deploy.leftovers import leftovers
from caribou.control.deploy.removal import in_order, plan_removal, remove
from caribou.control.deploy.steps import Action, Thing
from caribou.control.placement_bucket import PlacementBox
from caribou.control.stacks.deployed import find_stacks
from caribou.control.stacks.stateful import home_tables
from caribou.control.target import Target
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.names import workflow_stack_id
from caribou.model.registration import ControlNames

pytestmark = pytest.mark.local_cloud
HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"


def planned(world, *, delete_data=False, **options):
    """What removing the test's workflow means."""
    now_s = time.time()
    return plan_removal(world.aws, world.name, HOME, world.target, delete_data=delete_data, now_s=now_s, **options)


def bucket_at_home(world, *keys):
    """Make home's payload bucket, which outlives its stack, with objects."""
    bucket, client = world.names.payload_bucket(world.aws.account(HOME), HOME), world.aws.s3(HOME)
    client.create_bucket(Bucket=bucket)
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"payload")
    return bucket


def left_over(world, bucket=None, **changes):
    """Both tables, and a bucket."""
    return Leftovers(HOME, (world.names.run_table, world.names.sync_table), bucket, **changes)


def left_at_home(world):
    """What is left there."""
    return leftovers(world.aws, world.names, HOME, home_tables(world.names))


def tables(world):
    """Names of the tables at home."""
    return set(world.aws.dynamodb(HOME).list_tables()["TableNames"])


def test_removal_when_data_is_to_stay_then_stacks_go_home_first_and_data_stays(world, placed):
    """Home goes first, so that no run begins whose regions then vanish; another workflow is not touched."""
    world.home(placed(WEST))
    world.region(WEST)
    bucket = bucket_at_home(world, "a")
    other = type(world)(world.aws, f"{world.name}x")
    other.region(WEST)
    removal = planned(world)
    assert [stack.role for stack in removal.stacks] == ["home", "region"]
    assert f"keep bucket {bucket} in {HOME}" in [step.text for step in removal.steps]
    remove(world.aws, removal, world.target, lambda _: None)
    assert not [name for _, name in world.stacks() if name.endswith((world.name, f"{world.name}-{WEST}"))]
    assert [name for _, name in world.stacks() if f"{world.name}x" in name]
    assert world.names.run_table in tables(world)
    assert left_at_home(world) == left_over(world, bucket, bucket_is_empty=False)


def test_removal_when_data_goes_too_then_tables_and_bucket_are_deleted(world, placed):
    """Also of a workflow whose stacks went before."""
    world.home(placed())
    bucket_at_home(world, "a", "b")
    remove(world.aws, planned(world), world.target, lambda _: None)
    remove(world.aws, planned(world, delete_data=True), world.target, lambda _: None)
    assert world.names.run_table not in tables(world)
    assert left_at_home(world) == Leftovers(HOME)


def test_removal_when_runs_are_open_then_the_plan_says_so_first(world, placed):
    """Who removes a workflow knows what it costs."""
    world.home(placed())
    world.begin_run("r1")
    step = planned(world).steps[0]
    assert (step.action, step.name, step.why) == (Action.ABANDON, "1 open run", "will never end")


def test_removal_when_nothing_is_known_of_the_workflow_then_it_is_a_users_mistake(world):
    """A name with a typing error removes nothing."""
    with pytest.raises(InvalidInputError, match="nothing of it is deployed"):
        plan_removal(world.aws, world.name, None, world.target, delete_data=True, now_s=0.0)


@pytest.mark.parametrize("delete_data", [False, True])
def test_removal_when_a_known_workflow_was_never_deployed_then_it_is_a_users_mistake(world, delete_data):
    """There is neither data to keep nor data to delete, so there is no plan."""
    with pytest.raises(InvalidInputError, match="nothing of it is deployed") as caught:
        planned(world, delete_data=delete_data)
    assert caught.value.exit_code == 2


def test_removal_when_all_of_it_was_deleted_before_then_nothing_is_deleted_twice(world, placed):
    """Nor is it said that it is removed."""
    world.home(placed())
    bucket_at_home(world, "a")
    remove(world.aws, planned(world, delete_data=True), world.target, lambda _: None)
    with pytest.raises(InvalidInputError, match="nothing of it is deployed"):
        planned(world, delete_data=True)


def test_removal_when_home_has_only_some_of_its_data_then_just_that_is_planned(world, placed):
    """As after a deployment that failed half way, or a table that was deleted by hand."""
    world.home(placed())
    remove(world.aws, planned(world), world.target, lambda _: None)
    world.aws.dynamodb(HOME).delete_table(TableName=world.names.sync_table)
    [step] = planned(world).steps
    assert (step.action, step.thing, step.name) == (Action.KEEP, Thing.TABLE, world.names.run_table)


def test_removal_when_nothing_is_seen_but_a_region_is_not_then_it_is_planned_without_it(world, refused):
    """Stacks may be where nobody could look, so it can't be said that there is nothing."""
    refused(CANADA, "InvalidClientTokenId")
    assert [(step.action, step.name) for step in planned(world).steps] == [(Action.SKIP, CANADA)]


def test_leftovers_when_functions_have_log_groups_then_empty_ones_stand_apart(world):
    """One into which something was logged is not made anew."""
    client = world.aws.logs(WEST)
    for function in ("first", "last"):
        client.create_log_group(logGroupName=world.names.log_group(function))
    client.create_log_stream(logGroupName=world.names.log_group("last"), logStreamName="s")
    left = leftovers(world.aws, world.names, WEST, (), ("first", "last", "other"))
    assert left.empty_log_groups == (world.names.log_group("first"),)
    assert left.log_groups == (world.names.log_group("last"),)


def test_removal_when_its_home_was_elsewhere_once_then_data_of_that_home_goes_too(world, placed):
    """Only with the consent to lose data, and not what belongs to a region's stack."""
    world.home(placed())
    bucket_at_home(world, "a")
    remove(world.aws, planned(world), world.target, lambda _: None)
    world.region(CANADA)
    again = {"home_region": WEST, "target": world.target, "now_s": 0.0}
    assert plan_removal(world.aws, world.name, delete_data=False, **again).earlier == ()
    removal = plan_removal(world.aws, world.name, delete_data=True, **again)
    assert [left.region for left in removal.earlier] == [HOME]
    remove(world.aws, removal, world.target, lambda _: None)
    assert left_at_home(world) == Leftovers(HOME)


def test_removal_when_stacks_have_lost_their_tags_then_they_are_found_by_their_names(world, placed):
    """A live workflow is never taken for one of which only data is left."""
    for stack in (world.home(placed(WEST)), world.region(WEST)):
        assert world.without_tags(stack).workflow == ""
    found = find_stacks(world.aws, "dev")  # whoever asks
    assert [(stack.role, stack.region) for stack in in_order(found, world.name)] == [("home", HOME), ("region", WEST)]
    removal = planned(world, delete_data=True)
    assert [(stack.role, stack.region) for stack in removal.stacks] == [("home", HOME), ("region", WEST)]
    remove(world.aws, removal, world.target, lambda _: None)
    assert not [name for _, name in world.stacks() if world.name in name]


def test_removal_when_another_project_has_deployed_it_then_it_is_refused_unless_it_is_taken_over(world, placed):
    """Also for a project without an id; what nobody has stamped is anybody's."""
    world.home(placed())
    assert planned(replace_target(world, "toys-1")).stacks
    world.project_id = "toys-1"
    world.home(placed(expires_at=datetime(2030, 1, 1, tzinfo=UTC)))
    assert planned(world).stacks
    for other in ("puppets-2", None):
        with pytest.raises(InvalidInputError, match=r"would be removed \(found: .* of the project toys-1\)") as caught:
            planned(replace_target(world, other))
        assert f"`caribou remove {world.name} --take-over`" in str(caught.value)
        assert planned(world, take_over=True).stacks


def replace_target(world, project_id):
    """The same world, from a project with another id."""
    world.target = replace(world.target, project_id=project_id)
    return world


def test_removal_when_a_foreign_stack_has_our_tags_then_it_is_not_part_of_it(world, placed):
    """Its name is none that we give."""
    world.home(placed())
    world.foreign(WEST, "Billing", "region")
    assert [stack.role for stack in planned(world).stacks] == ["home"]


def test_removal_when_a_foreign_stack_has_our_tags_and_name_then_it_stays_with_what_is_in_its_bucket(world):
    """Its template is none of ours, which is seen before its bucket is emptied."""
    bucket = world.foreign(WEST, workflow_stack_id(world.name, WEST), "region")
    with pytest.raises(OperationFailedError, match="none of Caribou's, so it is left alone"):
        remove(world.aws, planned(world), world.target, lambda _: None)
    assert world.aws.s3(WEST).list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_removal_when_a_region_refuses_the_credentials_then_it_is_not_known_what_is_there(world, placed, refused):
    """The plan says so: stacks outlive a region's being switched off."""
    world.home(placed(WEST))
    refused(CANADA, "InvalidClientTokenId")
    removal = planned(world)
    assert removal.unseen == {CANADA: "InvalidClientTokenId"}
    [step] = [step for step in removal.steps if step.thing is Thing.REGION]
    assert (step.action, step.why) == (
        Action.SKIP,
        "its stacks can't be listed: InvalidClientTokenId; any there stay",
    )


def test_removal_when_home_refuses_the_credentials_then_nothing_is_planned(world, placed, refused):
    """Else the tables of a live workflow would go."""
    world.home(placed())
    refused(HOME, "UnrecognizedClientException")
    with pytest.raises(OperationFailedError, match="Nothing is removed"):
        planned(world, delete_data=True)


@pytest.fixture
def record_table(world):
    """The control plane's table of records, at a stage of the test's own."""
    world.target = Target("kept", WEST)
    client, table = world.aws.dynamodb(WEST), ControlNames("kept").record_table
    keys = {"workflow": "HASH", "id": "RANGE"}
    client.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    yield DynamoRecordTable(table, WEST)
    client.delete_table(TableName=table)


def test_removal_when_data_goes_too_then_what_the_control_plane_keeps_of_it_goes_and_others_stays(
    world, placed, record_table
):
    """Its records, cursors, and all versions of its placements; without consent, the plan says that they stay."""
    world.home(placed())
    world.placement_bucket()
    box, other = PlacementBox(world.aws, world.target), f"{world.name}x"
    for workflow in (world.name, other):
        box.put(workflow, "first")
        box.put(workflow, "second")
        record_table.put_records([record_of(f"n{i}", workflow=workflow) for i in range(30)], 30)
        record_table.put_cursor(Cursor(workflow, HOME, "/log", 1))
    kept = [(s.thing, s.region) for s in planned(world).steps if s.action is Action.KEEP]
    assert kept[-2:] == [(Thing.RECORDS, WEST), (Thing.PLACEMENT, WEST)]
    remove(world.aws, planned(world, delete_data=True), world.target, lambda _: None)
    assert (box.pending(world.name), record_table.read(world.name).records) == (None, [])
    assert record_table.cursor(world.name, HOME, "/log") is None
    assert (box.pending(other).text, len(record_table.read(other).records)) == ("second", 30)
    with pytest.raises(InvalidInputError, match="nothing of it is deployed"):
        planned(world)
