"""What a deployment meets, read from the local cloud."""

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.situation import situation_of
from caribou.control.stacks.deployed import DeployedStack
from caribou.control.stacks.readiness import Unready, unready
from caribou.model.errors import OperationFailedError
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
    world.project_id = "toys-1"
    world.home(placed())
    world.aws.logs(WEST).create_log_group(logGroupName=world.names.log_group("last"))
    _table(world, world.names.sync_table, WEST)
    workflow = written_workflow(tmp_path, world.name)
    met = situation_of(world.aws, PlacedWorkflow(workflow, placed(WEST, name=world.name)), world.target)
    [left] = met.left
    assert (left.region, left.tables) == (WEST, (world.names.sync_table,))
    assert left.empty_log_groups == (world.names.log_group("last"),)
    assert (met.foreign.region, met.foreign.project_id) == ("us-east-1", "toys-1")


def test_situation_when_cloudformation_is_at_work_on_a_stack_then_it_is_among_the_busy_ones(
    world, placed, written_workflow, tmp_path, monkeypatch
):
    """Home's, or that of a region of the placement; what is at rest is none."""
    world.home(placed(WEST))
    world.region(WEST)
    workflow = written_workflow(tmp_path, world.name)
    wanted = PlacedWorkflow(workflow, placed(WEST, name=world.name))
    met = situation_of(world.aws, wanted, replace(world.target, project_id="toys-1"))
    assert (met.busy, met.foreign) == ((), None)
    monkeypatch.setattr(DeployedStack, "is_busy", property(lambda stack: stack.region == WEST))
    assert [stack.region for stack in situation_of(world.aws, wanted, world.target).busy] == [WEST]


IRELAND = "eu-west-1"


def test_situation_when_a_region_is_not_bootstrapped_then_it_is_named_and_nothing_else_is_looked_at(
    world, placed, written_workflow, tmp_path
):
    """Those that stand are asked too: a region may be switched off later."""
    workflow = written_workflow(tmp_path, world.name)
    wanted = PlacedWorkflow(workflow, placed(IRELAND, name=world.name))
    met = situation_of(world.aws, wanted, world.target)
    assert met.unready == (Unready(IRELAND, "777788889999", is_enabled=True),)
    with_another = replace(world.target, qualifier="ours")
    unready = situation_of(world.aws, wanted, with_another).unready
    assert [one.qualifier for one in unready] == ["ours"] * 3


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("UnrecognizedClientException", (Unready(WEST, "777788889999", is_enabled=False),)),
        ("InvalidClientTokenId", (Unready(WEST, "777788889999", is_enabled=False),)),
        ("OptInRequired", (Unready(WEST, "777788889999", is_enabled=False),)),
        ("AccessDeniedException", ()),
    ],
)
def test_regions_when_one_refuses_us_then_it_is_not_enabled_unless_we_may_just_not_look(
    world, monkeypatch, code, expected
):
    """Who deploys by the CDK's roles alone may not read its parameter."""

    def refuse(**_):
        raise ClientError({"Error": {"Code": code, "Message": "refused"}}, "GetParameter")

    monkeypatch.setattr(world.aws.ssm(WEST), "get_parameter", refuse)
    assert unready(world.aws, ["us-east-1", WEST], world.target.qualifier) == expected


def test_regions_when_one_fails_in_another_way_then_that_is_said(world, monkeypatch):
    """It is not known whether it is ready."""

    def fail(**_):
        raise ClientError({"Error": {"Code": "InternalServerError", "Message": "oh"}}, "GetParameter")

    monkeypatch.setattr(world.aws.ssm(WEST), "get_parameter", fail)
    with pytest.raises(OperationFailedError, match="whether the CDK is bootstrapped in us-west-2 failed"):
        unready(world.aws, [WEST], world.target.qualifier)


def _table(world, name, region):
    world.aws.dynamodb(region).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
