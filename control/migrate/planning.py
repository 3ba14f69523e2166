"""The plan of a migration: the placement that waits, and what may become of each region. Reads; changes nothing.

Regions are judged as they will be once the placement that waits is deployed and their logs are collected; whoever
carries the plan out judges those that may go once more, from facts of that moment.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from caribou.control.aws import Aws
from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.planning import DeployPlan, plan_deploy
from caribou.control.deploy.steps import Action, Step, Thing
from caribou.control.migrate.pending import judge
from caribou.control.migrate.retirement import HomeFacts, RetirementDecision, Rules, decide
from caribou.control.migrate.retirement_facts import home_facts, region_facts
from caribou.control.placement_bucket import APPLIED, SOLVED, Pending, PlacementBox
from caribou.control.runs.run_table import redrivable, run_uses
from caribou.control.stacks.deployed import (
    DeployedStack,
    DeployedWorkflow,
    Found,
    deployed_workflow,
    find_stacks,
    home_stack,
)
from caribou.control.target import Target
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import CaribouError, OperationFailedError
from caribou.model.placement import Placement
from caribou.model.project.workflow import placement_file
from caribou.model.template_contract import StackRole

ReadTo = Callable[[Sequence[str]], float | None]
"""Log groups to the time (s, UTC) up to which they were read; None if one never was."""


@dataclass(frozen=True, slots=True)
class AppliedPlacement:
    """The placement that is applied: the file that waited, what it says, and the plan of its deployment."""

    pending: Pending
    placement: Placement
    deploy: DeployPlan


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """A region's stack, and what becomes of it."""

    stack: DeployedStack
    decision: RetirementDecision


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What migrating a workflow means: a placement is applied, or `reason` says why not, and regions are retired.

    The logs of the stacks `idle` are collected before. `failures` are regions that could not be judged.
    """

    known: KnownWorkflow
    control_region: str
    reason: str
    applied: AppliedPlacement | None = None
    idle: tuple[DeployedStack, ...] = ()
    regions: tuple[RegionPlan, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, in the order in which they are done."""
        workflow = self.known.name
        logs = (_collecting(stack, workflow) for stack in self.idle)
        return (*self._applying(), *logs, *(_judged(region, workflow) for region in self.regions))

    def _applying(self) -> tuple[Step, ...]:
        name, home = self.known.name, self.known.home_region
        if self.applied is None:
            solved = f"{name}/{SOLVED}"
            return (Step(Action.SKIP, Thing.PLACEMENT, solved, self.control_region, self.reason, name),)
        why, noted = "what is deployed becomes the committed one", "it is not applied again"
        committing = Step(Action.UPDATE, Thing.PLACEMENT, self._committed, home, why, name)
        noting = Step(Action.UPDATE, Thing.PLACEMENT, f"{name}/{APPLIED}", self.control_region, noted, name)
        return (*self.applied.deploy.steps, committing, noting)

    @property
    def _committed(self) -> str:
        workflow = self.known.workflow
        return str(placement_file() if workflow is None else placement_file(workflow.stage))


def _collecting(stack: DeployedStack, workflow: str) -> Step:
    return Step(Action.COLLECT, Thing.LOGS, stack.name, stack.region, "they go with the stack", workflow)


def _judged(region: RegionPlan, workflow: str) -> Step:
    stack, decision = region.stack, region.decision
    return Step(decision.action, Thing.STACK, stack.name, stack.region, "; ".join(decision.reasons), workflow)


@dataclass(frozen=True)
class MigrationPlanner:
    """Plans migrations. `wait_s` overrides how long stragglers are waited for.

    With `forget_failed`, runs that failed and could be redriven keep no region.
    """

    aws: Aws
    target: Target
    wait_s: float | None = None
    forget_failed: bool = False
    clock: Callable[[], float] = field(default=time.time)

    def plan(self, known: KnownWorkflow, *, deploy: bool) -> MigrationPlan:
        """The plan for one workflow. Raises CaribouError if the placement that waits can't be deployed."""
        stack = home_stack(self.aws, known.name, self.target.stage, known.home_region)
        if stack is None:
            return self._plan(known, "is not deployed")
        deployed = deployed_workflow(self.aws, stack)
        plan = self._applied(known, deployed) if deploy else self._plan(known, "what waits was left alone")
        return self._with_regions(plan, deployed)

    def decide(
        self, known: KnownWorkflow, stack: DeployedStack, home: HomeFacts, read_to: ReadTo
    ) -> RetirementDecision:
        """The decision on a region's stack, from facts of this moment."""
        names = self.target.names(known.name)
        facts = region_facts(self.aws, stack, read_to)
        uses = run_uses(self.aws, names, known.home_region)
        if not self.forget_failed:
            there = [use for use in uses if stack.region in use.regions]
            facts = replace(facts, redrivable=redrivable(names, known.home_region, there))
        return decide(home, facts, uses, self.clock(), Rules.of(known.longest_timeout_s, self.wait_s))

    def deployed(self, known: KnownWorkflow) -> DeployedWorkflow:
        """What is deployed at this moment. Raises OperationFailedError if the home stack has gone."""
        stack = home_stack(self.aws, known.name, self.target.stage, known.home_region)
        if stack is None:
            raise OperationFailedError(f"{known.name}: its home stack in {known.home_region} has gone meanwhile")
        return deployed_workflow(self.aws, stack)

    @property
    def now(self) -> datetime:
        """The time, by the clock."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def _plan(self, known: KnownWorkflow, reason: str, applied: AppliedPlacement | None = None) -> MigrationPlan:
        return MigrationPlan(known, self.target.control_region, reason, applied)

    def _applied(self, known: KnownWorkflow, deployed: DeployedWorkflow) -> MigrationPlan:
        """The plan with the pending placement, if there is one that is of use, or with why not."""
        if known.workflow is None:
            return self._plan(known, "is not in this project, so nothing is deployed")
        pending = PlacementBox(self.aws, self.target).pending(known.name)
        decision = judge(pending, known.workflow, deployed.placement, self.now)
        if pending is None or decision.placement is None:
            return self._plan(known, decision.reason)
        placed = PlacedWorkflow(known.workflow, decision.placement, f"{known.name}/{SOLVED}")
        plan = plan_deploy(self.aws, [placed], self.target, force=False, everything=False)
        return self._plan(known, decision.reason, AppliedPlacement(pending, decision.placement, plan))

    def _with_regions(self, plan: MigrationPlan, deployed: DeployedWorkflow) -> MigrationPlan:
        """The plan with every region's stack that was found by tag."""
        known, home = plan.known, home_facts(deployed)
        if plan.applied is not None:
            home = replace(home, placement=plan.applied.placement, flip_s=self.clock(), is_settled=True)
        try:
            stacks = _region_stacks(find_stacks(self.aws, self.target.stage, [known.name]), known)
        except OperationFailedError as error:  # what waits is deployed all the same
            return replace(plan, failures=(str(error),))
        plan = replace(plan, idle=tuple(stack for stack in stacks if stack.region not in home.placement.regions))
        for stack in stacks:
            plan = self._with_region(plan, stack, home)
        return plan

    def _with_region(self, plan: MigrationPlan, stack: DeployedStack, home: HomeFacts) -> MigrationPlan:
        """The plan with one more region. One that can't be judged does not keep the others."""
        try:
            decision = self.decide(plan.known, stack, home, _all_collected)
        except CaribouError as error:
            return replace(plan, failures=(*plan.failures, str(error)))
        return replace(plan, regions=(*plan.regions, RegionPlan(stack, decision)))


def _all_collected(log_groups: Sequence[str]) -> float:
    """Up to when logs will have been read when their collection has succeeded: far enough."""
    del log_groups
    return math.inf


def _region_stacks(found: Found, known: KnownWorkflow) -> tuple[DeployedStack, ...]:
    """The workflow's stacks but home's. Raises OperationFailedError if a region of it could not be searched."""
    if unseen := found.unseen(known.regions):
        said = ", ".join(f"{region}: {why}" for region, why in unseen.items())
        raise OperationFailedError(
            f"{known.name}: these regions' stacks can't be listed, so none is retired: {said}. Look at the "
            f"permissions, and at whether the account has enabled the regions, or let the manifest not allow them"
        )
    return found.of(known.name, StackRole.REGION)
