"""Facts of regions and run records: collecting them, reading them out of the tables, and what is said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from caribou.cli.output import notify, say
from caribou.cli.project import collected_every, source_choice, stage
from caribou.cli.session import ControlPlane, control_plane, target_of
from caribou.collectors.bodies import Body, Kind
from caribou.collectors.chain import collect
from caribou.collectors.collection_report import CollectionReport
from caribou.collectors.dated import dated, sources_text, with_date
from caribou.collectors.facts import Fact, Facts, read_facts
from caribou.collectors.kept_runs import Stored
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.registry import sources_of
from caribou.control.aws import Aws
from caribou.control.plan.noted import FACT_NOTES, REGION_NOTES
from caribou.control.runs.unrecorded import RecordCheck, logs_read_to, read_unrecorded
from caribou.control.stacks.readiness import Readiness, readiness_of
from caribou.model.errors import CaribouError, OperationFailedError
from caribou.model.project.workflow import Workflow, read_workflow, workflow_folders

_NOTED = (
    *FACT_NOTES,
    "workflow.unreached_nodes",
    "workflow.calls_never_made",
    "workflow.calls_seldom_made",
    "workflow.runs_change",
    "workflow.home_runs",
    "workflow.external_data_unknown",
    "workflow.external_data_declared",
    "workflow.external_data_without_sizes",
    *REGION_NOTES,
    "carbon_zone_contested",
    "pue_of_aws_fleet",
    "egress_price_assumed",
    "ping_estimated",
)
"""What of a problem's provenance is shown when it is written."""


def collect_facts(kind: Kind, plane: ControlPlane, root: Path) -> None:
    """Collect the facts of a kind, now; say how many, from where, of when and how they were made.

    Warns of what a chosen source did not give.
    """
    choice = source_choice(root)
    keys = KeyRing(plane.region, folder=root)
    sources = sources_of(kind, choice.names[kind], choice.settings, keys, choice.marginal)
    if services := choice.services_of(kind):
        notify(f"{kind}: asking {', '.join(services)}; one that is silent is given up after a minute or two")
    gathered = collect(sources, plane.facts, datetime.now(UTC))
    for origin, count in gathered.sources.items():
        own = [fact for fact in gathered.facts if fact.source == origin]
        say(f"{kind}: {_regions(count)}, from {with_date(origin, dated(own))}; {_methods(own)}")
    if gathered.kept:
        until = min(fact.valid_until for fact in gathered.kept if fact.valid_until is not None)
        what = f"{_regions(len(gathered.kept))} keep what is there, from {sources_text(gathered.kept)}"
        say(f"{kind}: {what}, until {until:%Y-%m-%d %H:%M} UTC")
    for origin, count in gathered.marginal_sources.items():
        say(f"{kind}: marginal intensity of {_regions(count)}, from {origin}")
    for fallback in gathered.fallbacks:
        notify(f"warning: {kind}: {fallback}")


def _regions(count: int) -> str:
    return "1 region" if count == 1 else f"{count} regions"


def _methods(facts: Sequence[Fact[Body]]) -> str:
    """How figures of a source are made; of several methods, each with how many regions are made so."""
    counts = Counter(fact.method for fact in facts).most_common()
    return counts[0][0] if len(counts) == 1 else "; ".join(f"{method} ({count})" for method, count in counts)


def show_logs(report: CollectionReport) -> None:
    """Say what a log collection kept, and what it passed over."""
    say(f"{report.workflow}: {report.records} records in {report.log_groups} log groups")
    for passed_over in (*report.passed_over, *report.failures):
        notify(f"warning: {passed_over}")


def show_unrecorded_of(name: str, plane: ControlPlane, root: Path) -> None:
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


def stored_data(workflow: Workflow, root: Path) -> tuple[Facts, Stored]:
    """Facts, and the run records that a problem of a workflow is made of, out of the control plane's tables."""
    plane = control_plane(root)
    with plane.aws_errors_as("Reading the control plane's tables"):
        facts, stored = read_facts(plane.facts, collected_every(root)), plane.records.kept(workflow.graph)
        names = target_of(root).names(workflow.name)
        known_s = logs_read_to(plane.records, workflow.graph, names, workflow.manifest.home_region)
    for reason, count in stored.passed_over.items():
        notify(f"warning: {count} stored records {reason}")
    _show_unrecorded(workflow, names.run_table, stored, known_s)
    return facts, stored


def readiness(workflow: Workflow, root: Path) -> Readiness:
    """To which regions of a workflow the account can deploy. Raises OperationFailedError if home does not say."""
    with Aws() as aws:
        home, qualifier = workflow.manifest.home_region, target_of(root).qualifier
        return readiness_of(aws, workflow.regions, home, qualifier)


def _show_unrecorded(workflow: Workflow, run_table: str, stored: Stored, known_s: float) -> None:
    """Say what ran and left no record; that this is not known keeps nobody from a problem."""
    try:
        with Aws() as aws:
            client = aws.dynamodb(workflow.manifest.home_region)
            found = read_unrecorded(client, run_table, workflow.graph, stored.records, known_s, since_s=stored.since_s)
            warning = found.warning
    except OperationFailedError as error:
        warning = f"not known whether runs lack records: {error}"
    if warning:
        notify(f"warning: {warning}")


def say_notes(provenance: Mapping[str, str]) -> None:
    """Say what of a problem's provenance its reader has to know."""
    for note in notes_of(provenance, _NOTED):
        say(f"note: {note}")


def notes_of(provenance: Mapping[str, str], keys: Iterable[str]) -> list[str]:
    """What stands in a provenance at some keys, each with its key in words."""
    return [f"{key.replace('workflow.', '').replace('_', ' ')}: {provenance[key]}" for key in keys if key in provenance]
