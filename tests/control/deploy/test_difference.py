"""Which resources appear and go with a deployment."""

from types import SimpleNamespace

import pytest
from deployed_world import HOME, WEST

from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.difference import compared, stack_changes
from caribou.control.deploy.planning import DeployPlan
from caribou.control.deploy.steps import Action, Step, Thing
from caribou.model.errors import OperationFailedError

STEP = Step(Action.UPDATE, Thing.STACK, "Workflow-example", HOME)


def template(**types):
    """A template of resources by their logical ids."""
    return {"Resources": {name: {"Type": kind} for name, kind in types.items()}}


def test_difference_when_a_resource_is_in_one_template_only_then_it_appears_or_goes():
    """By its logical id; what changes its type does both, and the CDK's own metadata is no resource."""
    old = template(a="AWS::SQS::Queue", b="AWS::SNS::Topic", c="AWS::IAM::Role")
    new = template(a="AWS::SQS::Queue", b="AWS::IAM::Role", d="AWS::IAM::Role", m="AWS::CDK::Metadata")
    change = compared(STEP, old, new)
    assert change.appear == {"AWS::IAM::Role": 2}
    assert change.go == {"AWS::IAM::Role": 1, "AWS::SNS::Topic": 1}


@pytest.mark.parametrize("broken", [{}, {"Resources": []}, {"Resources": {"a": 1, "b": {}, "c": {"Type": []}}}])
def test_difference_when_a_deployed_template_is_none_of_ours_then_everything_appears(broken):
    """It may have been made by hand."""
    assert compared(STEP, broken, template(a="AWS::SQS::Queue")).appear == {"AWS::SQS::Queue": 1}


def plan(workflow, *steps):
    """A plan of one workflow."""
    return DeployPlan((PlacedWorkflow(workflow, workflow.home, "home"),), everything=False, steps=steps)


@pytest.mark.local_cloud
def test_changes_when_a_stack_is_made_updated_and_kept_then_each_is_of_what_is_deployed(world, workflow, placed):
    """What the app would deploy, beside CloudFormation's templates."""
    home, region = world.home(placed(WEST)), world.region(WEST)
    create, update, keep = (
        Step(Action.CREATE, Thing.STACK, "Workflow-new", WEST),
        Step(Action.UPDATE, Thing.STACK, home.name, HOME),
        Step(Action.KEEP, Thing.STACK, region.name, WEST),
    )
    new = {"Workflow-new": template(a="AWS::S3::Bucket"), home.name: template(Runs="AWS::DynamoDB::Table")}
    asked = SimpleNamespace(templates=lambda *_: new)
    made, updated, kept = stack_changes(world.aws, plan(workflow, create, update, keep), asked)
    assert (made.appear, made.go) == ({"AWS::S3::Bucket": 1}, {})
    assert (updated.appear, updated.go) == ({}, {"AWS::DynamoDB::Table": 1})
    assert kept.go == {"AWS::Logs::LogGroup": 1, "AWS::S3::Bucket": 1, "AWS::SQS::Queue": 1}


def test_changes_when_the_app_does_not_make_a_stack_then_it_is_an_error(workflow):
    """It would not be deployed either."""
    with pytest.raises(OperationFailedError, match="makes no stack Workflow-example, which is to be deployed"):
        stack_changes(
            None,
            plan(workflow, Step(Action.CREATE, Thing.STACK, "Workflow-example", HOME)),
            SimpleNamespace(templates=lambda *_: {}),
        )


def test_changes_when_a_stack_is_left_out_since_its_region_is_silent_then_nothing_is_asked_there(workflow):
    """A review of the way home is shown although the control region is cut off."""
    step = Step(Action.SKIP, Thing.STACK, "Workflow-example-registration", WEST, "no answer there")
    [change] = stack_changes(None, plan(workflow, step), SimpleNamespace(templates=lambda *_: {}))
    assert (change.step, change.appear, change.go) == (step, {}, {})
