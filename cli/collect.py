"""`caribou data_collect`, `log_sync` and `problem`: facts and run records into tables and files, and a problem out.

`problem --records FILE` needs no cloud: it takes facts from the packaged snapshots. All else talks to the control
plane's tables in the control region.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from caribou.cli.output import notify, say, write_whole
from caribou.cli.project import context_text, control_region, project_root, stage, workflow_folder
from caribou.cli.session import ControlPlane, control_plane, target_of
from caribou.collectors.bodies import KINDS, Kind
from caribou.collectors.collection_report import CollectionReport
from caribou.collectors.facts import Facts, collect, read_facts
from caribou.collectors.record_lines import read_record_lines, write_record_lines
from caribou.collectors.registrations import registered, registration_of
from caribou.collectors.sources.registry import DEFAULT_SOURCE, source_key, source_of
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.aws import Aws
from caribou.control.plan.problem import build_problem
from caribou.control.runs.unrecorded import RecordCheck, logs_read_to, read_unrecorded
from caribou.model.errors import CaribouError, InvalidRecordError, OperationFailedError
from caribou.model.project.workflow import Workflow, read_workflow, workflow_folders
from caribou.model.run.record import RunRecord
from caribou.model.schema.problem_file import parse_problem
from caribou.model.schema.text_files import read_text_file

_file = click.Path(dir_okay=False, path_type=Path)
_NOTED = (
    "workflow.unreached_nodes",
    "workflow.calls_never_made",
    "workflow.runs_change",
    "workflow.home_runs",
    "workflow.external_data_unknown",
    "workflow.external_data_declared",
    "workflow.external_data_without_sizes",
    "carbon_zone_contested",
    "pue_of_aws_fleet",
    "egress_price_assumed",
)
"""What of a problem's provenance is shown when it is written."""


@click.command("data_collect")
@click.argument("what", type=click.Choice([*KINDS, "workflow", "all"]))
def data_collect(what: str) -> None:
    """Collect facts of regions, or run records of all workflows, into the control plane's tables, now."""
    root = project_root()
    plane = control_plane(root)
    with plane.aws_errors_as("Collecting"):
        for kind in KINDS:
            if what in (kind, "all"):
                _collect_facts(kind, plane, root)
        if what in ("workflow", "all"):
            _collect_records(plane, root)


@click.command("log_sync")
@click.argument("workflow")
@click.option("-o", "--output", type=_file, help="Write the workflow's run records to this file too, as JSON lines.")
def log_sync(workflow: str, output: Path | None) -> None:
    """Read the run records of WORKFLOW out of its logs, in all its regions, into the control plane's table."""
    root = project_root()
    name, plane = workflow_folder(workflow, root).name, control_plane(root)
    with plane.aws_errors_as("Collecting logs"):
        report = plane.collect_logs(registration_of(plane.registry, name))
        _show_logs(report)
        _show_unrecorded_of(name, plane, root)
        if output is not None:
            records = plane.records.read(name).records
            write_whole(output, write_record_lines(records))
            say(f"{len(records)} records written to {output}")
    if report.failures:
        raise OperationFailedError(
            f"Log collection left out {len(report.failures)} regions or log groups; try again later"
        )


@click.command("problem")
@click.argument("workflow")
@click.option("-o", "--output", type=_file, required=True, help="Where to write problem.json.")
@click.option("--records", "records_file", type=_file, help="Run records as JSON lines, instead of the cloud's tables.")
def problem(workflow: str, output: Path, records_file: Path | None) -> None:
    """Write the placement problem of WORKFLOW: what is known of the regions and of its runs, for `caribou solve`."""
    root = project_root()
    owned = read_workflow(workflow_folder(workflow, root), stage(root))
    facts, records = _from_file(records_file) if records_file else _from_tables(owned, root)
    built = build_problem(
        graph=owned.graph, manifest=owned.manifest, facts=facts, records=records, control_region=control_region(root)
    )
    parse_problem(built, str(output))
    write_whole(output, json.dumps(built, indent=1) + "\n")
    _show_problem(output, built["provenance"])


def _collect_facts(kind: Kind, plane: ControlPlane, root: Path) -> None:
    key = source_key(kind)
    source = source_of(kind, context_text(root, key, DEFAULT_SOURCE), f"{root / 'cdk.json'}: context {key}")
    count = collect(source, plane.facts, datetime.now(UTC))
    say(f"{kind}: {count} regions, from the {source.origin}")


def _collect_records(plane: ControlPlane, root: Path) -> None:
    registrations, wrong = registered(plane.registry)
    for message in wrong:
        notify(f"warning: {message}")
    if not registrations:
        say("workflow: none is deployed")
    for registration in registrations:
        _show_logs(plane.collect_logs(registration))
        _show_unrecorded_of(registration.workflow, plane, root)


def _show_logs(report: CollectionReport) -> None:
    say(f"{report.workflow}: {report.records} records in {report.log_groups} log groups")
    for passed_over in (*report.passed_over, *report.failures):
        notify(f"warning: {passed_over}")


def _show_unrecorded_of(name: str, plane: ControlPlane, root: Path) -> None:
    """Say what of a workflow of the project ran and left no record; that this is not known stops no collection."""
    folder = next((folder for folder in workflow_folders(root) if folder.name == name), None)
    if folder is None:
        return
    try:
        owned, names = read_workflow(folder, stage(root)), target_of(root).names(name)
        with Aws() as aws:
            found = RecordCheck(aws, plane.records).of(owned.graph, names, owned.manifest.home_region)
    except CaribouError as error:
        notify(f"warning: {name}: not known whether runs lack records: {error}")
        return
    if found.warning:
        notify(f"warning: {name}: {found.warning}")


def _show_problem(output: Path, provenance: dict[str, str]) -> None:
    say(f"{output} written, from {provenance['workflow.runs']}")
    for key in _NOTED:
        if key in provenance:
            say(f"note: {key.replace('workflow.', '').replace('_', ' ')}: {provenance[key]}")


def _from_file(path: Path) -> tuple[Facts, list[RunRecord]]:
    lines = read_text_file(path, InvalidRecordError, fix="use a file that `caribou log_sync -o` wrote").split("\n")
    return packaged_facts(datetime.now(UTC)), read_record_lines(lines, str(path))


def _from_tables(workflow: Workflow, root: Path) -> tuple[Facts, list[RunRecord]]:
    plane = control_plane(root)
    with plane.aws_errors_as("Reading the control plane's tables"):
        facts, stored = read_facts(plane.facts), plane.records.read(workflow.name)
        names = target_of(root).names(workflow.name)
        known_s = logs_read_to(plane.records, workflow.graph, names, workflow.manifest.home_region)
    for reason, count in stored.passed_over.items():
        notify(f"warning: {count} stored records {reason}")
    _show_unrecorded(workflow, names.run_table, stored.records, known_s)
    return facts, stored.records


def _show_unrecorded(workflow: Workflow, run_table: str, records: list[RunRecord], known_s: float) -> None:
    """Say what ran and left no record; that this is not known keeps nobody from a problem."""
    try:
        with Aws() as aws:
            client = aws.dynamodb(workflow.manifest.home_region)
            warning = read_unrecorded(client, run_table, workflow.graph, records, known_s).warning
    except OperationFailedError as error:
        warning = f"not known whether runs lack records: {error}"
    if warning:
        notify(f"warning: {warning}")
