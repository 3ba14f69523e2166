"""`caribou data_collect`, `log_sync` and `problem`: facts and run records into tables and files, and a problem out.

`problem --records FILE` needs no cloud: it takes facts from the packaged snapshots. All else talks to the control
plane's tables in the control region.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from caribou.cli.choices import Named
from caribou.cli.collection import collect_facts, readiness, say_notes, show_logs, show_unrecorded_of, stored_data
from caribou.cli.output import notify, say, write_whole
from caribou.cli.output_file import OutputFile
from caribou.cli.project import control_region, project_root, stage, workflow_folder
from caribou.cli.record_file import read_record_file
from caribou.cli.session import ControlPlane, control_plane
from caribou.collectors.bodies import KINDS
from caribou.collectors.facts import Facts
from caribou.collectors.kept_runs import Stored
from caribou.collectors.registrations import registered, registration_of
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.plan.noted import SOURCES
from caribou.control.plan.problem import build_problem
from caribou.model.errors import OperationFailedError
from caribou.model.project.workflow import Workflow, read_workflow
from caribou.model.schema.problem_file import parse_problem

_file = click.Path(dir_okay=False, path_type=Path)
_folder = click.Path(file_okay=False, path_type=Path)
_day = click.DateTime(["%Y-%m-%d"])


@click.command("data_collect")
@click.argument("what", metavar="KIND", type=Named([*KINDS, "workflow", "all"]))
@click.option("--from", "begin", type=_day, help="Of carbon: write hours of past days to files, from this day (UTC).")
@click.option("--to", "end", type=_day, help="With --from: up to this day, without it.")
@click.option("-o", "--output", type=_folder, help="With --from: the folder for the files. Default: carbon_history.")
def data_collect(what: str, begin: datetime | None, end: datetime | None, output: Path | None) -> None:
    """Collect facts of regions, or run records of all workflows, into the control plane's tables, now."""
    root = project_root()
    if (begin, end, output) != (None, None, None):
        from caribou.cli.backfill import FOLDER, asked_days, backfill  # noqa: PLC0415 - for who wants the past

        first, last = asked_days(what, begin, end, datetime.now(UTC))
        backfill(root, first, last, Path(FOLDER) if output is None else output)
        return
    plane = control_plane(root)
    with plane.aws_errors_as("Collecting"):
        for kind in KINDS:
            if what in (kind, "all"):
                collect_facts(kind, plane, root)
        if what in ("workflow", "all"):
            _collect_records(plane, root)


@click.command("log_sync")
@click.argument("workflow")
@click.option("-o", "--output", type=OutputFile(), help="Write all its run records to this file too, as JSON lines.")
def log_sync(workflow: str, output: Path | None) -> None:
    """Read the run records of WORKFLOW out of its logs, in all its regions, into the control plane's table."""
    root = project_root()
    name, plane = workflow_folder(workflow, root).name, control_plane(root)
    with plane.aws_errors_as("Collecting logs"):
        report = plane.collect_logs(registration_of(plane.registry, name))
        show_logs(report)
        show_unrecorded_of(name, plane, root)
        if output is not None:
            _write_records(plane.records.texts(name), output)
    if report.failures:
        raise OperationFailedError(
            f"Log collection left out {len(report.failures)} regions or log groups; try again later"
        )


@click.command("problem")
@click.argument("workflow")
@click.option("-o", "--output", type=OutputFile(), required=True, help="Where to write problem.json.")
@click.option("--records", "records_file", type=_file, help="Run records as JSON lines, instead of the cloud's tables.")
def problem(workflow: str, output: Path, records_file: Path | None) -> None:
    """Write the placement problem of WORKFLOW: what is known of the regions and of its runs, for `caribou solve`."""
    root = project_root()
    owned = read_workflow(workflow_folder(workflow, root), stage(root))
    facts, stored = _from_file(records_file, owned) if records_file else stored_data(owned, root)
    built = build_problem(
        graph=owned.graph,
        manifest=owned.manifest,
        facts=facts,
        records=stored,
        control_region=control_region(root),
        now=datetime.now(UTC),
        readiness=None if records_file else readiness(owned, root),
    )
    parse_problem(built, str(output))
    write_whole(output, json.dumps(built, indent=1) + "\n")
    _show_problem(output, built["provenance"])


def _collect_records(plane: ControlPlane, root: Path) -> None:
    registrations, wrong = registered(plane.registry)
    for message in wrong:
        notify(f"warning: {message}")
    if not registrations:
        say("workflow: none is deployed")
    for registration in registrations:
        show_logs(plane.collect_logs(registration))
        show_unrecorded_of(registration.workflow, plane, root)


def _write_records(texts: Iterable[str | None], output: Path) -> None:
    """Write records as they come: there may be more than memory holds."""
    written = broken = 0

    def lines() -> Iterator[str]:
        nonlocal written, broken
        for text in texts:
            written, broken = written + (text is not None), broken + (text is None)
            if text is not None:
                yield text + "\n"

    write_whole(output, lines())
    if broken:
        notify(f"warning: {broken} stored records that can't be read")
    say(f"{written} records written to {output}")


def _show_problem(output: Path, provenance: dict[str, str]) -> None:
    say(f"{output} written, from {provenance['workflow.runs']}")
    say(f"data: {provenance[SOURCES]}")
    say_notes(provenance)


def _from_file(path: Path, workflow: Workflow) -> tuple[Facts, Stored]:
    return packaged_facts(datetime.now(UTC)), read_record_file(path, workflow.graph)
