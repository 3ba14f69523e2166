"""What a deployment meets, read from CloudFormation, the registration and home's tables. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from caribou.control.aws import Aws, aws_errors_as
from caribou.control.deploy.checks import PlacedWorkflow, Situation
from caribou.control.deploy.leftovers import left_for
from caribou.control.runs.run_table import open_runs
from caribou.control.stacks.deployed import (
    DeployedStack,
    deployed_workflow,
    find_stack,
    find_stacks,
    home_stack,
    is_foreign,
    resources,
)
from caribou.control.stacks.readiness import unready
from caribou.control.stacks.whereabouts import whereabouts
from caribou.control.target import Target
from caribou.model.names import WorkflowNames, stack_name, workflow_stack_id
from caribou.model.registration import parse_registration
from caribou.model.template_contract import StackRole


def situation_of(aws: Aws, placed: PlacedWorkflow, target: Target, clock: Callable[[], float] = time.time) -> Situation:
    """What a deployment of the workflow meets."""
    names, home = target.names(placed.name), placed.home_region
    needed = {home, *placed.placement.regions}
    cant = unready(aws, {*needed, target.control_region}, target.qualifier)
    silent = next((one.silent for one in cant if one.region == target.control_region), "")
    if cant := tuple(one for one in cant if one.region in needed or not one.silent):
        return Situation(None, unready=cant)
    stack = home_stack(aws, placed.name, target.stage, home)
    registration, *regions = other_stacks(placed, target)
    asked = regions if silent else [registration, *regions]
    found = [there for name, region in asked if (there := find_stack(aws, name, region)) is not None]
    standing = frozenset(there.name for there in found)
    registered = registered_home(aws, names, target) if not silent else _home_that_stands(aws, placed, stack, target)
    new = [*([home] if stack is None else []), *(region for name, region in regions if name not in standing)]
    foreign = next((there for there in (stack, *found) if there is not None and is_foreign(there, target)), None)
    left = tuple(left_for(aws, placed, names, region) for region in new)
    busy = tuple(there for there in (stack, *found) if there is not None and there.is_busy)
    if stack is None:
        return Situation(None, 0, registered, standing, left, busy=busy, foreign=foreign, control_silent=silent)
    return Situation(
        deployed_workflow(aws, stack),
        open_runs(aws, names, home, clock()),
        registered,
        standing,
        left,
        leaving=tuple(gone for there in found for gone in _leaving(aws, placed, there, names)),
        busy=busy,
        control_silent=silent,
        foreign=foreign,
    )


def _home_that_stands(aws: Aws, placed: PlacedWorkflow, stack: DeployedStack | None, target: Target) -> str | None:
    """The region of the workflow's home stack, `stack` or one elsewhere; None if no region that answers has any."""
    if stack is not None:
        return stack.region
    regions = whereabouts(aws, target, placed.workflow.regions).regions - {target.control_region}
    homes = find_stacks(aws, target.stage, [placed.name], regions).of(placed.name, StackRole.HOME)
    return next((home.region for home in homes if home.is_there), None)


def _leaving(aws: Aws, placed: PlacedWorkflow, stack: DeployedStack, names: WorkflowNames) -> Iterator[tuple[str, str]]:
    """The functions of a stack outside home that its next template has no more, each with the region."""
    stay = {names.function(function) for function in placed.workflow.functions_in(stack.region)}
    for name in resources(aws, stack, "AWS::Lambda::Function"):
        if name not in stay:
            yield name, stack.region


def other_stacks(placed: PlacedWorkflow, target: Target) -> Iterator[tuple[str, str]]:
    """Name and region of each stack that the deployment makes or updates before home's, in that order."""
    yield stack_name(workflow_stack_id(placed.name, StackRole.REGISTRATION), target.stage), target.control_region
    for region in sorted(placed.placement.regions - {placed.home_region}):
        yield stack_name(workflow_stack_id(placed.name, region), target.stage), region


def registered_home(aws: Aws, names: WorkflowNames, target: Target) -> str | None:
    """The home region with which the workflow is registered; None if it is not."""
    client = aws.ssm(target.control_region)
    with aws_errors_as(f"Reading the parameter {names.registration} in {target.control_region}"):
        try:
            value = client.get_parameter(Name=names.registration)["Parameter"]["Value"]
        except client.exceptions.ParameterNotFound:
            return None
    return parse_registration(value, names.registration).home_region
