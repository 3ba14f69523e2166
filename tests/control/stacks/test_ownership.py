"""Which stacks are ours, and whose."""

import pytest

from caribou.control.stacks.ownership import Owner, is_our_template, owner_of
from caribou.model.template_contract import StackRole, metadata_of

WEST = "us-west-2"
PLACEMENT = {"workflow": "city_tour"}


def stack(name, tags=(), mark=None):
    """A stack in an answer of DescribeStacks."""
    outputs = [] if mark is None else [{"OutputKey": "CaribouStack", "OutputValue": mark}]
    named = [{"Key": key, "Value": value} for key, value in dict(tags).items()]
    return {"StackName": name, "Tags": named, "Outputs": outputs}


def tags(role, workflow="city_tour", stage="dev", project="caribou"):
    """The tags of a stack."""
    return {
        "caribou:project": project,
        "caribou:workflow": workflow,
        "caribou:stage": stage,
        "caribou:role": role,
    }


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Workflow-city-tour", "home"),
        ("Workflow-city-tour-us-west-2", "region"),
        ("Workflow-city-tour-registration", "registration"),
    ],
)
def test_owner_when_name_and_tags_fit_then_it_is_the_tags_workflow_and_without_tags_a_known_one(name, role):
    """A workflow that is not known is not guessed out of a name."""
    owner = Owner("city_tour", StackRole(role))
    assert owner_of(stack(name, tags(role)), "dev", WEST) == owner
    assert owner_of(stack(name, {"team": "x"}), "dev", WEST, ["other", "city_tour"]) == owner
    assert owner_of(stack(name), "dev", WEST, ["other"]) is None
    assert owner_of(stack(f"beta-{name}", tags(role, stage="beta")), "beta", WEST) == owner


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Billing", tags("region")),
        ("Workflow-city-tour-us-west-2", tags("home")),
        ("Workflow-city-tour-eu-west-1", tags("region")),
        ("Workflow-city-tour-us-west-2", tags("region", workflow="other")),
        ("Workflow-city-tour-us-west-2", tags("region", stage="beta")),
        ("Workflow-city-tour-us-west-2", tags("region", project="else")),
        ("Workflow-city-tour-us-west-2", tags("king")),
        ("Workflow-city-tour-us-west-2", {"caribou:project": "caribou"}),
    ],
)
def test_owner_when_the_name_is_not_what_the_tags_say_then_the_stack_is_not_ours(name, found):
    """Four tags make no stack ours, and half of them neither."""
    assert owner_of(stack(name, found), "dev", WEST, ["city_tour"]) is None


@pytest.mark.parametrize("found", [{}, {"team": "x"}, tags("home", workflow="other"), {"caribou:stage": "mine"}])
def test_owner_when_the_output_says_it_then_tags_do_not_matter(found):
    """A user's tags replace a stack's own, and may be anything; the name must fit all the same."""
    region, home, control = (
        Owner("city_tour", StackRole.REGION),
        Owner("city_tour", StackRole.HOME),
        Owner("", StackRole.CONTROL),
    )
    named = "Workflow-city-tour-us-west-2"
    assert owner_of(stack(named, found, "dev/city_tour/region"), "dev", WEST) == region
    assert owner_of(stack("Workflow-city-tour", found, "dev/city_tour/home"), "dev", WEST) == home
    assert owner_of(stack("beta-CaribouControlPlane", found, "beta/control"), "beta", WEST) == control
    for mark in (
        "dev/city_tour/home",
        "beta/city_tour/region",
        "dev/other/region",
        "dev/a/city_tour/region",
        "",
        "dev",
    ):
        assert owner_of(stack(named, found, mark), "dev", WEST, ["city_tour"]) is None
    assert owner_of(stack(named, found, "dev/city_tour/region"), "dev", "eu-west-1") is None


def test_template_when_it_says_what_it_is_then_that_counts():
    """Whatever else the tools read there is written differently from version to version."""
    marked = {"Outputs": {"CaribouStack": {"Value": "beta/city_tour/home"}}}
    assert is_our_template(marked, "city_tour", "home")
    assert not is_our_template(marked, "city_tour", "region")
    assert not is_our_template(marked, "other", "home")


@pytest.mark.parametrize("metadata", [{"CaribouPlacement": {"workflow": "city_tour"}}, metadata_of(PLACEMENT)])
def test_template_when_it_is_another_workflows_or_anybodys_then_it_is_not_ours(metadata):
    """What the tools read in it must be there, as templates of before had it or packed."""
    home = {"Metadata": metadata}
    region = {"Outputs": {"HomeRegion": {"Value": "us-east-1"}}}
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/caribou/dev/workflows/city_tour"}}
    ours = {"home": home, "region": region, "registration": {"Resources": {"R": parameter}}}
    for role, template in ours.items():
        assert is_our_template(template, "city_tour", role)
        for other in ({}, {"Metadata": 1, "Outputs": [], "Resources": {"R": 2}}, *ours.values()):
            assert other is template or not is_our_template(other, "city_tour", role)
    assert not is_our_template(home, "other", "home")
