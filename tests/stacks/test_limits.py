"""Templates that are larger than CloudFormation takes, and names that are not a workflow's to have."""

import json

import pytest

from caribou.model.errors import InvalidInputError
from caribou.model.names import RESERVED_WORKFLOWS, WorkflowNames, refuse_reserved_name
from caribou.model.registration import ControlNames
from caribou.stacks.limits import (
    MAX_RESOURCES,
    MAX_TEMPLATE_BYTES,
    MOST_FUNCTIONS,
    RESOURCES_A_FUNCTION,
    refuse_large,
    refuse_large_templates,
)

ACCOUNT, REGION = "123456789012", "us-west-2"
CONTROL_FUNCTIONS = ("carbon", "provider", "performance", "workflow")


def template(resources, size_bytes=0):
    """A template with so many resources, filled up to a size."""
    text = json.dumps({"Resources": {f"R{i}": {} for i in range(resources)}})
    return (text + " " * (size_bytes - len(text))).encode()


def test_template_when_it_is_as_large_as_can_be_then_it_is_taken():
    """The limits are CloudFormation's, to the last resource and byte."""
    refuse_large("Workflow-x", template(MAX_RESOURCES, MAX_TEMPLATE_BYTES))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (template(501), "501 resources, of at most 500"),
        (template(1, 1_000_001), "1,000,001 bytes, of at most 1,000,000"),
    ],
)
def test_template_when_it_is_larger_then_it_is_refused_with_numbers_and_a_remedy(text, said):
    """One message, where, how much, and what to do."""
    with pytest.raises(InvalidInputError, match="Workflow-x") as caught:
        refuse_large("Workflow-x", text)
    assert said in str(caught.value)
    assert "split the workflow" in str(caught.value)


def test_templates_when_one_of_an_assembly_is_too_large_then_that_one_is_named(tmp_path):
    """Before any of them is deployed."""
    (tmp_path / "Workflow-a.template.json").write_bytes(template(1))
    (tmp_path / "Workflow-b.template.json").write_bytes(template(501))
    with pytest.raises(InvalidInputError, match="Workflow-b"):
        refuse_large_templates(tmp_path)


def test_functions_when_counted_then_each_has_as_many_resources_as_the_remedy_says(moved):
    """The documented number of functions follows from it."""
    home, region = (len(moved.template(f"Workflow-city_tour{part}")["Resources"]) for part in ("", "-us-west-2"))
    assert region == 4 * RESOURCES_A_FUNCTION + 3  # table, bucket and its policy
    assert (MAX_RESOURCES - (home - 4 * RESOURCES_A_FUNCTION)) // RESOURCES_A_FUNCTION == MOST_FUNCTIONS


def test_templates_when_written_then_they_are_not_indented(moved):
    """Spaces count among CloudFormation's bytes."""
    assert not any("\n" in moved.text(stack) for stack in moved.stacks)


@pytest.mark.parametrize("name", ["placements", "collector", "Collector"])
def test_name_when_it_is_the_control_planes_then_no_workflow_may_have_it(name):
    """Capitals make no difference to a bucket."""
    with pytest.raises(InvalidInputError, match="the control plane needs"):
        refuse_reserved_name(name, "here")
    refuse_reserved_name("fine", "here")


@pytest.mark.parametrize(
    "word", ["placements", "collector", "facts", "records", "registration", "runs", "sync", "flow"]
)
def test_names_when_a_workflow_is_called_like_a_part_of_ours_then_they_meet_only_if_it_is_reserved(word):
    """Whatever the stage; function by function, table by table, bucket by bucket."""
    control, names = ControlNames("beta"), WorkflowNames(word, "beta")
    ours = {control.fact_table, control.record_table, control.lock_table, control.placement_bucket(ACCOUNT, REGION)}
    ours |= {control.collector(name) for name in CONTROL_FUNCTIONS}
    theirs = {names.run_table, names.sync_table, names.payload_bucket(ACCOUNT, REGION)}
    theirs |= {names.function(name) for name in CONTROL_FUNCTIONS}
    assert bool(ours & theirs) == (word in RESERVED_WORKFLOWS)
