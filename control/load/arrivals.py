"""When the runs of a load arrive: by chance at a mean rate, or as a file has it. In seconds from its beginning."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from caribou.model.errors import InvalidInputError

MAX_RUNS = 50_000
"""How many runs a load may have: a few hundred bytes each are kept of them."""
MOST_A_MINUTE = 60 * MAX_RUNS
"""How many a minute may have: of a minute that the duration cuts short, each is drawn to see whether it is within."""
_MINUTE_S = 60.0
_DIGITS = 9
"""How many a minute in a header may have: more is no minute."""


@dataclass(frozen=True, slots=True)
class Replay:
    """How a file of arrivals is replayed.

    `speed` is how many seconds of the file pass in one; arrivals after `duration_s` of ours are left out. `row` names
    the function whose counts are taken; `seed` decides when in its minute a counted run arrives.
    """

    where: str
    speed: float = 1.0
    duration_s: float = math.inf
    row: str | None = None
    seed: int = 0


def poisson(rate_per_s: float, duration_s: float, seed: int) -> tuple[float, ...]:
    """Arrivals that know nothing of each other, at a mean rate: the times between them are exponential.

    Raises InvalidInputError if there would be none, or too many.
    """
    return _bounded(_poisson(rate_per_s, duration_s, random.Random(seed)), "--rate")  # noqa: S311 - no secret


def replayed(lines: Iterable[str], replay: Replay) -> tuple[float, ...]:
    """The arrivals in a file: an offset in seconds a line, or counts a minute as CSV. Raises InvalidInputError.

    The CSV is that of the Azure Functions trace and of what is made from it: a header whose columns 1, 2, 3, … are
    minutes, and a row a function. Within its minute, a counted run arrives at any time with the same probability.
    """
    lines = iter(lines)
    first = next(lines, "")
    read = _counted if "," in first and not first.startswith("#") else _offsets
    played = (offset / replay.speed for offset in read(chain([first], lines), replay))
    return tuple(sorted(_bounded((offset for offset in played if offset < replay.duration_s), replay.where)))


def _poisson(rate_per_s: float, duration_s: float, chance: random.Random) -> Iterator[float]:
    at = chance.expovariate(rate_per_s)
    while at < duration_s:
        yield at
        at += chance.expovariate(rate_per_s)


def _offsets(lines: Iterable[str], replay: Replay) -> Iterator[float]:
    """The offsets, one a line; empty lines and those that begin with # are none."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        offset = _number(text)
        if offset is None:
            raise InvalidInputError(
                "is no offset in seconds",
                where=f"{replay.where}: line {number}",
                found=text[:60],
                fix="write a number such as 12.5 on each line",
            )
        yield offset


def _counted(lines: Iterable[str], replay: Replay) -> Iterator[float]:
    """The arrivals that a row of counts a minute stands for."""
    rows = _rows(lines, replay)
    header = [name.strip() for name in next(rows)]
    minutes = {column: _minute(name, replay) for column, name in enumerate(header) if name.isdecimal()}
    if len(set(minutes.values())) < len(minutes):
        twice = [minute for minute in minutes.values() if [*minutes.values()].count(minute) > 1]
        raise InvalidInputError(
            "has two columns for a minute", where=f"{replay.where}: header", found=twice[0], fix="leave one of them"
        )
    if not minutes:
        raise InvalidInputError(
            "has no columns 1, 2, 3, … with runs a minute",
            where=replay.where,
            found=",".join(header)[:60],
            fix="give such a CSV, or one offset in seconds a line",
        )
    row = _row(rows, minutes, replay)
    chance = random.Random(replay.seed)  # noqa: S311 - no secret
    end = replay.duration_s * replay.speed / _MINUTE_S
    for column, minute in ((column, minute) for column, minute in minutes.items() if minute - 1 < end):
        for _ in range(_count(row, column, header, replay)):
            yield (minute - 1 + chance.random()) * _MINUTE_S


def _rows(lines: Iterable[str], replay: Replay) -> Iterator[Sequence[str]]:
    """The rows of a CSV."""
    rows = csv.reader(lines)
    try:
        yield from rows
    except csv.Error as error:
        raise InvalidInputError(
            "can't be read as CSV",
            where=f"{replay.where}: line {rows.line_num}",
            found=error,
            fix="give a CSV of counts a minute, or one offset in seconds a line",
        ) from error


def _minute(name: str, replay: Replay) -> int:
    """The minute that a column is named after."""
    if len(name) > _DIGITS or int(name) == 0:
        raise InvalidInputError(
            "is no minute: columns count from 1",
            where=f"{replay.where}: header",
            found=name[:60],
            fix="name the columns 1, 2, 3, …",
        )
    return int(name)


def _row(rows: Iterable[Sequence[str]], minutes: Mapping[int, int], replay: Replay) -> Sequence[str]:
    """The function's row: the only one of which a name begins with what is asked for."""
    names = (([cell for column, cell in enumerate(row) if column not in minutes], row) for row in rows if row)
    wanted = replay.row or ""
    found = list(islice(((name, row) for name, row in names if any(cell.startswith(wanted) for cell in name)), 2))
    if len(found) == 1:
        return found[0][1]
    what = "has several rows" if found else "has no row"
    raise InvalidInputError(
        what if replay.row is None else f"{what} of that name",
        where=replay.where,
        found=replay.row,
        fix="name one with --row, by the beginning of its owner, app or function",
    )


def _count(row: Sequence[str], column: int, header: Sequence[str], replay: Replay) -> int:
    text = row[column].strip() if column < len(row) else "0"
    where = f"{replay.where}: minute {header[column]}"
    if not text.isdecimal():
        raise InvalidInputError("is no number of runs", where=where, found=text[:60], fix="write a whole number")
    if len(text) > _DIGITS or int(text) > MOST_A_MINUTE:
        raise InvalidInputError(
            f"is more than {MOST_A_MINUTE:,} runs in a minute", where=where, found=text[:60], fix="write fewer"
        )
    return int(text)


def _number(text: str) -> float | None:
    """The number in a text, if it is one that is at least 0."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _bounded(arrivals: Iterable[float], where: str) -> tuple[float, ...]:
    found = tuple(islice(arrivals, MAX_RUNS + 1))
    if len(found) > MAX_RUNS:
        raise InvalidInputError(
            f"there would be more than {MAX_RUNS:,} runs",
            where=where,
            fix="give a lower --rate or a shorter --duration",
        )
    if not found:
        raise InvalidInputError("no run arrives in that time", where=where, fix="give a longer --duration")
    return found
