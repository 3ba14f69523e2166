"""Removing the control plane, and what a deployment takes over where it was."""

import pytest
from botocore.exceptions import ConnectTimeoutError
from deployed_world import HOME, WEST

from caribou.control.deploy.control_removal import plan_control_removal, remove_control_plane
from caribou.control.deploy.planning import DeployPlan, control_steps
from caribou.control.deploy.steps import Action, Thing
from caribou.control.target import Target
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.registration import ControlNames

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def control(world):
    """A control plane at a stage of its own: its stack, a table of facts and a bucket with a placement."""
    world.target = Target("whole", WEST)
    names, dynamodb = ControlNames("whole"), world.aws.dynamodb(WEST)
    world.placement_bucket()
    bucket = names.placement_bucket(world.aws.account(WEST), WEST)
    world.aws.s3(WEST).put_object(Bucket=bucket, Key="w/solved.json", Body=b"{}")
    dynamodb.create_table(
        TableName=names.fact_table,
        KeySchema=[{"AttributeName": "kind", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    world.control_plane()
    yield world
    if names.fact_table in dynamodb.list_tables()["TableNames"]:
        remove_control_plane(world.aws, _planned(world, data=True, known=()), world.target, lambda _: None)


def _planned(world, *, data, known=None):
    return plan_control_removal(world.aws, world.target, [world.known] if known is None else known, delete_data=data)


def test_removal_when_a_workflow_is_registered_or_has_a_stack_then_it_is_refused_and_they_are_named(control, placed):
    """It would be without locks and collectors; the stack of one that nobody knows any more counts too."""
    with pytest.raises(InvalidInputError, match=rf"found: {control.name}\). To fix: .*`caribou remove {control.name}`"):
        _planned(control, data=True)
    control.home(placed())
    with pytest.raises(InvalidInputError, match=f"found: {control.name}"):
        _planned(control, data=True, known=[_unregistered(control)])
    control.aws.cloudformation(HOME).delete_stack(StackName=f"whole-Workflow-{control.name}")
    control.aws.cloudformation(HOME).get_waiter("stack_delete_complete").wait(
        StackName=f"whole-Workflow-{control.name}", WaiterConfig={"Delay": 1}
    )


def test_removal_when_a_region_can_not_be_searched_then_nothing_is_planned(control):
    """A workflow may be there that needs it."""
    known = [_unregistered(control)]
    with pytest.MonkeyPatch.context() as patch:
        _silence(control, HOME, patch)
        with pytest.raises(OperationFailedError, match=rf"{HOME} \(no answer\), so the control plane stays"):
            _planned(control, data=False, known=known)


def test_removal_when_data_is_to_stay_then_the_stack_goes_and_the_next_deployment_takes_the_rest_over(control):
    """And the other way round: with the second consent all of it goes."""
    removal = _planned(control, data=False, known=())
    assert [(step.action, step.thing) for step in removal.steps] == [
        (Action.DELETE, Thing.STACK),
        (Action.KEEP, Thing.BUCKET),
        (Action.KEEP, Thing.TABLE),
    ]
    remove_control_plane(control.aws, removal, control.target, lambda _: None)
    with pytest.raises(InvalidInputError, match="only its data is there"):
        _planned(control, data=False, known=())
    steps = control_steps(control.aws, control.target, everything=False)
    assert [(step.action, step.name) for step in steps] == [
        (Action.ADOPT, removal.tables[0]),
        (Action.ADOPT, removal.bucket),
        (Action.CREATE, "whole-CaribouControlPlane"),
    ]
    request = DeployPlan((), everything=True, steps=tuple(steps), account="123456789012").request
    assert (request.adopt, request.account) == (True, "123456789012")
    remove_control_plane(control.aws, _planned(control, data=True, known=()), control.target, lambda _: None)
    with pytest.raises(InvalidInputError, match="there is none"):
        _planned(control, data=True, known=())


def test_removal_when_a_foreign_stack_has_its_name_then_it_is_left_alone(world):
    """Its template is none of ours."""
    world.target = Target("foreign", WEST)
    world.foreign(WEST, "CaribouControlPlane", "control")
    with pytest.raises(OperationFailedError, match="none of Caribou's"):
        remove_control_plane(world.aws, _planned(world, data=True, known=()), world.target, lambda _: None)


def test_deployment_when_a_collectors_log_group_was_left_then_an_empty_one_goes_and_another_is_the_users(world):
    """As a workflow's: the stack makes its own."""
    world.target = Target("logs", WEST)
    group, client = ControlNames("logs").log_groups[0], world.aws.logs(WEST)
    client.create_log_group(logGroupName=group)
    steps = control_steps(world.aws, world.target, everything=False)
    assert (steps[0].action, steps[0].name) == (Action.DELETE, group)
    client.create_log_stream(logGroupName=group, logStreamName="s")
    with pytest.raises(InvalidInputError, match=f"delete-log-group --region {WEST} --log-group-name {group}"):
        control_steps(world.aws, world.target, everything=False)


def _unregistered(world):
    """The workflow when nothing but its bucket at home says where it is."""
    world.aws.s3(HOME).create_bucket(Bucket=world.names.payload_bucket(world.aws.account(HOME), HOME))
    return type(world.known)(world.name, None, None)


def _silence(world, region, monkeypatch):
    """Let CloudFormation of a region never answer."""

    class Silent:
        def get_paginator(self, _):
            """Itself."""
            return self

        def paginate(self):
            """No answer."""
            raise ConnectTimeoutError(endpoint_url="u")

    answering = world.aws.cloudformation
    monkeypatch.setattr(world.aws, "cloudformation", lambda r: Silent() if r == region else answering(r))
