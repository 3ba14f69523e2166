"""Removing a workflow, and deploying again where something was left."""

import time

import pytest

from caribou.control.deploy.leftovers import Leftovers, leftovers, make_way
from caribou.control.deploy.removal import plan_removal, remove
from caribou.control.stacks.deletion import delete_table
from caribou.model.errors import InvalidInputError

pytestmark = pytest.mark.local_cloud
HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"


def planned(world, *, delete_data=False):
    """What removing the test's workflow means."""
    return plan_removal(world.aws, world.name, HOME, world.target, delete_data=delete_data, now_s=time.time())


def bucket_at_home(world, *keys):
    """Make home's payload bucket, which outlives its stack, with objects."""
    bucket, client = world.names.payload_bucket(world.aws.account(HOME), HOME), world.aws.s3(HOME)
    client.create_bucket(Bucket=bucket)
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"payload")
    return bucket


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
    assert f"keep bucket {bucket} in {HOME}" in removal.lines()
    remove(world.aws, removal, world.target, lambda _: None)
    assert not [name for _, name in world.stacks() if name.endswith((world.name, f"{world.name}-{WEST}"))]
    assert [name for _, name in world.stacks() if f"{world.name}x" in name]
    assert world.names.run_table in tables(world)
    assert leftovers(world.aws, world.names, HOME) == Leftovers(table=True, bucket=bucket, bucket_is_empty=False)


def test_removal_when_data_goes_too_then_tables_and_bucket_are_deleted(world, placed):
    """Also of a workflow whose stacks went before."""
    world.home(placed())
    bucket_at_home(world, "a", "b")
    remove(world.aws, planned(world), world.target, lambda _: None)
    remove(world.aws, planned(world, delete_data=True), world.target, lambda _: None)
    assert world.names.run_table not in tables(world)
    assert leftovers(world.aws, world.names, HOME) == Leftovers()


def test_removal_when_runs_are_open_then_the_plan_says_so_first(world, placed):
    """Who removes a workflow knows what it costs."""
    world.home(placed())
    world.begin_run("r1")
    assert planned(world).lines()[0] == "1 open run will never end"


def test_removal_when_nothing_is_known_of_the_workflow_then_it_is_a_users_mistake(world):
    """A name with a typing error removes nothing."""
    with pytest.raises(InvalidInputError, match="nothing of it is deployed"):
        plan_removal(world.aws, world.name, None, world.target, delete_data=True, now_s=0.0)


def test_leftovers_when_the_bucket_is_empty_then_it_makes_way_and_tables_are_adopted(world, placed):
    """Deploying after removing works, and keeps the runs."""
    world.home(placed())
    remove(world.aws, planned(world), world.target, lambda _: None)
    bucket_at_home(world)
    assert make_way(world.aws, leftovers(world.aws, world.names, HOME), world.name, HOME)
    assert leftovers(world.aws, world.names, HOME) == Leftovers(table=True)


def test_leftovers_when_only_the_sync_table_is_left_then_it_is_adopted_too(world, placed):
    """Its name is taken as well: a deployment that does not adopt it would fail."""
    world.home(placed())
    remove(world.aws, planned(world), world.target, lambda _: None)
    delete_table(world.aws, HOME, world.names.run_table)
    assert leftovers(world.aws, world.names, HOME) == Leftovers(table=True)


def test_leftovers_when_the_bucket_has_payloads_then_deploying_is_refused(world):
    """Data is not deleted by deploying."""
    bucket = bucket_at_home(world, "a")
    with pytest.raises(InvalidInputError, match=bucket):
        make_way(world.aws, leftovers(world.aws, world.names, HOME), world.name, HOME)


def test_leftovers_when_the_workflow_is_deployed_then_there_are_none(world, placed):
    """Its tables are in use, not left over."""
    world.home(placed())
    assert leftovers(world.aws, world.names, HOME) == Leftovers()
