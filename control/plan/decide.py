"""Managing deployments: is there a placement that is worth moving to? What is found waits in the placement bucket.

`weigh` decides, and is pure. A move has its price (a deploy, cold starts, a region more to look after), so a placement
that is hardly better than what runs now is left alone, unless what runs now breaks a hard limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from caribou.collectors.facts import Facts, FactTable, read_facts
from caribou.collectors.records import RecordTable
from caribou.control.aws import Aws, telling
from caribou.control.log_collection import LogSync
from caribou.control.placement_bucket import PlacementBox
from caribou.control.plan.finish import Clocks, SolveOptions, finished_placement, placement_text
from caribou.control.plan.problem import build_problem
from caribou.control.stacks.deployed import deployed_workflow, home_stack
from caribou.control.target import Target
from caribou.control.workflows import Subject
from caribou.model.errors import InvalidInputError, InvalidPlacementError
from caribou.model.placement import Placement
from caribou.model.project.workflow import Workflow
from caribou.model.record import RunRecord
from caribou.model.schema.problem import Objective, Problem
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import Evaluation, Metrics, evaluate

MIN_RUNS = 10
"""Runs of the current version below which nothing is solved: their samples say too little of the tail."""
MIN_GAIN = 0.01
"""The share of the objective that a move has to save."""
RENEW_SHARE = 0.5
"""When less than this share of a validity is left, the same placement is put again, with a new expiry."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a placement stands by the problem of today: the mean of its first metric, and the hard limits it breaks."""

    objective: float
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the solved placement is worth applying, and why or why not."""

    put: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Managed:
    """What was found for a workflow: why nothing was solved, or the plan and whether it now waits to be applied."""

    workflow: str
    reason: str
    problem: Problem | None = None
    placement: Placement | None = None
    put: bool = False
    warnings: tuple[str, ...] = ()


def weigh(solved: Placement, new: Standing, deployed: Placement, old: Standing, now: datetime) -> Verdict:
    """Whether to apply `solved` in place of what runs now, which is `deployed`, or home if that has expired."""
    if solved.digest == deployed.digest:
        return _renewal(solved, deployed, now)
    if old.broken and not new.broken:
        return Verdict(put=True, reason=f"what runs now breaks {', '.join(old.broken)}; this does not")
    gain = 1 - new.objective / old.objective if old.objective > 0 else 0.0
    if gain < MIN_GAIN:
        return Verdict(put=False, reason=f"it would save {gain:.1%}, and a move is worth it from {MIN_GAIN:.0%} on")
    return Verdict(put=True, reason=f"it saves {gain:.1%}")


def _renewal(solved: Placement, deployed: Placement, now: datetime) -> Verdict:
    if solved.expires_at is None or deployed.expires_at is None:
        return Verdict(put=False, reason="it is deployed")
    if deployed.expires_at - now < (solved.expires_at - now) * RENEW_SHARE:
        return Verdict(put=True, reason=f"it is deployed, and expires soon, at {deployed.expires_at}")
    return Verdict(put=False, reason=f"it is deployed, and holds until {deployed.expires_at}")


def standing(metrics: Metrics, home: Metrics, objective: Objective) -> Standing:
    """How metrics over a day stand, by an objective whose relative limits are in per cent of home's."""
    broken = [
        f"the hard limit on {metric}"
        for metric, limit in objective.hard.items()
        if _p95(metrics, metric) > (limit.value if limit.type == "absolute" else limit.value / 100 * _p95(home, metric))
    ]
    return Standing(_mean(metrics, objective.priority[0]), tuple(broken))


def _mean(metrics: Metrics, metric: str) -> float:
    return {"carbon": metrics.carbon_g, "cost": metrics.cost_usd, "runtime": metrics.runtime_s}[metric].mean


def _p95(metrics: Metrics, metric: str) -> float:
    return {"carbon": metrics.carbon_g, "cost": metrics.cost_usd, "runtime": metrics.runtime_s}[metric].p95


class Tables(Protocol):
    """What the control plane has collected."""

    @property
    def facts(self) -> FactTable:
        """Facts of regions."""

    @property
    def records(self) -> RecordTable:
        """Run records."""


@dataclass(frozen=True)
class Management:
    """Looks after workflows, one at a time: log sync, problem, placement, and whether that is worth a move."""

    aws: Aws
    target: Target
    tables: Tables
    logs: LogSync
    clocks: Clocks = field(default_factory=Clocks)

    def manage(self, subject: Subject) -> Managed:
        """Solve for a workflow; what keeps it from being solved is the answer's reason. Raises OperationFailedError."""
        workflow = subject.workflow
        if workflow is None:
            return Managed(subject.name, "is registered, but not in this project")
        stack = home_stack(self.aws, subject.name, self.target.stage, subject.home_region)
        if stack is None:
            return Managed(subject.name, f"is not deployed: `caribou deploy {subject.name}`")
        warnings = tuple(self.logs.sync(subject, ()))
        with telling("Reading the control plane's tables", "whether CaribouControlPlane is deployed"):
            facts, records = read_facts(self.tables.facts), self.tables.records.records(subject.name)
        try:
            problem = self._problem(workflow, facts, records)
        except InvalidInputError as error:
            return Managed(subject.name, f"nothing is solved: {error}", warnings=warnings)
        deployed = deployed_workflow(self.aws, stack).placement
        return self._solved(workflow, problem, deployed, warnings)

    def _problem(self, workflow: Workflow, facts: Facts, records: Sequence[RunRecord]) -> Problem:
        version = workflow.graph.version
        runs = {record.run_id for record in records if record.workflow_version == version}
        if len(runs) < MIN_RUNS:
            raise InvalidInputError(
                f"there are too few runs of version {version} to solve from",
                where=workflow.name,
                found=f"{len(runs)}, needed: {MIN_RUNS}",
                fix=f"run it, such as with `caribou run {workflow.name}`",
            )
        region = self.target.control_region
        built = build_problem(
            graph=workflow.graph, manifest=workflow.manifest, facts=facts, records=records, control_region=region
        )
        return parse_problem(built, f"problem of {workflow.name}")

    def _solved(self, workflow: Workflow, problem: Problem, deployed: Placement, warnings: tuple[str, ...]) -> Managed:
        now = self.clocks.now()
        days = workflow.manifest.placement_days
        placement = finished_placement(problem, SolveOptions(), valid_days=days, clocks=self.clocks)
        verdict = self._weighed(problem, placement, deployed, now)
        if verdict.put:
            workflow.check(placement, f"the placement solved for {workflow.name}")
            PlacementBox(self.aws, self.target).put(workflow.name, placement_text(placement))
        reason = f"{placement.summary}: {verdict.reason}"
        return Managed(workflow.name, reason, problem, placement, verdict.put, warnings)

    def _weighed(self, problem: Problem, placement: Placement, deployed: Placement, now: datetime) -> Verdict:
        solved = evaluate(problem, placement)
        new = standing(solved.placed, solved.home, problem.objective)
        return weigh(placement, new, deployed, _old(problem, deployed, solved, now), now)


def _old(problem: Problem, deployed: Placement, solved: Evaluation, now: datetime) -> Standing:
    """How what runs now stands: the deployed placement, or home if it has expired or is not for this problem."""
    home = standing(solved.home, solved.home, problem.objective)
    if deployed.is_expired(now):
        return home
    try:
        evaluation = evaluate(problem, deployed)
    except InvalidPlacementError:
        return home
    return standing(evaluation.placed, evaluation.home, problem.objective)
