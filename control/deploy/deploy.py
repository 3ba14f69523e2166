"""Deploying a workflow: what is refused before anything changes, and what is said if it fails.

The work itself is the CDK CLI's; it is handed in as a Deployer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from caribou.control.aws import Aws, telling
from caribou.control.deploy.checks import Situation, Wanted, refuse
from caribou.control.deploy.leftovers import leftovers, make_way
from caribou.control.runs.run_table import open_runs
from caribou.control.stacks.deployed import deployed_workflow, find_stack, home_stack
from caribou.control.stacks.lock import deploy_lock
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.names import CONTROL_PLANE_STACK_ID, WorkflowNames, stack_name
from caribou.model.project.workflow import Workflow
from caribou.model.registration import parse_registration

"""The construct id of the control plane's stack."""


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What the CDK is to deploy: one workflow, or everything if `workflow` is None.

    `placement` is what `-c placement=` says (a file, or `home`), None for the committed one. `control_plane`: deploy
    that too. `adopt`: take over tables and buckets that an earlier deployment left behind.
    """

    workflow: str | None
    placement: str | None = None
    control_plane: bool = False
    adopt: bool = False


class Deployer(Protocol):
    """Deploys with the CDK."""

    def deploy(self, request: DeployRequest) -> None:
        """Deploy, and return when it is done. Raises OperationFailedError if it fails."""


def situation_of(aws: Aws, workflow: Workflow, target: Target, clock: Callable[[], float] = time.time) -> Situation:
    """What a deployment of the workflow meets."""
    names, home = target.names(workflow.name), workflow.manifest.home_region
    stack = home_stack(aws, workflow.name, target.stage, home)
    registered = registered_home(aws, names, target)
    if stack is None:
        return Situation(None, registered_home=registered)
    return Situation(deployed_workflow(aws, stack), open_runs(aws, names, home, clock()), registered)


def registered_home(aws: Aws, names: WorkflowNames, target: Target) -> str | None:
    """The home region with which the workflow is registered; None if it is not."""
    client = aws.ssm(target.control_region)
    with telling(f"Reading the parameter {names.registration} in {target.control_region}"):
        try:
            value = client.get_parameter(Name=names.registration)["Parameter"]["Value"]
        except client.exceptions.ParameterNotFound:
            return None
    return parse_registration(value, names.registration).home_region


def deploy(
    aws: Aws, deployer: Deployer, wanted: Sequence[Wanted], target: Target, *, force: bool, everything: bool
) -> None:
    """Deploy workflows under their locks: one, or everything there is."""
    with ExitStack() as locks:
        for one in wanted:
            names, home = target.names(one.workflow.name), one.workflow.manifest.home_region
            locks.enter_context(deploy_lock(aws, names, home, "deploying"))
        for one in wanted:
            refuse(one, situation_of(aws, one.workflow, target), force=force)
        request = request_for(aws, wanted, target, everything=everything)
        deploy_checked(aws, deployer, request, wanted, target)


def request_for(aws: Aws, wanted: Sequence[Wanted], target: Target, *, everything: bool) -> DeployRequest:
    """What the CDK is to do: the control plane goes along if it is not there, or if everything is deployed.

    Way is made for workflows of which something was left behind; raises InvalidInputError where that would lose data.
    """
    adoptions = [_adopts(aws, one.workflow, target) for one in wanted]  # each makes way, the first does not suffice
    adopt = any(adoptions)
    if everything:
        return DeployRequest(None, control_plane=True, adopt=adopt)
    stack = find_stack(aws, stack_name(CONTROL_PLANE_STACK_ID, target.stage), target.control_region)
    return DeployRequest(wanted[0].workflow.name, wanted[0].argument, control_plane=stack is None, adopt=adopt)


def _adopts(aws: Aws, workflow: Workflow, target: Target) -> bool:
    names, home = target.names(workflow.name), workflow.manifest.home_region
    return make_way(aws, leftovers(aws, names, home), workflow.name, home)


def deploy_checked(
    aws: Aws, deployer: Deployer, request: DeployRequest, wanted: Iterable[Wanted], target: Target
) -> None:
    """Deploy what was checked. A failure says what goes on serving."""
    try:
        deployer.deploy(request)
    except OperationFailedError as error:
        raise OperationFailedError("\n".join([str(error), *_left_serving(aws, wanted, target)])) from error


def _left_serving(aws: Aws, wanted: Iterable[Wanted], target: Target) -> list[str]:
    told: list[str] = []
    for one in wanted:
        name, home = one.workflow.name, one.workflow.manifest.home_region
        try:
            stack = home_stack(aws, name, target.stage, home)
            deployed = None if stack is None else deployed_workflow(aws, stack)
        except OperationFailedError as error:
            told.append(f"{name}: what serves now can't be told: {error}")
            continue
        if deployed is None:
            told.append(f"{name}: nothing of it serves yet")
        else:
            told.append(f"{name}: {deployed.placement.summary} goes on serving, its stack is {deployed.home.status}")
    return told
