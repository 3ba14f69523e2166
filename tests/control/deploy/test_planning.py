"""The plan of a deployment: its steps out of what is met, and what is asked of the CDK."""

from dataclasses import replace
from datetime import UTC, datetime

from caribou.control.deploy.checks import Leftovers, PlacedWorkflow, Situation
from caribou.control.deploy.planning import DeployPlan, moves, steps_of
from caribou.control.deploy.steps import Action, Step, Thing
from caribou.control.stacks.deployed import DeployedStack, DeployedWorkflow
from caribou.control.target import Target

HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"
TARGET = Target("dev", WEST)
LAST = "last:first_0_0:1"
CONTROL = Step(Action.CREATE, Thing.STACK, "CaribouControlPlane", WEST)


def met(placement=None, *stacks, **changes):
    """What is met where a placement is deployed, or nothing is, and some stacks stand."""
    home = DeployedStack("arn", "Workflow-example", HOME, "example", "home", "UPDATE_COMPLETE", datetime.now(UTC))
    deployed = None if placement is None else DeployedWorkflow(home, placement)
    return replace(Situation(deployed, stacks=frozenset(stacks)), **changes)


def done(workflow, placement, situation, **changes):
    """The steps, each as action, thing, name and region."""
    steps = steps_of(PlacedWorkflow(workflow, placement, **changes), situation, TARGET)
    return [(step.action, step.thing, step.name, step.region) for step in steps]


def test_plan_when_nothing_is_deployed_then_stacks_are_created_with_home_last(workflow, placed):
    """Make before break: a run that begins at home finds its regions."""
    assert done(workflow, placed(CANADA), met()) == [
        (Action.CREATE, Thing.STACK, "Workflow-example-registration", WEST),
        (Action.CREATE, Thing.STACK, "Workflow-example-ca-central-1", CANADA),
        (Action.CREATE, Thing.STACK, "Workflow-example", HOME),
    ]


def test_plan_when_a_node_moves_then_says_from_where_and_at_which_hours_and_what_stays_standing(workflow, placed):
    """The region that is left waits for the migrator."""
    stacks = ("Workflow-example-registration", "Workflow-example-us-west-2")
    assert done(workflow, placed(CANADA), met(placed(WEST), *stacks)) == [
        (Action.UPDATE, Thing.STACK, "Workflow-example-registration", WEST),
        (Action.CREATE, Thing.STACK, "Workflow-example-ca-central-1", CANADA),
        (Action.UPDATE, Thing.STACK, "Workflow-example", HOME),
        (Action.MOVE, Thing.NODE, LAST, CANADA),
        (Action.KEEP, Thing.STACK, "Workflow-example-us-west-2", WEST),
    ]


def test_moves_when_only_some_hours_differ_then_only_those_are_named(placed):
    """A node may move to several regions, each at hours of its own; nodes of only one of the two do not count."""
    old, new = placed(), placed(WEST)
    plans = (replace(new.plans[0], hours=tuple(range(6))), replace(old.plans[0], hours=tuple(range(6, 24))))
    mixed = replace(new, plans=(replace(plans[0], regions={**plans[0].regions, "new": WEST}), plans[1]))
    assert moves(old, mixed) == {(LAST, HOME, WEST): [0, 1, 2, 3, 4, 5]}
    assert moves(old, old) == {}


def test_plan_when_something_was_left_then_the_bucket_goes_and_tables_are_adopted_before_stacks(workflow, placed):
    """The CDK is asked to adopt if the plan says so, and only then."""
    left = (Leftovers(HOME, ("runs", "syncs"), "payloads", empty_log_groups=("logs",)),)
    placed_workflow = PlacedWorkflow(workflow, placed())
    steps = steps_of(placed_workflow, met(left=left), TARGET)
    assert [(step.action, step.name) for step in steps[:4]] == [
        (Action.DELETE, "payloads"),
        (Action.DELETE, "logs"),
        (Action.ADOPT, "runs"),
        (Action.ADOPT, "syncs"),
    ]
    assert DeployPlan((placed_workflow,), everything=False, steps=steps).request.adopt
    assert not DeployPlan((placed_workflow,), everything=False, steps=steps[4:]).request.adopt


def test_plan_when_a_function_may_run_in_a_region_no_longer_then_says_that_it_is_deleted_there(workflow, placed):
    """A move deletes none: only another manifest, or another source, does."""
    name = "caribou-dev-example-first"
    steps = done(workflow, placed(WEST), met(placed(WEST), leaving=((name, WEST),)))
    assert (Action.DELETE, Thing.FUNCTION, name, WEST) in steps


def test_plan_when_what_is_deployed_is_kept_then_the_committed_placement_changes_first(workflow, placed):
    """Home is what is deployed where nothing is committed."""
    [first, *_] = done(workflow, placed(WEST), met(placed(WEST)), commits=True)
    assert first == (Action.UPDATE, Thing.PLACEMENT, ".caribou/placement.json", HOME)
    [first, *_] = done(workflow, placed(), met(placed()), commits=True)
    assert first == (Action.DELETE, Thing.PLACEMENT, ".caribou/placement.json", HOME)


def test_plan_when_the_control_region_is_silent_then_the_registration_waits_and_the_cdk_gets_the_other_stacks_alone(
    workflow, placed
):
    """Else the CDK would deploy what home depends on, and fail there."""
    asked = PlacedWorkflow(workflow, placed(CANADA))
    steps = steps_of(asked, met(placed(CANADA), control_silent="no answer"), TARGET)
    assert (steps[0].action, steps[0].name) == (Action.SKIP, "Workflow-example-registration")
    request = DeployPlan((asked,), everything=False, steps=steps).request
    assert request.only == ("Workflow-example-ca-central-1", "Workflow-example")
    assert not DeployPlan((asked,), everything=False, steps=steps[1:]).request.only


def test_request_when_the_control_plane_is_a_step_then_the_cdk_deploys_it_too(workflow, placed):
    """What is asked of the CDK comes out of the steps that are shown."""
    placed_workflow = PlacedWorkflow(workflow, placed(), "home")
    steps = steps_of(placed_workflow, met(), TARGET)
    plan = DeployPlan((placed_workflow,), everything=False, steps=(CONTROL, *steps))
    assert (plan.request.workflow, plan.request.placement, plan.request.control_plane) == ("example", "home", True)
    assert not replace(plan, steps=steps).request.control_plane
    assert replace(plan, everything=True).request.workflow is None
