"""Nothing that holds data is forgotten: each resource of each stack against the table of control/stacks/stateful.py."""

from fnmatch import fnmatchcase

import pytest

from caribou.control.stacks.stateful import STATEFUL, ResourceType, home_tables
from caribou.model.names import WorkflowNames
from caribou.model.registration import ControlNames
from caribou.model.template_contract import StackRole

NAMES = WorkflowNames("city_tour")
CONTROL_NAMES = (*ControlNames("dev").lasting_tables, ControlNames("dev").placement_bucket("111122223333", "us-west-2"))
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
    *("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm", "AWS::Logs::MetricFilter"),
}
"""Types that hold no data, and are gone, name and all, when their stack is."""
HASH = 8  # letters that CDK adds to a logical id
STACKS = {
    "Workflow-city_tour": StackRole.HOME,
    "Workflow-city_tour-us-west-2": StackRole.REGION,
    "Workflow-city_tour-ca-central-1": StackRole.REGION,
    "Workflow-city_tour-registration": StackRole.REGISTRATION,
    "CaribouControlPlane": StackRole.CONTROL,
}


@pytest.fixture
def resources(alarmed):
    """Every resource of every stack: its stack's role, its logical id without CDK's hash, and itself."""
    assert set(alarmed.stacks) == set(STACKS)
    return [
        (role, logical_id[:-HASH], resource)
        for stack, role in STACKS.items()
        for logical_id, resource in alarmed.template(stack)["Resources"].items()
    ]


def outlives(resource):
    """Whether a resource stays when its stack goes."""
    return resource.get("DeletionPolicy", "Delete") != "Delete"


def row_of(role, part, resource):
    """The row of a resource that holds data; None if nobody has thought of it."""
    rows = [row for row in STATEFUL if (row.role, row.type) == (role, resource["Type"])]
    return next((row for row in rows if any(fnmatchcase(part, known) for known in row.parts)), None)


def test_resources_when_walked_then_removal_leftovers_and_retirement_know_what_holds_data(resources):
    """What nobody has thought of fails here: it holds no data, or a row says what becomes of it."""
    unknown = {
        f"{part} ({resource['Type']}) of {role} stacks"
        for role, part, resource in resources
        if resource["Type"] not in STATELESS and row_of(role, part, resource) is None
    }
    assert not unknown, (
        "does it hold data, or keep a name taken? Then add it to a row of control/stacks/stateful.py, and to what the "
        "row says: removal, deploying again, retiring. If not, add its type to STATELESS here"
    )


def test_rows_when_looked_for_then_each_is_of_something_that_is_there(resources):
    """A row, a part and a type without a resource are left over from one that has gone."""
    there = [(row_of(*one), one) for one in resources]
    for row in STATEFUL:
        mine = [part for found, (_, part, _) in there if found is row]
        assert [known for known in row.parts if not any(fnmatchcase(part, known) for part in mine)] == []
    assert {resource["Type"] for _, _, resource in resources} >= STATELESS


def test_resources_when_they_outlive_their_stack_then_their_row_says_so(resources):
    """What a stack retains keeps its name taken: only what the table says does."""
    for role, part, resource in resources:
        row = row_of(role, part, resource)
        assert outlives(resource) == (row is not None and row.outlives), f"{part} of {role} stacks"


@pytest.mark.parametrize("row", STATEFUL, ids=lambda row: f"{row.role}-{row.type}")
def test_rows_when_read_then_each_says_what_comes_to_it(row):
    """Removal comes to all, retirement to regions, and a new deployment meets what outlived the last one."""
    assert row.removal
    assert (row.retirement is not None) == (row.role is StackRole.REGION)
    assert (row.again is not None) == row.outlives


def test_home_when_its_stack_goes_then_what_stays_is_what_removal_and_leftovers_name(moved):
    """Both go by names: a table or bucket that home retains under another one would be overlooked."""
    kept = [r for r in moved.template("Workflow-city_tour")["Resources"].values() if outlives(r)]
    tables = [
        r["Properties"].get("TableName", "a name of CloudFormation's") for r in kept if r["Type"] == ResourceType.TABLE
    ]
    (bucket,) = [r["Properties"]["BucketName"]["Fn::Join"][1] for r in kept if r["Type"] == ResourceType.BUCKET]
    assert sorted(tables) == sorted(home_tables(NAMES))
    account = "123456789012"
    parts = [account if part == {"Ref": "AWS::AccountId"} else part for part in bucket]
    assert "".join(parts) == NAMES.payload_bucket(account, "us-east-1")


def test_resources_when_they_are_to_be_taken_over_then_they_are_what_cloudformation_takes(synthesised):
    """A name that stands in the template, and a policy that keeps it ("Import resources automatically", user guide)."""
    assembly = synthesised(placement="home", account="111122223333")
    for stack, names in (("Workflow-city_tour", home_tables(NAMES)), ("CaribouControlPlane", CONTROL_NAMES)):
        taken = [
            resource
            for resource in assembly.template(stack)["Resources"].values()
            if resource["Type"] in {ResourceType.TABLE, ResourceType.BUCKET}
            and {resource["Properties"].get("TableName"), str(resource["Properties"].get("BucketName"))} & {*names}
        ]
        assert len(taken) == len(names)
        assert {resource["DeletionPolicy"] for resource in taken} <= {"Retain", "RetainExceptOnCreate"}
