"""When a collector runs: a schedule expression of EventBridge Scheduler in UTC, and how far its runs are apart.

`rate(VALUE UNIT)`, or `cron(MINUTES HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR)` with the values and wildcards of
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from caribou.model.errors import InvalidInputError

_RATE = re.compile(r"rate\(([1-9]\d{0,3}) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((.*)\)")
_STEP = re.compile(r"(.+)/([1-9]\d{0,3})")
_YEARS = range(2024, 2052)
"""28 years: every date on every day of the week."""
_SATURDAY = 7
_EXAMPLES = (
    'write "rate(6 hours)", or "cron(10 * * * ? *)": minutes, hours, day of the month, month, day of the week, year, '
    "in UTC; one of the two days is ?"
)
_PATIENCE = timedelta(hours=6), timedelta(hours=24)

Days = Callable[[int, int], set[int]]
"""Of a year and a month, the days that match."""


class _WrongFieldError(ValueError):
    """A field of a cron expression that is none."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """An expression, and the least and most time between two of its runs."""

    expression: str
    shortest: timedelta
    longest: timedelta

    @property
    def longest_h(self) -> float:
        """The most time between two runs, hours."""
        return self.longest / timedelta(hours=1)


def old_after_h(every_h: float) -> float:
    """How old, in hours, is too old for what is brought every so many hours: one run was missed, and a while passed.

    As much again as lies between two runs, but 6 to 24 hours: 7 of what comes each hour, 48 of each day, 192 of each
    week.
    """
    least, most = (patience / timedelta(hours=1) for patience in _PATIENCE)
    return every_h + min(max(every_h, least), most)


def parse_schedule(text: str, where: str) -> Schedule:
    """The schedule that a text says. Raises InvalidInputError for what is none, ends, or never comes."""
    if rate := _RATE.fullmatch(text):
        every = timedelta(**{f"{rate[2]}s": int(rate[1])})
        return Schedule(text, every, every)
    if cron := _CRON.fullmatch(text):
        try:
            return Schedule(text, *_gaps(cron[1].split()))
        except _WrongFieldError as error:
            raise InvalidInputError(str(error), where=where, found=text, fix=_EXAMPLES) from None
    what = "runs once, which is no schedule" if text.startswith("at(") else "is no schedule expression"
    raise InvalidInputError(what, where=where, found=text, fix=_EXAMPLES)


def _gaps(fields: Sequence[str]) -> tuple[timedelta, timedelta]:
    """The shortest and the longest time between two runs of a cron expression."""
    if len(fields) != len(_FIELDS):
        raise _WrongFieldError(f"has {len(fields)} fields, not 6")
    minutes, hours, of_month, month, of_week, year = fields
    if year != "*":
        raise _WrongFieldError(f"ends: its year is {year}, not *")
    if (of_month == "?") == (of_week == "?"):
        raise _WrongFieldError("has not ? as one of day of the month and day of the week")
    times = [60 * hour + minute for hour in _HOURS.values(hours) for minute in _MINUTES.values(minutes)]
    months, matching = _MONTHS.values(month), _of_week(of_week) if of_month == "?" else _of_month(of_month)
    days = [date(y, m, d).toordinal() for y in _YEARS for m in months for d in sorted(matching(y, m))]
    if not days:
        raise _WrongFieldError("never comes")
    within = [later - earlier for earlier, later in pairwise(times)]
    between = [24 * 60 * (later - earlier) + times[0] - times[-1] for earlier, later in pairwise(days)]
    gaps = within + between
    return timedelta(minutes=min(gaps)), timedelta(minutes=max(gaps))


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of numbers, which may have names."""

    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()

    def values(self, text: str) -> list[int]:
        """What a list of values, ranges and steps says, in order."""
        return sorted({value for part in text.split(",") for value in self._part(part)})

    def _part(self, part: str) -> Iterator[int]:
        step = _STEP.fullmatch(part)
        start, by = (step[1], int(step[2])) if step else (part, 1)
        if start == "*":
            first, last = self.least, self.most
        elif "-" in start:
            first, last = map(self.number, start.split("-", 1))
        else:
            first = self.number(start)
            last = self.most if step else first
        if first > last:
            raise _WrongFieldError(f"has {part}, which goes backwards, as its {self.name}")
        yield from range(first, last + 1, by)

    def number(self, text: str) -> int:
        """A value, by its number or its name."""
        if text in self.words:
            return self.least + self.words.index(text)
        if not (text.isascii() and text.isdecimal() and len(text) < 5 and self.least <= int(text) <= self.most):
            names = f", or {self.words[0]} to {self.words[-1]}" if self.words else ""
            raise _WrongFieldError(f"has {text or 'nothing'} as its {self.name}: {self.least} to {self.most}{names}")
        return int(text)


_FIELDS = _MINUTES, _HOURS, _DAY, _MONTHS, _WEEKDAY, _YEAR = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")),
    _Field("day of the week", 1, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
    _Field("year", 1970, 2199),
)


def _of_month(text: str) -> Days:
    """The days of a day-of-month field: values, L for the last one, 15W for the weekday nearest to the 15th."""
    if text == "L":
        return lambda year, month: {calendar.monthrange(year, month)[1]}
    if text.endswith("W"):
        wanted = _DAY.number(text.removesuffix("W"))
        return lambda year, month: _nearest_weekday(year, month, wanted)
    values = set(_DAY.values(text))
    return lambda year, month: {day for day in values if day <= calendar.monthrange(year, month)[1]}


def _nearest_weekday(year: int, month: int, wanted: int) -> set[int]:
    last = calendar.monthrange(year, month)[1]
    workdays = [day for day in range(1, last + 1) if date(year, month, day).isoweekday() < 6]
    return {min(workdays, key=lambda day: (abs(day - wanted), day))} if wanted <= last else set()


def _of_week(text: str) -> Days:
    """The days of a day-of-week field: values, L for Saturday, 6L for the last Friday, 6#3 for the third one."""
    if text == "L":
        text = str(_SATURDAY)
    if text.endswith("L"):
        wanted = _WEEKDAY.number(text.removesuffix("L"))
        return lambda year, month: set(_those(year, month, {wanted})[-1:])
    if "#" in text:
        name, _, nth = text.partition("#")
        wanted, place = _WEEKDAY.number(name), _Field("week of the month", 1, 5).number(nth)
        return lambda year, month: set(_those(year, month, {wanted})[place - 1 : place])
    if "/" in text:
        raise _WrongFieldError(f"has {text} as its day of the week, which takes no steps")
    values = set(_WEEKDAY.values(text))
    return lambda year, month: set(_those(year, month, values))


def _those(year: int, month: int, weekdays: set[int]) -> list[int]:
    """The days of a month that are such weekdays, Sunday being 1."""
    last = calendar.monthrange(year, month)[1]
    return [day for day in range(1, last + 1) if date(year, month, day).isoweekday() % 7 + 1 in weekdays]
