"""`caribou data_collect carbon --from DAY --to DAY`: the hours of past days of the project's grids, into files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from caribou.cli.console import console
from caribou.cli.environment import environment_of
from caribou.cli.history_files import HistoryFiles
from caribou.cli.output import notify, say
from caribou.cli.project import control_region, settings, source_choice
from caribou.cli.project_regions import regions_of_workflows
from caribou.collectors.series import HourlySeries
from caribou.collectors.sources.keys import FILE, KeyRing
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.printable import printable

if TYPE_CHECKING:
    from caribou.collectors.sources.history import Filled, Grid, Span

FOLDER = "carbon_history"
Done = Callable[["Grid", int, int], None]
_EARLIEST = date(2000, 1, 1)
"""No source has hours of before: the earliest begin in the 2010s."""


def asked_days(kind: str, begin: datetime | None, end: datetime | None, now: datetime) -> tuple[date, date]:
    """The days that the options ask for, of which the last is not wanted. Raises InvalidInputError."""
    if kind != "carbon":
        raise _wrong("only carbon has hours of past days", kind, "`caribou data_collect carbon --from … --to …`")
    if begin is None or end is None:
        missing = [name for name, day in (("--from", begin), ("--to", end)) if day is None]
        raise _wrong("past days are those between two", f"no {' and no '.join(missing)}", "give both")
    first, last, today = begin.date(), end.date(), now.astimezone(UTC).date()
    if last <= first:
        raise _wrong("--to is not after --from", f"{first} to {last}", "give a later day: up to it, without it")
    if first < _EARLIEST:
        raise _wrong("--from is before anybody published hours", str(first), f"give {_EARLIEST} or later")
    if last > today:
        raise _wrong("--to is in the future", str(last), f"give {today} at the latest: yesterday is then the last day")
    return first, last


def backfill(root: Path, first: date, last: date, folder: Path) -> None:
    """Get the hours of each region of the project's manifests that are not there yet. Raises CaribouError."""
    from caribou.collectors.sources.history import Span, feeds_of, fill  # noqa: PLC0415 - httpx, for whoever fills

    regions = regions_of_workflows(root)
    if not regions:
        raise InvalidInputError(
            "there is no workflow, so no region whose grid is asked for",
            where=str(root / "workflows"),
            fix="make one with `caribou new_workflow`",
        )
    choice, files, span = source_choice(root), HistoryFiles(folder), Span(first, last)
    feeds = feeds_of(choice.names["carbon"], choice.settings, KeyRing(control_region(root), folder=root))
    in_aws = _rest_in_aws(choice.keys_wanted("carbon"))
    with environment_of(settings(root)) if in_aws else nullcontext(), _progress() as done:
        filled = fill(feeds, regions, span, files, done)
    _report(filled, span, files)


def _rest_in_aws(keys: Mapping[str, str | None]) -> bool:
    return any(place is not None and not place.startswith(FILE) for place in keys.values())


def _report(filled: Filled, span: Span, files: HistoryFiles) -> None:
    """Write the files, and say what is in them and what is not. Raises OperationFailedError if something failed."""
    from caribou.collectors.sources.profile_feed import ProfileFeed  # noqa: PLC0415 - for whoever fills

    for text in filled.fallbacks:
        notify(f"warning: {text}")
    for grid in filled.grids:
        path, series = files.finish(grid.feed, grid.zone)
        say(f"{path}: {_said(series, span)} ({', '.join(grid.regions)})")
    files.describe(filled.grids)
    if any(isinstance(grid.feed, ProfileFeed) for grid in filled.grids):
        notify(
            "warning: hours of a snapshot are its profile, the same on each day of a month, and no history: choose a "
            "live source by caribou:carbon_source in cdk.json"
        )
    lacking = [f"{', '.join(filled.missing)}: no chosen source gives hours"] if filled.missing else []
    again = ["What was got is kept: give the command again for the rest"] if filled.failures else []
    if lacking or again:
        raise OperationFailedError("\n".join([*filled.failures, *lacking, *again]))


def _said(series: HourlySeries, span: Span) -> str:
    """How many hours of the span are there, and how many of them are estimates."""
    own = series.between(*span.hours)
    wanted = (span.end - span.start).days * 24
    missing = f", {wanted - len(own.hours)} missing" if len(own.hours) < wanted else ""
    return f"{len(own.hours)} hours{missing}, {own.estimated_share:.0%} estimated"


@contextmanager
def _progress() -> Iterator[Done]:
    """What shows how far it is: bars on a terminal, else a line a grid, on standard error."""
    terminal = console(stderr=True)
    if not terminal.is_terminal:
        yield _line
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True) as progress:
        bars: dict[tuple[str, str], TaskID] = {}

        def show(grid: Grid, done: int, of: int) -> None:
            key = (grid.feed.name, grid.zone)
            if key not in bars:
                bars[key] = progress.add_task(printable(f"{grid.feed.origin}, {grid.zone}"), total=of)
            progress.update(bars[key], completed=done, visible=done < of)

        yield show


def _line(grid: Grid, done: int, of: int) -> None:
    if not done:
        asked = f"asking for {of} pieces" if of else "all is there already"
        notify(f"{grid.feed.origin}, {grid.zone} ({', '.join(grid.regions)}): {asked}")


def _wrong(what: str, found: str, fix: str) -> InvalidInputError:
    return InvalidInputError(what, where="caribou data_collect", found=found, fix=fix)
