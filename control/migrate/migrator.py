"""The deployment migrator: apply the placement that waits, then retire the regions that nothing uses any more.

For each workflow, under its lock, a plan is made and carried out: the pending placement is deployed and committed, the
logs of the regions that are not used then are read, and of the regions that the plan retires each is judged once more
and deleted at once. No region goes that the plan leaves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from caribou.control.deploy.committing import commit
from caribou.control.deploy.deploy import Deployer, Rollout
from caribou.control.deploy.planning import DeployPlan
from caribou.control.deploy.steps import Action
from caribou.control.log_collection import LogCollector
from caribou.control.migrate.planning import AppliedPlacement, MigrationPlan, MigrationPlanner, RegionPlan
from caribou.control.migrate.retirement import RetirementDecision
from caribou.control.migrate.retirement_facts import home_facts
from caribou.control.placement_bucket import PlacementBox
from caribou.control.stacks.deletion import delete_stack
from caribou.control.stacks.deployed import any_stack
from caribou.control.stacks.lock import DeployLock, deploy_lock
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import CaribouError, OperationFailedError
from caribou.model.placement import Placement
from caribou.model.template_contract import StackRole


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one workflow: what was said of the pending placement, each region's decision, and failures."""

    workflow: str
    applied: str = ""
    decisions: tuple[RetirementDecision, ...] = ()
    retired: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Migrator:
    """Carries out migrations; `notify` is given every step in words.

    `consent` is given a workflow and the placement that it is to get, and raises a CaribouError unless that may be.
    """

    planner: MigrationPlanner
    deployer: Deployer
    logs: LogCollector
    notify: Callable[[str], None]
    consent: Callable[[str, Placement], None]

    def migrate(self, known: KnownWorkflow, *, deploy: bool) -> Report:
        """Migrate one workflow. What fails is in the report; a lock that is held is an OperationFailedError.

        Without consent nothing is done, and what it raises goes on.
        """
        with deploy_lock(self.planner.aws, self.planner.target, known.name, "migrating", self.notify) as lock:
            if lock.silent:
                return Report(known.name, failures=(self._blind(known.name, lock.silent),))
            try:
                plan = self.planner.plan(known, deploy=deploy)
            except CaribouError as error:
                return Report(known.name, failures=(str(error),))
            if plan.applied is not None:
                self.consent(known.name, plan.applied.placement)
                lock.renew()  # whoever was asked may have taken long to answer
            return self.execute(plan, lock)

    def _blind(self, workflow: str, why: str) -> str:
        return (
            f"{workflow}: the control region {self.planner.target.control_region} is out of reach ({why}), where what "
            f"waits and what was logged is known: nothing is applied or retired. To repeat: `caribou "
            f"run_deployment_migrator {workflow}`"
        )

    def execute(self, plan: MigrationPlan, lock: DeployLock) -> Report:
        """Carry a plan out under the workflow's lock. If the deployment fails, nothing is committed or retired."""
        report = Report(plan.known.name, plan.reason, failures=plan.failures)
        try:
            if plan.applied is not None:
                self._apply(plan, plan.applied)
        except CaribouError as error:
            return Report(plan.known.name, failures=(str(error),))
        self._collect(plan)
        for region in plan.regions:
            report = self._retire(report, plan.known, region, lock)
        return report

    def _apply(self, plan: MigrationPlan, applied: AppliedPlacement) -> None:
        """Deploy the pending placement, make it the committed one, and remember that it was applied."""
        planner, pending, placement = self.planner, applied.pending, applied.placement
        self.notify(f"{plan.known.name}: {plan.reason}")
        self._deploy(applied.deploy, pending.text)
        now = planner.deployed(plan.known)
        if now.placement_digest != placement.digest:
            raise OperationFailedError(
                f"{plan.known.name}: the deploy said that it succeeded, but {now.placement.summary} is deployed, not "
                f"{placement.summary}. Look at the stack {now.home.name} in {now.home.region}"
            )
        for placed in applied.deploy.workflows:
            commit(placed.workflow, pending.text)
        box = PlacementBox(planner.aws, planner.target)
        box.note_applied(plan.known.name, pending, placement.digest, planner.now)

    def _deploy(self, plan: DeployPlan, text: str) -> None:
        """Deploy the placement in a text, which the CDK reads from a file."""
        with tempfile.TemporaryDirectory(prefix="caribou-migration-") as folder:
            file = Path(folder) / "solved.json"
            file.write_text(text, encoding="utf-8")
            workflows = tuple(replace(placed, argument=str(file)) for placed in plan.workflows)
            rollout = Rollout(
                self.planner.aws, self.planner.target, self.deployer, self.notify, "run_deployment_migrator"
            )
            rollout.execute(replace(plan, workflows=workflows))

    def _collect(self, plan: MigrationPlan) -> None:
        for message in self.logs.collect(plan.known, plan.idle) if plan.idle else ():
            self.notify(f"{plan.known.name}: log collection: {message}")

    def _retire(self, report: Report, known: KnownWorkflow, region: RegionPlan, lock: DeployLock) -> Report:
        """The report with what became of a region's stack. A region that fails does not keep the others."""
        try:
            decision = self._judged_again(known, region)
            report = replace(report, decisions=(*report.decisions, decision))
            if decision.action is not Action.RETIRE:
                return report
            self._delete(known, region, lock)
        except CaribouError as error:
            return replace(report, failures=(*report.failures, str(error)))
        return replace(report, retired=(*report.retired, region.stack.region))

    def _judged_again(self, known: KnownWorkflow, region: RegionPlan) -> RetirementDecision:
        """The decision on a region: the plan's, but one that is to go must be free to at this moment too."""
        if region.decision.action is not Action.RETIRE:
            return region.decision
        stack, home = region.stack, home_facts(self.planner.deployed(known))
        return self.planner.decide(
            known, stack, home, lambda groups: self.logs.read_to(known.name, stack.region, groups)
        )

    def _delete(self, known: KnownWorkflow, region: RegionPlan, lock: DeployLock) -> None:
        """Delete a region's stack, if it is still there and the lock is still ours."""
        lock.renew()
        aws, stack = self.planner.aws, region.stack
        current = any_stack(aws, stack.id, stack.region)
        if current is not None:
            self.notify(f"{known.name}: retiring {stack.region}, stack {stack.name}")
            delete_stack(aws, replace(current, workflow=known.name, role=StackRole.REGION), empty_buckets=True)
