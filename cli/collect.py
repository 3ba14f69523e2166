"""`caribou data_collect`, `log_sync` and `problem`: facts and run records into tables and files, and a problem out.

`problem --records FILE` needs no cloud: it takes facts from the packaged snapshots. All else talks to the control
plane's tables in the control region.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import click

from caribou.cli.project import control_region, project_root, stage, workflow_folder
from caribou.collectors.facts import KINDS, DynamoFactTable, Facts, Kind, collect, read_facts
from caribou.collectors.logs import CloudWatchLogReader
from caribou.collectors.records import DynamoRecordTable, read_record_lines, write_record_lines
from caribou.collectors.registrations import SsmRegistry, registered, registration_of
from caribou.collectors.snapshot import SOURCES, packaged_facts
from caribou.collectors.workflow import Sync, SyncReport, sync
from caribou.control.aws import telling
from caribou.control.plan.problem import build_problem
from caribou.model.errors import InvalidInputError, InvalidRecordError, OperationFailedError
from caribou.model.project.workflow import read_workflow
from caribou.model.record import RunRecord
from caribou.model.registration import ControlNames, Registration
from caribou.model.schema.problem_file import parse_problem

_file = click.Path(dir_okay=False, path_type=Path)


class ControlPlane:
    """The control plane of the project that the user is in: its tables and registry."""

    def __init__(self, root: Path) -> None:
        self.region, self.stage = control_region(root), stage(root)
        names = ControlNames(self.stage)
        self.facts = DynamoFactTable(names.fact_table, self.region)
        self.records = DynamoRecordTable(names.record_table, self.region)
        self.registry = SsmRegistry(self.stage, self.region)

    def sync(self, registration: Registration) -> SyncReport:
        """Read what is new in a workflow's logs."""
        now_s = datetime.now(UTC).timestamp()
        return sync(registration, Sync(CloudWatchLogReader(), self.records, now_s, self.stage))

    def telling(self, doing: str) -> AbstractContextManager[None]:
        """Turn failures of AWS's API into OperationFailedError, which says what was being done and what to look at."""
        look_at = "whether credentials are there, and whether CaribouControlPlane is deployed"
        return telling(f"{doing} in the control region {self.region}", look_at)


@click.command("data_collect")
@click.argument("what", type=click.Choice([*KINDS, "workflow", "all"]))
def data_collect(what: str) -> None:
    """Collect facts of regions, or run records of all workflows, into the control plane's tables, now."""
    plane = ControlPlane(project_root())
    with plane.telling("Collecting"):
        for kind in KINDS:
            if what in (kind, "all"):
                _collect_facts(kind, plane)
        if what in ("workflow", "all"):
            _collect_records(plane)


@click.command("log_sync")
@click.argument("workflow")
@click.option("-o", "--output", type=_file, help="Write the workflow's run records to this file too, as JSON lines.")
def log_sync(workflow: str, output: Path | None) -> None:
    """Read the run records of WORKFLOW out of its logs, in all its regions, into the control plane's table."""
    root = project_root()
    name, plane = workflow_folder(workflow, root).name, ControlPlane(root)
    with plane.telling("Syncing logs"):
        report = plane.sync(registration_of(plane.registry, name))
        _show_sync(report)
        if output is not None:
            records = plane.records.records(name)
            _write(output, write_record_lines(records))
            click.echo(f"{len(records)} records written to {output}")
    if report.failures:
        raise OperationFailedError(f"Log sync left out {len(report.failures)} regions; try again later")


@click.command("problem")
@click.argument("workflow")
@click.option("-o", "--output", type=_file, required=True, help="Where to write problem.json.")
@click.option("--records", "records_file", type=_file, help="Run records as JSON lines, instead of the cloud's tables.")
def problem(workflow: str, output: Path, records_file: Path | None) -> None:
    """Write the placement problem of WORKFLOW: what is known of the regions and of its runs, for `caribou solve`."""
    root = project_root()
    owned = read_workflow(workflow_folder(workflow, root))
    facts, records = _from_file(records_file) if records_file else _from_tables(owned.name, root)
    built = build_problem(
        graph=owned.graph, manifest=owned.manifest, facts=facts, records=records, control_region=control_region(root)
    )
    parse_problem(built, str(output))
    _write(output, json.dumps(built, indent=1) + "\n")
    _show_problem(output, built["provenance"])


def _collect_facts(kind: Kind, plane: ControlPlane) -> None:
    count = collect(SOURCES[kind], plane.facts, datetime.now(UTC))
    click.echo(f"{kind}: {count} regions, from the {SOURCES[kind].name}")


def _collect_records(plane: ControlPlane) -> None:
    registrations, wrong = registered(plane.registry)
    for message in wrong:
        click.echo(f"warning: {message}", err=True)
    if not registrations:
        click.echo("workflow: none is deployed")
    for registration in registrations:
        _show_sync(plane.sync(registration))


def _show_sync(report: SyncReport) -> None:
    click.echo(f"{report.workflow}: {report.records} records in {report.log_groups} log groups")
    if report.malformed:
        click.echo(f"warning: {report.malformed} broken records, such as {report.examples[0]}", err=True)
    for failure in report.failures:
        click.echo(f"warning: {failure}", err=True)


def _show_problem(output: Path, provenance: dict[str, str]) -> None:
    click.echo(f"{output} written, from {provenance['workflow.runs']}")
    for key in ("workflow.unreached_nodes", "workflow.home_runs", "pue_of_aws_fleet", "egress_price_assumed"):
        if key in provenance:
            click.echo(f"note: {key.replace('workflow.', '').replace('_', ' ')}: {provenance[key]}")


def _from_file(path: Path) -> tuple[Facts, list[RunRecord]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRecordError(
            "can't be read", where=str(path), found=str(error), fix="use a file that `caribou log_sync -o` wrote"
        ) from error
    return packaged_facts(datetime.now(UTC)), read_record_lines(lines, str(path))


def _from_tables(workflow: str, root: Path) -> tuple[Facts, list[RunRecord]]:
    plane = ControlPlane(root)
    with plane.telling("Reading the control plane's tables"):
        return read_facts(plane.facts), plane.records.records(workflow)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(
            "can't be written", where=str(path), found=str(error), fix="name another file"
        ) from error
