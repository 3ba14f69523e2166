"""Which runs a problem looks at, out of any number of run records: the newest, and older ones that made a rare call.

Two passes over the records, which are never all in memory. The first one is `first_look.py`; the second one reads the
records of the runs that it found, and of no others, in full.

    all records   | older    | KEPT_DAYS, KEPT_RUNS runs at most
                  |..R....R..|xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx   x kept; R kept, since fewer than RARE_RUNS newer
                                                                     runs made a call that it made

The newest runs are a stretch of time without a gap, so that shares among them are those of all runs. Of the older ones
that is not so, and they are kept apart: they say what a rare call is like, and never how often it comes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from caribou.collectors.first_look import FirstLook
from caribou.collectors.observed import MOST_RUNS
from caribou.collectors.record_lines import no_object, parse_record
from caribou.model.errors import InvalidRecordError
from caribou.model.graph import Graph
from caribou.model.run.record import RunRecord

KEPT_RECORDS = 50_000
"""Records of kept runs, at most, so that memory is bounded whatever the graph: 5,000 runs of 10 nodes."""
RUN_RECORDS = 1_500
"""Of one run, at most: three tries of 500 nodes. More would crowd out other runs."""
_RUN_ID = re.compile(rb'\s*:\s*"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class Stored:
    """Records of the newest runs, and of `older` ones that made a rare call; each oldest first.

    `left_out` counts records that need not be read in full, `passed_over` those that can't be read, by reason. Of runs
    that began since `since_s` (s since 1970) no record was left out; None where the records themselves say no better.
    """

    records: list[RunRecord]
    passed_over: Mapping[str, int] = field(default_factory=dict)
    older: list[RunRecord] = field(default_factory=list)
    left_out: Mapping[str, int] = field(default_factory=dict)
    since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """Records as JSON texts, which can be gone through several times, and how one is read.

    `where` names a text by its number, from 1; `on_error` is given that number and what is wrong, and may raise it.
    """

    all: Callable[[], Iterable[str | bytes]]
    where: Callable[[int], str]
    on_error: Callable[[int, InvalidRecordError], None]
    parse: Callable[[str | bytes], Any] = json.loads


def kept_runs(texts: Texts, graph: Graph) -> Stored:
    """The records of the newest runs of a graph's version, and of older ones that made a rare call of it."""
    look = FirstLook(graph)
    for number, text in enumerate(texts.all(), 1):
        look_at(text, number, look, texts)
    return chosen(look, texts)


def chosen(look: FirstLook, texts: Texts) -> Stored:
    """The records of the runs that a look at the same texts has found."""
    begun, older = look.newest(), look.older()
    newest = list(begun)
    kept = _Kept([*newest[:MOST_RUNS], *older, *newest[MOST_RUNS:]], look)
    for number, text in enumerate(texts.all(), 1):
        if kept.may_want(text) and (record := _record(text, number, texts)) is not None:
            kept.take(record)
    left_out = look.left_out + kept.left_out
    rest = "of a run before the newest ones" if look.is_cut else "of a run whose beginning is not recorded"
    left_out[rest] += look.records - kept.looked_at
    return Stored(
        kept.of(newest),
        older=kept.of(older),
        left_out=dict(sorted((+left_out).items())),
        since_s=min((at for run_id, at in begun.items() if kept.has(run_id)), default=None),
    )


def look_at(text: str | bytes, number: int, look: FirstLook, texts: Texts) -> None:
    """Take a text into account, or hand its fault to `on_error`."""
    try:
        data = texts.parse(text)
    except (ValueError, RecursionError):
        if text.strip():  # an empty line is none
            texts.on_error(number, no_object(text, texts.where(number)))
        return
    if not look.take(data):
        _record(text, number, texts)  # says what is wrong


def _record(text: str | bytes, number: int, texts: Texts) -> RunRecord | None:
    """The record in a text; None if there is none: `on_error` has its fault then."""
    try:
        data = texts.parse(text)
        if not isinstance(data, dict):
            raise no_object(text, texts.where(number))
        return parse_record(data, texts.where(number))
    except InvalidRecordError as error:
        texts.on_error(number, error)
    except (ValueError, RecursionError):
        texts.on_error(number, no_object(text, texts.where(number)))
    return None


class _Kept:
    """The records of certain runs, each once: those of the first runs, if they are too many for memory."""

    def __init__(self, runs: Sequence[str], look: FirstLook) -> None:
        self._runs, self._look = list(runs), look
        self._of: dict[str, dict[tuple[str, int, float], RunRecord]] = {run_id: {} for run_id in runs}
        self._count = 0
        self.looked_at = 0
        self.left_out: Counter[str] = Counter()

    def may_want(self, text: str | bytes) -> bool:
        """Whether a text may be a record of one of the runs, by the first run that is named in it."""
        line = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        at = line.find(b'"run_id"')
        found = _RUN_ID.match(line, at + len(b'"run_id"')) if at >= 0 else None
        if found is None:
            return bool(line.strip())
        return found[1].decode("utf-8", "replace") in self._of

    def take(self, record: RunRecord) -> None:
        """Keep a record, if it is of these runs."""
        own = self._of.get(record.run_id)
        if own is None or not self._look.counts(record):
            return
        self.looked_at += 1
        key = (record.node, record.attempt, record.started_at)
        if key in own:
            self.left_out["that are there twice"] += 1
        elif len(own) == RUN_RECORDS:
            self.left_out["of a run with more records than a run has"] += 1
        else:
            own[key] = record
            self._count += 1
            self._make_room()

    def has(self, run_id: str) -> bool:
        """Whether it is still one of the runs."""
        return run_id in self._of

    def of(self, runs: Iterable[str]) -> list[RunRecord]:
        """The records of some of the runs, oldest first."""
        found = [record for run_id in runs for record in self._of.get(run_id, {}).values()]
        return sorted(found, key=lambda record: (record.started_at, record.run_id, record.node, record.attempt))

    def _make_room(self) -> None:
        """Do without the last runs, if there are too many records."""
        while self._count > KEPT_RECORDS and len(self._runs) > 1:
            left = self._of.pop(self._runs.pop())
            self._count -= len(left)
            self.looked_at -= len(left)
