"""Nothing that holds data is forgotten: each resource of each stack against the table of control/stacks/stateful.py."""

import pytest

from caribou.control.stacks.stateful import STATEFUL, ResourceType, home_tables
from caribou.model.names import WorkflowNames
from caribou.model.template_contract import StackRole

NAMES = WorkflowNames("city_tour")
STATELESS = {
    *("AWS::IAM::Policy", "AWS::IAM::Role", "AWS::Scheduler::Schedule"),
    *(
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
    ),
    *("AWS::SNS::Subscription", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy"),
    *("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"),
}
"""Types that hold no data, and are gone, name and all, when their stack is."""
STACKS = {
    "Workflow-city_tour": StackRole.HOME,
    "Workflow-city_tour-us-west-2": StackRole.REGION,
    "Workflow-city_tour-ca-central-1": StackRole.REGION,
    "Workflow-city_tour-registration": StackRole.REGISTRATION,
    "CaribouControlPlane": StackRole.CONTROL,
}


@pytest.fixture
def resources(moved):
    """Every resource of every stack, with its stack's role."""
    assert set(moved.stacks) == set(STACKS)
    return [(role, r) for stack, role in STACKS.items() for r in moved.template(stack)["Resources"].values()]


def outlives(resource):
    """Whether a resource stays when its stack goes."""
    return resource.get("DeletionPolicy", "Delete") != "Delete"


def test_resources_when_walked_then_each_type_is_known_to_hold_data_or_not(resources):
    """A type that nobody has thought of fails here: does it hold data? Then stateful.py needs a row for it."""
    assert {resource["Type"] for _, resource in resources} == STATELESS | set(ResourceType)


def test_resources_when_they_hold_data_then_removal_leftovers_and_retirement_know_them(resources):
    """A stateful type in a stack has a row, and each row is of something that is there."""
    there = {(role, resource["Type"]) for role, resource in resources if resource["Type"] not in STATELESS}
    assert there == {(row.role, row.type) for row in STATEFUL}


def test_resources_when_they_outlive_their_stack_then_their_row_says_so(resources):
    """What a stack retains keeps its name taken: only what the table says does."""
    expected = {(row.role, row.type): row.outlives for row in STATEFUL}
    for role, resource in resources:
        assert outlives(resource) == expected.get((role, resource["Type"]), False), resource


@pytest.mark.parametrize("row", STATEFUL, ids=lambda row: f"{row.role}-{row.type}")
def test_rows_when_read_then_each_says_what_comes_to_it(row):
    """Removal is of workflows, retirement of regions, and a new deployment meets what outlived the last one."""
    assert (row.removal is not None) == (row.role is not StackRole.CONTROL)
    assert (row.retirement is not None) == (row.role is StackRole.REGION)
    assert (row.again is not None) == (row.outlives and row.role is StackRole.HOME)


def test_home_when_its_stack_goes_then_what_stays_is_what_removal_and_leftovers_name(moved):
    """Both go by names: a table or bucket that home retains under another one would be overlooked."""
    kept = [r for r in moved.template("Workflow-city_tour")["Resources"].values() if outlives(r)]
    tables = [r["Properties"]["TableName"] for r in kept if r["Type"] == ResourceType.TABLE]
    (bucket,) = [r["Properties"]["BucketName"]["Fn::Join"][1] for r in kept if r["Type"] == ResourceType.BUCKET]
    assert sorted(tables) == sorted(home_tables(NAMES))
    account = "123456789012"
    parts = [account if part == {"Ref": "AWS::AccountId"} else part for part in bucket]
    assert "".join(parts) == NAMES.payload_bucket(account, "us-east-1")
