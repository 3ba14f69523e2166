"""The deployment migrator: apply the placement that waits, then retire the regions that nothing uses any more.

For each workflow, under its lock: `judge` the pending placement and deploy it; read the logs of the regions that are
not used then; `decide` on each region's stack, and at once delete one that may go. What is decided is in
`pending.judge` and `retiring.decide`, which are pure; this module carries it out.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from caribou.control.aws import Aws
from caribou.control.deploy.checks import Wanted, refuse
from caribou.control.deploy.deploy import Deployer, deploy_checked, request_for, situation_of
from caribou.control.log_collection import LogSync
from caribou.control.migrate.pending import commit, judge
from caribou.control.migrate.retirement import Decision, Rules, Verdict, decide
from caribou.control.migrate.retirement_facts import home_facts, region_facts
from caribou.control.placement_bucket import PlacementBox
from caribou.control.runs.run_table import redrivable, run_uses
from caribou.control.stacks.deletion import delete_stack
from caribou.control.stacks.deployed import (
    DeployedStack,
    DeployedWorkflow,
    Found,
    deployed_workflow,
    find_stack,
    find_stacks,
    home_stack,
)
from caribou.control.stacks.lock import DeployLock, deploy_lock
from caribou.control.target import Target
from caribou.control.workflows import Subject
from caribou.model.errors import CaribouError, OperationFailedError
from caribou.model.placement import Placement
from caribou.model.project.workflow import Workflow
from caribou.model.template_contract import StackRole


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one workflow: what was said of the pending placement, each region's decision, and failures."""

    workflow: str
    applied: str = ""
    decisions: tuple[Decision, ...] = ()
    retired: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Migrator:
    """Carries out migrations. `wait_s` overrides how long stragglers are waited for; `tell` hears of every step.

    With `forget_failed`, runs that failed and could be redriven keep no region.
    """

    aws: Aws
    target: Target
    deployer: Deployer
    logs: LogSync
    tell: Callable[[str], None]
    wait_s: float | None = None
    forget_failed: bool = False
    clock: Callable[[], float] = field(default=time.time)

    def migrate(self, subject: Subject, *, deploy: bool) -> Report:
        """Migrate one workflow. What fails is in the report; a lock that is held is an OperationFailedError."""
        names, home = self.target.names(subject.name), subject.home_region
        stack = home_stack(self.aws, subject.name, self.target.stage, home)
        if stack is None:
            return Report(subject.name, applied="is not deployed")
        with deploy_lock(self.aws, names, home, "migrating") as lock:
            applied = ""
            try:
                applied = self._apply(subject, stack) if deploy else "what waits was left alone"
                return replace(self._retire(subject, lock), applied=applied)
            except CaribouError as error:
                return Report(subject.name, applied, failures=(str(error),))

    def _apply(self, subject: Subject, stack: DeployedStack) -> str:
        """Deploy the pending placement, if there is one that is of use; what was done, or why not."""
        if subject.workflow is None:
            return "is not in this project, so nothing is deployed"
        box = PlacementBox(self.aws, self.target)
        pending = box.pending(subject.name)
        deployed = deployed_workflow(self.aws, stack)
        choice = judge(pending, subject.workflow, deployed.placement, self._now())
        if pending is None or choice.placement is None:
            return choice.reason
        self.tell(f"{subject.name}: {choice.reason}")
        self._deploy(subject.workflow, pending.text, choice.placement)
        commit(subject.workflow, pending.text)
        box.note_applied(subject.name, pending, choice.placement.digest, self._now())
        return choice.reason

    def _deploy(self, workflow: Workflow, text: str, placement: Placement) -> None:
        with tempfile.TemporaryDirectory(prefix="caribou-migration-") as folder:
            file = Path(folder) / "solved.json"
            file.write_text(text, encoding="utf-8")
            wanted = Wanted(workflow, placement, str(file))
            refuse(wanted, situation_of(self.aws, workflow, self.target, self.clock), force=False)
            request = request_for(self.aws, [wanted], self.target, everything=False)
            deploy_checked(self.aws, self.deployer, request, [wanted], self.target)
        now = self._deployed(workflow.name, workflow.manifest.home_region)
        if now.placement_digest != placement.digest:
            raise OperationFailedError(
                f"{workflow.name}: the deploy said that it succeeded, but {now.placement.summary} is deployed, not "
                f"{placement.summary}. Look at the stack {now.home.name} in {now.home.region}"
            )

    def _retire(self, subject: Subject, lock: DeployLock) -> Report:
        """Decide on every region's stack that was found by tag, and delete those that may go."""
        found = find_stacks(self.aws, self.target.stage)
        _check_searched(found, subject)
        stacks = found.of(subject.name, StackRole.REGION)
        deployed = self._deployed(subject.name, subject.home_region)
        idle = [stack for stack in stacks if stack.region not in deployed.placement.regions]
        trouble = self.logs.sync(subject, idle) if idle else ()
        for message in trouble:
            self.tell(f"{subject.name}: log sync: {message}")
        report = Report(subject.name)
        for stack in stacks:
            report = self._judged(report, subject, stack, lock)
        return report

    def _judged(self, report: Report, subject: Subject, stack: DeployedStack, lock: DeployLock) -> Report:
        """The report with what became of a region's stack. A region that fails does not keep the others."""
        try:
            decision = self._decide(subject, stack)
            report = replace(report, decisions=(*report.decisions, decision))
            if decision.verdict is not Verdict.RETIRE:
                return report
            self._delete(subject, stack, lock)
        except CaribouError as error:
            return replace(report, failures=(*report.failures, str(error)))
        return replace(report, retired=(*report.retired, stack.region))

    def _decide(self, subject: Subject, stack: DeployedStack) -> Decision:
        """The decision on a region's stack, from facts of this moment."""
        names = self.target.names(subject.name)
        home = home_facts(self._deployed(subject.name, subject.home_region))
        facts = region_facts(self.aws, stack, lambda groups: self.logs.read_to(subject.name, stack.region, groups))
        uses = run_uses(self.aws, names, subject.home_region)
        if not self.forget_failed:
            there = [use for use in uses if stack.region in use.regions]
            facts = replace(facts, redrivable=redrivable(names, subject.home_region, there))
        return decide(home, facts, uses, self.clock(), Rules.of(subject.longest_timeout_s, self.wait_s))

    def _delete(self, subject: Subject, stack: DeployedStack, lock: DeployLock) -> None:
        """Delete a region's stack, if it is still there and the lock is still ours."""
        lock.renew()
        current = find_stack(self.aws, stack.id, stack.region)
        if current is not None and (current.workflow, current.role) == (subject.name, StackRole.REGION):
            self.tell(f"{subject.name}: retiring {stack.region}, stack {stack.name}")
            delete_stack(self.aws, current, empty_buckets=True)

    def _deployed(self, workflow: str, home_region: str) -> DeployedWorkflow:
        stack = home_stack(self.aws, workflow, self.target.stage, home_region)
        if stack is None:
            raise OperationFailedError(f"{workflow}: its home stack in {home_region} has gone meanwhile")
        return deployed_workflow(self.aws, stack)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)


def _check_searched(found: Found, subject: Subject) -> None:
    """Raise if a region of the workflow could not be searched: what is there would be overlooked."""
    for region in subject.regions:
        if region in found.unsearched:
            raise OperationFailedError(
                f"{subject.name}: the stacks of {region} can't be listed: {found.unsearched[region]}. Look at whether "
                f"the account has enabled the region, and at the permissions"
            )
