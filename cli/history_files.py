"""Hours of past days of grids in files: a CSV file a zone, made of pieces, each written whole or not at all.

FOLDER/<source>/<zone>.csv                            all hours that are there, in order
FOLDER/<source>/source.json                           where they come from, their basis, licence, unit, zones of regions
FOLDER/<source>/.pieces/<zone>/<from>_<to>.csv        what was got at once: is not asked for again
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from caribou.cli.output import write_whole
from caribou.collectors.series import BASES, HourlySeries, HourValue, named_basis
from caribou.model.errors import InvalidInputError, OperationFailedError

if TYPE_CHECKING:
    from caribou.collectors.sources.feed import CarbonFeed
    from caribou.collectors.sources.history import Grid, Span

_EMISSIONS, _OTHER = BASES[0], "other"
_INTENSITY = "gCO2eq_per_kWh_{}"
_COLUMNS = ("timestamp_utc", *map(_INTENSITY.format, (*_EMISSIONS, _OTHER)), "estimated", "source", "zone")
"""Of the three columns of intensity one is filled: which the source's basis names, or `other`."""
_SHOWN = 200
_TIME = "%Y-%m-%dT%H:00:00Z"
_DIGITS = 4
_PIECE = re.compile(r"(\d{4}-\d\d-\d\d)_(\d{4}-\d\d-\d\d)\.csv")


@dataclass(frozen=True, slots=True)
class HistoryFiles:
    """The files of a folder."""

    folder: Path

    def known(self, feed: CarbonFeed, zone: str) -> list[Span]:
        """The pieces of a zone that are there."""
        return [span for span, _ in self._pieces(feed, zone)]

    def put(self, feed: CarbonFeed, zone: str, span: Span, series: HourlySeries) -> None:
        """Write a piece."""
        folder = self._pieces_of(feed, zone)
        _make(folder)
        write_whole(folder / f"{span.start}_{span.end}.csv", _text(feed, zone, series))

    def finish(self, feed: CarbonFeed, zone: str) -> tuple[Path, HourlySeries]:
        """Write the file of a zone out of all its pieces; the file, and the hours in it. Raises InvalidInputError."""
        hours = [hour for _, path in self._pieces(feed, zone) for hour in _read(path, _column(feed))]
        series = HourlySeries.of(feed.signal, hours)
        path = self._of(feed) / f"{_name(zone)}.csv"
        write_whole(path, _text(feed, zone, series))
        return path, series

    def describe(self, grids: Iterable[Grid]) -> None:
        """Write beside the files of each source what is to be known of it."""
        from caribou.collectors.sources.history import described  # noqa: PLC0415 - httpx, for whoever fills

        zones: dict[str, dict[str, str]] = {}
        feeds = {grid.feed.name: grid.feed for grid in grids}
        for grid in grids:
            zones.setdefault(grid.feed.name, {}).update(dict.fromkeys(grid.regions, grid.zone))
        for name, feed in feeds.items():
            write_whole(self._of(feed) / "source.json", json.dumps(described(feed, zones[name]), indent=1) + "\n")

    def _pieces(self, feed: CarbonFeed, zone: str) -> list[tuple[Span, Path]]:
        from caribou.collectors.sources.history import Span  # noqa: PLC0415 - as above

        folder = self._pieces_of(feed, zone)
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        named = ((_days(path.name), path) for path in found)
        return [(Span(*days), path) for days, path in named if days is not None]

    def _pieces_of(self, feed: CarbonFeed, zone: str) -> Path:
        return self._of(feed) / ".pieces" / _name(zone)

    def _of(self, feed: CarbonFeed) -> Path:
        return self.folder / feed.name


def _name(zone: str) -> str:
    return quote(zone, safe=" ")


def _days(name: str) -> tuple[date, date] | None:
    """The first day of a piece and the one after its last, by its file's name; None if it is none's."""
    match = _PIECE.fullmatch(name)
    try:
        return None if match is None else (date.fromisoformat(match[1]), date.fromisoformat(match[2]))
    except ValueError:
        return None


def _column(feed: CarbonFeed) -> str:
    """The column that a source's intensities stand in."""
    return _INTENSITY.format(named_basis(_EMISSIONS, feed.basis) or _OTHER)


def _text(feed: CarbonFeed, zone: str, series: HourlySeries) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for hour in series.hours:
        intensity = {_column(feed): str(round(hour.g_per_kwh, _DIGITS))}
        said = {"estimated": str(hour.estimated), "source": feed.name, "zone": zone}
        writer.writerow({"timestamp_utc": f"{hour.at:{_TIME}}", **intensity, **said})
    return text.getvalue()


def _read(path: Path, column: str) -> list[HourValue]:
    """The hours of a piece. Raises InvalidInputError if somebody has changed it."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_hour(row, column) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        fix = "delete it and run the command again: it is then asked for again"
        raise InvalidInputError(
            "is no piece of a grid's hours", where=str(path), found=str(error)[:_SHOWN], fix=fix
        ) from error


def _hour(row: dict[str, str], column: str) -> HourValue:
    at, intensity = datetime.strptime(row["timestamp_utc"], _TIME).replace(tzinfo=UTC), float(row[column])
    if not isfinite(intensity) or row["estimated"] not in ("True", "False"):
        raise ValueError(f"{row}")
    return HourValue(at, intensity, estimated=row["estimated"] == "True")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperationFailedError(f"{folder} can't be made: {error.strerror}") from error
