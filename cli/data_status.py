"""`caribou data_status`: which facts placements rest on: sources, age, coverage, terms, and when next ones come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.table import Table

from caribou.cli.console import console, say_wrapped
from caribou.cli.output import notify, say
from caribou.cli.project import collected_every, project_root, source_choice
from caribou.cli.project_regions import regions_of_workflows
from caribou.cli.session import control_plane
from caribou.collectors.age import age_text
from caribou.collectors.bodies import KINDS, Kind
from caribou.collectors.dated import with_date
from caribou.collectors.facts import DamagedFactError, Facts, read_facts
from caribou.collectors.sources.choice import SourceChoice
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.collectors.status import KindStatus, status_of
from caribou.model.errors import CaribouError
from caribou.model.regions import KNOWN_REGIONS

SCHEMA = "caribou.data_status/1"
_WIDTH = 100
_SHOWN = 4
_ESTIMATED_OF = {"carbon": "hours", "performance": "round trips"}


@dataclass(frozen=True, slots=True)
class _Found:
    """The facts, and the region whose table they are from; None of those that are packaged, and why."""

    facts: Facts
    region: str | None
    why: str = ""


@click.command("data_status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def data_status(*, as_json: bool) -> None:
    """Say which data placements rest on: sources, age, coverage, licence, what is estimated, what is a fallback."""
    root, now = project_root(), datetime.now(UTC)
    choice, wanted = source_choice(root), regions_of_workflows(root) or KNOWN_REGIONS
    found = _found(root, now, collected_every(root))
    statuses = [status_of(kind, found.facts, wanted, now) for kind in KINDS]
    if as_json:
        chosen: dict[str, list[str]] = {kind: list(choice.names[kind]) for kind in KINDS}
        chosen["marginal"] = list(choice.marginal)
        kinds = [status.to_json() for status in statuses]
        where = {"packaged": found.region is None, "why_packaged": found.why or None, "control_region": found.region}
        say(json.dumps({"schema": SCHEMA, "at": now.isoformat(), **where, "chosen": chosen, "kinds": kinds}, indent=1))
        return
    _show(found, statuses, choice, len(wanted))


def _found(root: Path, now: datetime, every: Mapping[Kind, timedelta]) -> _Found:
    """What the control plane has; the packaged snapshots if it can't be asked. Raises DamagedFactError."""
    try:
        plane = control_plane(root)
        with plane.aws_errors_as("Reading facts"):
            return _Found(read_facts(plane.facts, every), plane.region)
    except DamagedFactError:
        raise
    except CaribouError as error:
        notify(f"warning: the control plane's facts can't be read: {error}")
        return _Found(packaged_facts(now), None, str(error))


def _show(found: _Found, statuses: Sequence[KindStatus], choice: SourceChoice, wanted: int) -> None:
    of = f"Facts of {wanted} regions" if wanted != 1 else "Facts of one region"
    if found.region is None:
        say_wrapped(
            f"{of}, offline: the packaged snapshots, which `caribou problem --records` takes, and "
            "`caribou data_collect` where no other source is chosen"
        )
    else:
        say(f"{of}, in the control plane's table in {found.region}")
    table = Table("facts", "", "", show_header=False, pad_edge=False)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for status in statuses:
        rows = list(_rows(status, _chosen(status.kind, choice), packaged=found.region is None))
        for i, (what, text) in enumerate(rows):
            table.add_row("" if i else status.kind, what, text, end_section=i == len(rows) - 1)
    terminal = console()
    terminal.print(table, width=min(_WIDTH, terminal.width))


def _rows(status: KindStatus, chosen: str, *, packaged: bool) -> Iterator[tuple[str, str]]:
    """What is said of a kind, and its name."""
    if not status.facts:
        yield "source", f"none: nothing was collected yet. Run `caribou data_collect {status.kind}`"
        yield "chosen", chosen
        return
    several = len(status.sources) > 1
    for source in status.sources:
        yield "source", with_date(source.source, source.data) + (f": {_listed(source.regions)}" if several else "")
        yield "method", source.method or "not said"
        yield "licence", source.licence or "not said"
    if not packaged:
        yield "age", _age(status)
        yield "valid until", "not said" if status.valid_until is None else f"{status.valid_until:%Y-%m-%d %H:%M} UTC"
    yield "regions", _coverage(status)
    if of := _ESTIMATED_OF.get(status.kind):
        yield "estimated", _estimated(status, of)
    for marginal, regions in status.marginal_sources.items():
        yield "marginal", f"{marginal}: {_listed(regions)}"
    for why, regions in status.fallbacks.items():
        yield "fallback", f"{why} ({_listed(regions)})"
    if not packaged:
        yield "next", _next(status)
    yield "chosen", chosen


def _chosen(kind: Kind, choice: SourceChoice) -> str:
    names = ", ".join(choice.names[kind])
    return f"{names}; marginal: {', '.join(choice.marginal)}" if kind == "carbon" and choice.marginal else names


def _age(status: KindStatus) -> str:
    oldest, state = status.oldest_at or status.now, status.state or ""
    return f"{age_text(status.now - oldest)}, of {oldest:%Y-%m-%d %H:%M} UTC: {state}"


def _coverage(status: KindStatus) -> str:
    there = f"{len(status.facts)} of {len(status.wanted)}"
    lacking = f", without {_listed(status.missing)}" if status.missing else ""
    return f"{there}{lacking}; {status.covered} of all {len(KNOWN_REGIONS)}"


def _estimated(status: KindStatus, of: str) -> str:
    unknown, share = status.estimated_unknown, status.estimated_share
    if share is None:
        return "not known"
    return f"{share:.0%} of {of}" + (f"; not known of {_listed(unknown)}" if unknown else "")


def _next(status: KindStatus) -> str:
    """When the control plane collects: by its schedule, so long after the last time at the latest."""
    by = status.next_by or status.now
    late = by < status.now
    return f"{'was due' if late else 'due'} by {by:%Y-%m-%d %H:%M} UTC" + (
        f": look at the collector's log, or run `caribou data_collect {status.kind}`" if late else ""
    )


def _listed(regions: Sequence[str]) -> str:
    if len(regions) <= _SHOWN:
        return ", ".join(regions)
    return f"{', '.join(regions[:_SHOWN])} and {len(regions) - _SHOWN} more"
