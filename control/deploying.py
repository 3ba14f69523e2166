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
from caribou.control.deployed import DeployedWorkflow, deployed_workflow, find_stack, home_stack
from caribou.control.leftovers import leftovers, make_way
from caribou.control.lock import deploy_lock
from caribou.control.usage import open_runs
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.names import WorkflowNames, stack_name
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.registration import parse_registration
from caribou.model.schema.workflow import COMMITTED_PLACEMENT, Workflow

CONTROL_PLANE = "CaribouControlPlane"
"""The construct id of the control plane's stack."""

_DIGITS = 12


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """A workflow with the placement that it is to have; `argument` is what was asked for, None for the committed."""

    workflow: Workflow
    placement: Placement
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where things are deployed: at a stage, with the control plane in a region."""

    stage: str
    control_region: str

    def names(self, workflow: str) -> WorkflowNames:
        """The fixed names of a workflow's resources."""
        return WorkflowNames(workflow, self.stage)


@dataclass(frozen=True, slots=True)
class Situation:
    """What a deployment meets: what is deployed, how many runs are open, and the home that is registered."""

    deployed: DeployedWorkflow | None
    open_runs: int = 0
    registered_home: str | None = None


def refuse(wanted: Wanted, situation: Situation, *, force: bool) -> None:
    """Raise unless the deployment may go on. Pure.

    InvalidInputError for a move that was not asked for, or another home; OperationFailedError for runs to wait for.
    """
    _refuse_other_home(wanted, situation.registered_home)
    if situation.deployed is None:
        return
    _refuse_unasked_move(wanted, situation.deployed)
    if not force:
        _refuse_changed_graph(wanted, situation)


def is_same_place(one: Placement, other: Placement) -> bool:
    """Whether two placements run every node in the same regions, whatever versions of the workflow they are for.

    Two that keep everything at home are the same, even if the nodes differ: code may change without a move.
    """
    if one.home_region != other.home_region:
        return False
    if one.regions == other.regions == {one.home_region}:
        return True
    return all(dict(one.regions_at(hour)) == dict(other.regions_at(hour)) for hour in ALL_HOURS)


def _refuse_other_home(wanted: Wanted, registered_home: str | None) -> None:
    home, name = wanted.workflow.manifest.home_region, wanted.workflow.name
    if registered_home not in (None, home):
        raise InvalidInputError(
            "the workflow is deployed with another home region, which would be left behind with its runs",
            where=f"{name}: home_region",
            found=f"{home}, deployed: {registered_home}",
            fix=f"remove it first: `caribou remove {name}`, with the old home_region in the manifest",
        )


def _refuse_unasked_move(wanted: Wanted, deployed: DeployedWorkflow) -> None:
    name = wanted.workflow.name
    if wanted.argument is not None or is_same_place(wanted.placement, deployed.placement):
        return
    raise InvalidInputError(
        "deploying it would change its placement, which was not asked for",
        where=name,
        found=f"{described(wanted.placement)} to deploy, {described(deployed.placement)} deployed",
        fix=f"keep what is deployed, and commit it: `caribou deploy {name} --placement deployed`; or ask for a "
        f"placement: `--placement FILE`, `--placement {wanted.workflow.folder / COMMITTED_PLACEMENT}` or "
        f"`--placement home`",
    )


def _refuse_changed_graph(wanted: Wanted, situation: Situation) -> None:
    deployed, graph = situation.deployed, wanted.workflow.graph
    if deployed is None or not situation.open_runs or deployed.graph_digest in (None, graph.digest):
        return
    raise OperationFailedError(
        f"{graph.workflow}: its graph has changed, and {situation.open_runs} of its runs are still open; their "
        f"messages may not fit the new graph. Wait until they have ended (`caribou list` shows them), or use --force"
    )


def described(placement: Placement) -> str:
    """A placement in a few words: the start of its digest, and its regions."""
    return f"placement {placement.digest[:_DIGITS]} ({', '.join(sorted(placement.regions))})"


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
    stack = find_stack(aws, stack_name(CONTROL_PLANE, target.stage), target.control_region)
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
            told.append(f"{name}: {described(deployed.placement)} goes on serving, its stack is {deployed.home.status}")
    return told
