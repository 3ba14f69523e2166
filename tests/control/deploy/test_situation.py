"""What a deployment meets, read from the local cloud."""

from dataclasses import replace

import pytest

from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.situation import situation_of
from caribou.control.stacks.deployed import DeployedStack
from caribou.model.manifest import RegionRules

pytestmark = pytest.mark.local_cloud
WEST = "us-west-2"


def test_situation_when_the_manifest_takes_a_region_from_a_function_then_it_is_among_those_that_leave(
    world, placed, written_workflow, tmp_path
):
    """The function stands in a stack whose next template lacks it; a placement never makes it leave."""
    world.home(placed(WEST))
    world.region(WEST, "first", "last")
    workflow = written_workflow(tmp_path, world.name)
    met = situation_of(world.aws, PlacedWorkflow(workflow, placed(WEST, name=world.name)), world.target)
    assert met.leaving == ()

    first = replace(workflow.manifest.functions["first"], regions=RegionRules(disallowed=(WEST,)))
    functions = {**workflow.manifest.functions, "first": first}
    narrower = replace(workflow, manifest=replace(workflow.manifest, functions=functions))
    met = situation_of(world.aws, PlacedWorkflow(narrower, placed(WEST, name=world.name)), world.target)
    assert met.leaving == ((world.names.function("first"), WEST),)


def test_situation_when_a_new_region_was_home_once_then_what_is_left_there_is_met(
    world, placed, written_workflow, tmp_path
):
    """Its tables and the log group of a function; home, which stands, has nothing left over."""
    world.home(placed())
    world.aws.logs(WEST).create_log_group(logGroupName=world.names.log_group("last"))
    _table(world, world.names.sync_table, WEST)
    workflow = written_workflow(tmp_path, world.name)
    met = situation_of(world.aws, PlacedWorkflow(workflow, placed(WEST, name=world.name)), world.target)
    [left] = met.left
    assert (left.region, left.tables) == (WEST, (world.names.sync_table,))
    assert left.empty_log_groups == (world.names.log_group("last"),)


def test_situation_when_cloudformation_is_at_work_on_a_stack_then_it_is_among_the_busy_ones(
    world, placed, written_workflow, tmp_path, monkeypatch
):
    """Home's, or that of a region of the placement; what is at rest is none."""
    world.home(placed(WEST))
    world.region(WEST)
    workflow = written_workflow(tmp_path, world.name)
    wanted = PlacedWorkflow(workflow, placed(WEST, name=world.name))
    assert situation_of(world.aws, wanted, world.target).busy == ()
    monkeypatch.setattr(DeployedStack, "is_busy", property(lambda stack: stack.region == WEST))
    assert [stack.region for stack in situation_of(world.aws, wanted, world.target).busy] == [WEST]


def _table(world, name, region):
    world.aws.dynamodb(region).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
