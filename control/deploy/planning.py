"""The plan of a deployment: what the CDK is to do, and what is done before it. Reads; changes nothing.

    committed placement ─▶ left-over bucket deleted ─▶ tables adopted ─▶ control plane ─▶ registration, regions ─▶ home

Home is last, so that a run meets its regions: then its nodes have moved. Regions that are used no longer stay until
the migrator retires them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from caribou.control.aws import Aws
from caribou.control.deploy.checks import Leftovers, PlacedWorkflow, Situation, refuse, refuse_busy, refuse_logs
from caribou.control.deploy.leftovers import control_leftovers
from caribou.control.deploy.situation import other_stacks, situation_of
from caribou.control.deploy.steps import Action, Step, Thing
from caribou.control.stacks.deployed import DeployedWorkflow, find_stack
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.names import CONTROL_PLANE_STACK_ID, stack_name, workflow_stack_id
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.project.workflow import placement_file

_ANEW = "left empty; it is made anew"
_FIRST_TIME = frozenset({"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"})
"""States of a control plane that somebody is just making: it may still come to nothing."""


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What the CDK is to deploy: one workflow, or everything if `workflow` is None.

    `placement` is what `-c placement=` says (a file, or `home`), None for the committed one. `control_plane`: deploy
    that too. `adopt`: take over tables that an earlier deployment left behind; with `account`, the control plane's
    bucket too. `only`: deploy just the stacks with these construct ids, whatever else they depend on.
    """

    workflow: str | None
    placement: str | None = None
    control_plane: bool = False
    adopt: bool = False
    account: str | None = None
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """A deployment that was not refused: workflows with their placements, one or `everything`, and its steps.

    `deployed` has what serves now, by workflow, of those that are deployed.
    """

    workflows: tuple[PlacedWorkflow, ...]
    everything: bool
    steps: tuple[Step, ...]
    account: str | None = None
    deployed: Mapping[str, DeployedWorkflow] = field(default_factory=dict)

    @property
    def moves(self) -> tuple[Step, ...]:
        """The steps in which a node moves."""
        return tuple(step for step in self.steps if step.action is Action.MOVE)

    @property
    def request(self) -> DeployRequest:
        """What the CDK is to do of it."""
        adopt = any(step.action is Action.ADOPT for step in self.steps)
        if self.everything:
            return DeployRequest(None, control_plane=True, adopt=adopt, account=self._adopting)
        [placed] = self.workflows
        return DeployRequest(
            placed.name,
            placed.argument,
            control_plane=any(step.thing is Thing.STACK and not step.workflow for step in self.steps),
            adopt=adopt,
            account=self._adopting,
            only=_without_registration(placed) if any(step.action is Action.SKIP for step in self.steps) else (),
        )

    @property
    def _adopting(self) -> str | None:
        """The account, if a bucket of it is adopted."""
        adopts = any((step.action, step.thing) == (Action.ADOPT, Thing.BUCKET) for step in self.steps)
        return self.account if adopts else None


def plan_deploy(
    aws: Aws, workflows: Sequence[PlacedWorkflow], target: Target, *, force: bool, everything: bool
) -> DeployPlan:
    """The plan of deploying workflows: one, or everything there is. Raises CaribouError for what is refused."""
    situations = [situation_of(aws, placed, target) for placed in workflows]
    for placed, situation in zip(workflows, situations, strict=True):
        refuse(placed, situation, force=force)
    silent = next((situation.control_silent for situation in situations if situation.control_silent), "")
    if silent and everything:
        raise OperationFailedError(
            f"The control region {target.control_region} is out of reach ({silent}), so not everything can be "
            f"deployed: name one workflow, which goes on"
        )
    steps = [] if silent else control_steps(aws, target, everything=everything)
    for placed, situation in zip(workflows, situations, strict=True):
        steps += steps_of(placed, situation, target)
    both = zip(workflows, situations, strict=True)
    deployed = {placed.name: met.deployed for placed, met in both if met.deployed is not None}
    return DeployPlan(tuple(workflows), everything, tuple(steps), aws.account(target.control_region), deployed)


def control_steps(aws: Aws, target: Target, *, everything: bool) -> list[Step]:
    """The steps of the control plane's deployment: none if it stands, unless everything is deployed.

    Raises CaribouError for somebody else at work on it, and for a log group with streams that has the name of its own.
    """
    stack = stack_name(CONTROL_PLANE_STACK_ID, target.stage)
    standing = find_stack(aws, stack, target.control_region)
    if standing is None:
        left = control_leftovers(aws, target)
        refuse_logs(CONTROL_PLANE_STACK_ID, left)
        why = "a control plane was deleted, and left this with its data"
        adopted = [(Thing.TABLE, name) for name in left.tables]
        adopted += [] if left.bucket is None else [(Thing.BUCKET, left.bucket)]
        return [
            *(_emptied(left, group, "") for group in left.empty_log_groups),
            *(Step(Action.ADOPT, thing, name, left.region, why) for thing, name in adopted),
            Step(Action.CREATE, Thing.STACK, stack, left.region, "there is none"),
        ]
    if everything or standing.status in _FIRST_TIME:
        refuse_busy([standing])
    why = "everything is deployed"
    return [Step(Action.UPDATE, Thing.STACK, stack, target.control_region, why)] if everything else []


def steps_of(placed: PlacedWorkflow, situation: Situation, target: Target) -> tuple[Step, ...]:
    """The steps of one workflow's deployment, in their order. Pure."""
    return (
        *_committing(placed),
        *_making_way(placed, situation),
        *_stacks(placed, situation, target),
        *_moves(placed, situation),
        *_left_standing(placed, situation, target),
    )


def _committing(placed: PlacedWorkflow) -> Iterator[Step]:
    if placed.commits:
        at_home = placed.placement.regions == {placed.home_region}
        yield Step(
            Action.DELETE if at_home else Action.UPDATE,
            Thing.PLACEMENT,
            str(placement_file(placed.workflow.stage)),
            placed.home_region,
            "what is deployed is home, which needs none" if at_home else "what is deployed becomes the committed one",
            placed.name,
        )


def _making_way(placed: PlacedWorkflow, situation: Situation) -> Iterator[Step]:
    for left in situation.left:
        if left.bucket is not None:
            yield Step(Action.DELETE, Thing.BUCKET, left.bucket, left.region, _ANEW, placed.name)
        for group in left.empty_log_groups:
            yield _emptied(left, group, placed.name)
        for table in left.tables:
            adopted = "left by an earlier deployment, with its data"
            yield Step(Action.ADOPT, Thing.TABLE, table, left.region, adopted, placed.name)


def _emptied(left: Leftovers, group: str, workflow: str) -> Step:
    return Step(Action.DELETE, Thing.LOGS, group, left.region, _ANEW, workflow)


def _stacks(placed: PlacedWorkflow, situation: Situation, target: Target) -> Iterator[Step]:
    registration, *regions = other_stacks(placed, target)
    reasons = {registration: "makes it known to the control plane"} | dict.fromkeys(regions, "nodes are placed there")
    if situation.control_silent:
        later = f"no answer there: `caribou deploy {placed.name}` registers it later"
        yield Step(Action.SKIP, Thing.STACK, registration[0], registration[1], later, placed.name)
        del reasons[registration]
    for (name, region), why in reasons.items():
        yield _deployed(name, region, why, placed.name, stands=name in situation.stacks)
    for function, region in situation.leaving:
        yield Step(Action.DELETE, Thing.FUNCTION, function, region, "may run there no longer", placed.name)
    home, stands = stack_name(workflow_stack_id(placed.name), target.stage), situation.deployed is not None
    yield _deployed(home, placed.home_region, f"home, with {placed.placement.summary}", placed.name, stands=stands)


def _without_registration(placed: PlacedWorkflow) -> tuple[str, ...]:
    """The construct ids of the workflow's stacks but its registration, home last."""
    regions = sorted(placed.placement.regions - {placed.home_region})
    return *(workflow_stack_id(placed.name, region) for region in regions), workflow_stack_id(placed.name)


def _deployed(name: str, region: str, why: str, workflow: str, *, stands: bool) -> Step:
    return Step(Action.UPDATE if stands else Action.CREATE, Thing.STACK, name, region, why, workflow)


def _moves(placed: PlacedWorkflow, situation: Situation) -> Iterator[Step]:
    if situation.deployed is not None:
        for (node, origin, region), hours in moves(situation.deployed.placement, placed.placement).items():
            why = "the placement puts it there"
            yield Step(Action.MOVE, Thing.NODE, node, region, why, placed.name, origin, tuple(hours))


def moves(old: Placement, new: Placement) -> dict[tuple[str, str, str], list[int]]:
    """Node, region before and region after, to the hours in which that move shows. Nodes of only one do not move."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for hour in ALL_HOURS:
        before = old.regions_at(hour)
        for node, region in new.regions_at(hour).items():
            if node in before and before[node] != region:
                found.setdefault((node, before[node], region), []).append(hour)
    return found


def _left_standing(placed: PlacedWorkflow, situation: Situation, target: Target) -> Iterator[Step]:
    if situation.deployed is not None:
        for region in sorted(situation.deployed.placement.regions - placed.placement.regions - {placed.home_region}):
            name = stack_name(workflow_stack_id(placed.name, region), target.stage)
            why = "used no longer; stays until the migrator retires it"
            yield Step(Action.KEEP, Thing.STACK, name, region, why, placed.name)
