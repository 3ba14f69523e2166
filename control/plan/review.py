"""Looking after deployments: is there a placement that is worth moving to? It then waits in the placement bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from caribou.collectors.bodies import Kind
from caribou.collectors.facts import EACH_DAY, Facts, FactTable, read_facts
from caribou.collectors.kept_runs import Stored
from caribou.collectors.records import RecordTable
from caribou.control.aws import Aws, aws_errors_as
from caribou.control.log_collection import LogCollector
from caribou.control.placement_bucket import PlacementBox
from caribou.control.plan.decide import decide
from caribou.control.plan.finish import Clocks, SolveOptions, finished_placement, placement_text
from caribou.control.plan.problem import build_problem
from caribou.control.runs.unrecorded import read_unrecorded
from caribou.control.stacks.deployed import deployed_workflow, home_stack
from caribou.control.stacks.readiness import Readiness, readiness_of
from caribou.control.target import Target
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.placement import Placement
from caribou.model.project.workflow import Workflow
from caribou.model.schema.problem import Problem
from caribou.model.schema.problem_file import parse_problem
from caribou.solver import ENOUGH_RUNS

MIN_RUNS = ENOUGH_RUNS
"""Runs of the current version below which nothing is solved, as no saving could be said."""


@dataclass(frozen=True, slots=True)
class Review:
    """What was found for a workflow: why nothing was solved, or the plan and whether it now waits to be applied."""

    workflow: str
    reason: str
    problem: Problem | None = None
    placement: Placement | None = None
    put: bool = False
    warnings: tuple[str, ...] = ()


class Tables(Protocol):
    """What the control plane has collected."""

    @property
    def facts(self) -> FactTable:
        """Facts of regions."""

    @property
    def records(self) -> RecordTable:
        """Run records."""


@dataclass(frozen=True)
class Reviewer:
    """Looks after workflows, one at a time: log collection, problem, placement, and whether that is worth a move.

    `every` is how often facts of each kind are collected.
    """

    aws: Aws
    target: Target
    tables: Tables
    logs: LogCollector
    clocks: Clocks = field(default_factory=Clocks)
    every: Mapping[Kind, timedelta] = field(default_factory=lambda: EACH_DAY)

    def review(self, known: KnownWorkflow) -> Review:
        """Solve for a workflow; what keeps it from being solved is the answer's reason. Raises OperationFailedError."""
        workflow = known.workflow
        if workflow is None:
            return Review(known.name, "is registered, but not in this project")
        stack = home_stack(self.aws, known.name, self.target.stage, known.home_region)
        if stack is None:
            return Review(known.name, f"is not deployed: `caribou deploy {known.name}`")
        warnings = tuple(self.logs.collect(known, ()))
        try:
            with aws_errors_as("Reading the control plane's tables", "whether CaribouControlPlane is deployed"):
                facts, stored = read_facts(self.tables.facts, self.every), self.tables.records.kept(workflow.graph)
            warnings += self._unrecorded(workflow, stored)
            warnings += tuple(f"{count} stored records {reason}" for reason, count in stored.passed_over.items())
            self._check_runs(workflow, stored)
            deployed = deployed_workflow(self.aws, stack).placement
            problem = self._problem(workflow, facts, stored, deployed)
        except InvalidInputError as error:
            return Review(known.name, f"nothing is solved: {error}", warnings=warnings)
        return self._decided(workflow, problem, deployed, warnings)

    def _unrecorded(self, workflow: Workflow, stored: Stored) -> tuple[str, ...]:
        """What ran and left no record, as far as it was to be collected; or that this is not known."""
        now_s = self.clocks.now().timestamp()
        try:
            client, table = self.aws.dynamodb(workflow.manifest.home_region), self.target.names(workflow.name).run_table
            found = read_unrecorded(client, table, workflow.graph, stored.records, now_s, since_s=stored.since_s)
        except OperationFailedError as error:
            return (f"not known whether runs lack records: {error}",)
        return (found.warning,) if found.warning else ()

    def _check_runs(self, workflow: Workflow, stored: Stored) -> None:
        version = workflow.graph.version
        runs = {record.run_id for record in stored.records}
        if len(runs) < MIN_RUNS:
            raise InvalidInputError(
                f"there are too few runs of version {version} to solve from",
                where=workflow.name,
                found=f"{len(runs)}, needed: {MIN_RUNS}",
                fix=f"run it: `caribou load {workflow.name} -a PAYLOAD --rate 1/s --duration 40`",
            )

    def _problem(self, workflow: Workflow, facts: Facts, stored: Stored, deployed: Placement) -> Problem:
        built = build_problem(
            graph=workflow.graph,
            manifest=workflow.manifest,
            facts=facts,
            records=stored,
            control_region=self.target.control_region,
            now=self.clocks.now(),
            readiness=self._readiness(workflow, deployed),
        )
        return parse_problem(built, f"problem of {workflow.name}")

    def _readiness(self, workflow: Workflow, deployed: Placement) -> Readiness:
        """To which regions the account can deploy. One that is out of reach for a while is no reason to leave it."""
        home, qualifier = workflow.manifest.home_region, self.target.qualifier
        readiness = readiness_of(self.aws, workflow.regions, home, qualifier)
        for region in sorted(deployed.regions & readiness.not_known.keys()):
            raise OperationFailedError(
                f"{region}, where nodes are now, is out of reach ({readiness.not_known[region]}): nothing is solved"
            )
        return readiness

    def _decided(self, workflow: Workflow, problem: Problem, deployed: Placement, warnings: tuple[str, ...]) -> Review:
        now = self.clocks.now()
        days = workflow.manifest.placement_days
        placement = finished_placement(problem, SolveOptions(), valid_days=days, clocks=self.clocks)
        decision = decide(problem, placement, deployed, home=workflow.home, now=now)
        if decision.put:
            workflow.check(placement, f"the placement solved for {workflow.name}")
            PlacementBox(self.aws, self.target).put(workflow.name, placement_text(placement))
        reason = f"{placement.summary}: {decision.reason}"
        return Review(workflow.name, reason, problem, placement, decision.put, warnings)
