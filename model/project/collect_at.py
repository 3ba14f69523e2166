"""When the control plane's collectors run: the context key `caribou:collect_at`, and what holds without it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from datetime import timedelta

from caribou.model.errors import InvalidInputError
from caribou.model.names import COLLECT_AT_KEY
from caribou.model.schedule import Schedule, parse_schedule
from caribou.model.schema.nearest import near

EACH_DAY, EACH_HOUR, LIVE = "rate(1 day)", "rate(1 hour)", "rate(3 hours)"
LOGS = "workflow"
USUAL = {"carbon": EACH_DAY, "provider": EACH_DAY, "performance": EACH_DAY, LOGS: EACH_HOUR}
"""Each collector's schedule, where the project says nothing; carbon from a live service comes by `LIVE`.

A forecast of a week changes little in three hours, and each collection asks a service for four weeks of every grid.
"""

SHORTEST = timedelta(minutes=15)
"""A collector may run for as long, Lambda's longest, and is not to meet itself."""
LONGEST_OF_LOGS = timedelta(days=3)
"""Log collection says as well how old facts are, and that it runs at all is watched: CloudWatch looks back seven days,
in which it has to come twice."""
LONGEST_OF_FACTS = {"carbon": timedelta(days=7), "provider": timedelta(days=90), "performance": timedelta(days=90)}
"""For as long are facts of a kind to be used: what comes later leaves a time without any."""


def collect_at(context: Mapping[str, object], where: str, *, live_carbon: bool) -> dict[str, Schedule]:
    """Collector to its schedule; `where` stands in front of a key in messages. Raises InvalidInputError."""
    place = f"{where}{COLLECT_AT_KEY}"
    usual = {**USUAL, **({"carbon": LIVE} if live_carbon else {})}
    given = _object(context.get(COLLECT_AT_KEY, {}), place)
    for name in given:
        if name not in USUAL:
            raise InvalidInputError("is no collector", where=place, found=name, fix=near(name, USUAL))
    return {name: _schedule(name, given.get(name, text), f"{place}.{name}") for name, text in usual.items()}


def _object(value: object, place: str) -> Mapping[str, object]:
    if isinstance(value, str):  # as `-c` gives it
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    if not isinstance(value, Mapping):
        fix = 'write {"carbon": "cron(10 * * * ? *)", "provider": "rate(7 days)"}'
        raise InvalidInputError("is no object of schedules", where=place, found=value, fix=fix)
    return value


def _schedule(name: str, text: object, place: str) -> Schedule:
    if not isinstance(text, str):
        raise InvalidInputError("is no text", where=place, found=text, fix='write "rate(6 hours)", say')
    schedule = parse_schedule(text, place)
    if schedule.shortest < SHORTEST:
        what = f"comes again after {_minutes(schedule.shortest)}, and a collector may take 15"
        raise InvalidInputError(what, where=place, found=text, fix="leave 15 minutes or more between two runs")
    if name == LOGS and schedule.longest > LONGEST_OF_LOGS:
        what = "leaves more than three days between two runs: log collection also says how old facts are"
        raise InvalidInputError(what, where=place, found=text, fix="let it run every three days or more often")
    if name in LONGEST_OF_FACTS and schedule.longest > LONGEST_OF_FACTS[name]:
        days = LONGEST_OF_FACTS[name].days
        what = f"leaves more than {days} days between two runs, after which its facts are no longer used"
        raise InvalidInputError(what, where=place, found=text, fix=f"let it run every {days} days or more often")
    return schedule


def _minutes(time: timedelta) -> str:
    minutes = time // timedelta(minutes=1)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
