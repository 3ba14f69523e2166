"""Deploying: carries out the steps of a plan, just those. A failure says what goes on serving.

The stacks are the CDK CLI's work; it is handed in as a Deployer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from caribou.control.aws import Aws, why_out_of_reach
from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.committing import commit_placed
from caribou.control.deploy.planning import DeployPlan, DeployRequest, plan_deploy
from caribou.control.deploy.steps import Action, Thing
from caribou.control.history import Deployment, History
from caribou.control.placement_bucket import PlacementBox
from caribou.control.stacks.deletion import delete_empty_bucket, delete_empty_log_group
from caribou.control.stacks.deployed import deployed_workflow, find_stack, home_stack
from caribou.control.stacks.lock import deploy_lock
from caribou.control.stacks.machine_lock import alone_here
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.names import CONTROL_PLANE_STACK_ID, stack_name, workflow_stack_id

_MAKING_WAY = {Thing.BUCKET: delete_empty_bucket, Thing.LOGS: delete_empty_log_group}
"""How what is left empty is deleted; each refuses if something came into it meanwhile."""


class Deployer(Protocol):
    """Deploys with the CDK."""

    def deploy(self, request: DeployRequest) -> None:
        """Deploy, and return when it is done. Raises OperationFailedError if it fails."""


@dataclass(frozen=True)
class Rollout:
    """Rolls plans out to a target. `notify` is given every deletion in words; `verb` goes into the history."""

    aws: Aws
    target: Target
    deployer: Deployer
    notify: Callable[[str], None]
    verb: str = "deploy"

    def deploy(
        self, workflows: Sequence[PlacedWorkflow], *, force: bool, everything: bool, shown: DeployPlan | None = None
    ) -> DeployPlan:
        """Plan and deploy workflows under their locks, one or everything there is; the plan that was carried out.

        Raises OperationFailedError if other nodes would move than in the plan that was `shown`.
        """
        with ExitStack() as locks:
            for placed in workflows:
                locks.enter_context(alone_here(self.aws, self.target, workflow_stack_id(placed.name), "deploying"))
            locks.enter_context(self._making_control_plane(everything=everything))
            for placed in workflows:
                held = deploy_lock(self.aws, self.target, placed.name, "deploying", self.notify)
                if warning := locks.enter_context(held).warning:
                    self.notify(warning)
            plan = plan_deploy(self.aws, workflows, self.target, force=force, everything=everything)
            if shown is not None and plan.moves != shown.moves:
                raise OperationFailedError(
                    "Somebody else has deployed since the plan was shown, and other nodes would move now. Nothing was "
                    "changed; deploy again to see the plan as it is"
                )
            self.execute(plan)
        return plan

    def _making_control_plane(self, *, everything: bool) -> AbstractContextManager[None]:
        """Within it, nobody else on this machine makes the control plane: who comes second waits, and finds it."""
        name = stack_name(CONTROL_PLANE_STACK_ID, self.target.stage)
        try:
            stack = find_stack(self.aws, name, self.target.control_region)
        except OperationFailedError as error:
            if why_out_of_reach(error) is None:
                raise
            return nullcontext()  # nobody makes it now
        if stack is not None and not stack.is_busy and not everything:
            return nullcontext()
        return alone_here(self.aws, self.target, CONTROL_PLANE_STACK_ID, "deploying it", wait=self.notify)

    def execute(self, plan: DeployPlan) -> None:
        """Carry a plan out; the caller holds the locks. Raises OperationFailedError."""
        for placed in plan.workflows:
            if placed.commits:
                commit_placed(placed)
        for step in plan.steps:
            if step.action is Action.SKIP:
                self.notify(f"warning: {step.text}: {step.why}")
            if step.action is Action.DELETE and step.thing in _MAKING_WAY:
                self.notify(f"{step.text}: {step.why}")
                _MAKING_WAY[step.thing](self.aws, step.region, step.name)
        try:
            self.deployer.deploy(plan.request)
        except OperationFailedError as error:
            serving = self._still_serving(plan.workflows)
            raise OperationFailedError("\n".join([str(error), *serving])) from error
        for placed in plan.workflows:
            self._remember(placed)

    def _remember(self, placed: PlacedWorkflow) -> None:
        """Note in the history what was deployed. It is deployed all the same if that can't be."""
        try:
            by = self.aws.caller(placed.home_region)
            History(PlacementBox(self.aws, self.target)).add(
                Deployment(placed.placement, datetime.now(UTC), by, self.verb)
            )
        except OperationFailedError as error:
            self.notify(f"warning: {placed.name} is deployed, but `caribou history` will not have it: {error}")

    def _still_serving(self, workflows: Iterable[PlacedWorkflow]) -> Iterator[str]:
        for placed in workflows:
            try:
                stack = home_stack(self.aws, placed.name, self.target.stage, placed.home_region)
                deployed = None if stack is None else deployed_workflow(self.aws, stack)
            except OperationFailedError as error:
                yield f"{placed.name}: what serves now can't be read: {error}"
                continue
            if deployed is None:
                yield f"{placed.name}: nothing of it serves yet"
            else:
                summary, status = deployed.placement.summary, deployed.home.status
                yield f"{placed.name}: {summary} goes on serving, its stack is {status}"
