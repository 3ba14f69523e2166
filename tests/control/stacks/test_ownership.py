"""Which stacks are ours, and whose."""

import pytest

from caribou.control.stacks.ownership import Owner, is_our_template, owner_of
from caribou.model.template_contract import StackRole, metadata_of

WEST = "us-west-2"
PLACEMENT = {"workflow": "city_tour"}


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
    assert owner_of(name, tags(role), "dev", WEST) == owner
    assert owner_of(name, {"team": "x"}, "dev", WEST, ["other", "city_tour"]) == owner
    assert owner_of(name, {}, "dev", WEST, ["other"]) is None
    assert owner_of(f"beta-{name}", tags(role, stage="beta"), "beta", WEST) == owner


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
    assert owner_of(name, found, "dev", WEST, ["city_tour"]) is None


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
