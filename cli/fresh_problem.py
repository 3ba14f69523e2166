"""A deployed workflow's problem, out of what can be known now: what is missing, old or new is collected first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from caribou.cli.collection import collect_facts, readiness, say_notes, show_logs, stored_data
from caribou.cli.output import notify, say
from caribou.cli.project import collected_every, control_region, project_root, stage, workflow_folder
from caribou.cli.session import ControlPlane, control_plane
from caribou.collectors.age import Freshness, freshness
from caribou.collectors.bodies import KINDS
from caribou.collectors.facts import Facts, read_facts
from caribou.collectors.registrations import registration_of
from caribou.control.plan.problem import build_problem
from caribou.model.errors import InvalidRecordError, OperationFailedError
from caribou.model.project.workflow import Workflow, read_workflow
from caribou.model.run.record import RunRecord
from caribou.model.schema.problem import Problem
from caribou.model.schema.problem_file import parse_problem


def fresh_problem(name: str) -> tuple[Workflow, Problem]:
    """The workflow of that name, and its problem; says what was collected, and from when all of it is.

    Raises CaribouError.
    """
    root = project_root()
    workflow = read_workflow(workflow_folder(name, root), stage(root))
    plane = control_plane(root)
    notify(f"{workflow.name}: reading facts of its regions, and its logs")
    with plane.aws_errors_as("Collecting"):
        registration = registration_of(plane.registry, workflow.name)
        collect_old_facts(plane, root, workflow.regions)
        report = plane.collect_logs(registration)
    show_logs(report)
    facts, stored = stored_data(workflow, root)
    if not stored.records:
        raise InvalidRecordError(
            f"no run of version {workflow.graph.version} has left a record yet",
            where=workflow.name,
            fix=f"run it, 30 times for a verdict: `caribou load {workflow.name} -a PAYLOAD --rate 1/s --duration 40`",
        )
    say(from_when(facts, stored.records, workflow, report.records))
    built = build_problem(
        graph=workflow.graph,
        manifest=workflow.manifest,
        facts=facts,
        records=stored,
        control_region=control_region(root),
        now=datetime.now(UTC),
        readiness=readiness(workflow, root),
    )
    problem = parse_problem(built, f"the problem of {workflow.name}")
    say_notes(built["provenance"])
    return workflow, problem


def collect_old_facts(plane: ControlPlane, root: Path, regions: Iterable[str]) -> None:
    """Collect each kind of facts that lacks a region, or is old; those that are only old will do if that fails."""
    wanted, known, now = set(regions), read_facts(plane.facts, collected_every(root)), datetime.now(UTC)
    for kind in KINDS:
        found = known.of(kind)
        missing = wanted - found.keys()
        if not missing and all(
            freshness(found[region], now, known.every[kind]) is Freshness.FRESH for region in wanted
        ):
            continue
        try:
            collect_facts(kind, plane, root)
        except OperationFailedError as error:
            if missing:
                raise
            notify(f"warning: facts of {kind} are old, and no newer ones could be collected: {error}")


def from_when(facts: Facts, records: Sequence[RunRecord], workflow: Workflow, new: int) -> str:
    """From when what is solved from is: a solve without new data gives what the last one gave."""
    days = {
        kind: min(facts.of(kind)[region].retrieved_at for region in workflow.regions if region in facts.of(kind))
        for kind in KINDS
    }
    newest = datetime.fromtimestamp(max(record.started_at for record in records), UTC)
    runs = len({record.run_id for record in records})
    of_facts = ", ".join(f"{kind} of {day:%Y-%m-%d}" for kind, day in days.items())
    count = "one run" if runs == 1 else f"{runs} runs, the newest"
    return (
        f"{workflow.name} {workflow.graph.version}: {count} of {newest:%Y-%m-%d %H:%M} UTC"
        f"{'' if new else ', none of them new'}; {of_facts}"
    )
