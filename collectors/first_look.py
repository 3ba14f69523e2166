"""A first look at run records: which runs are the newest, and which ones made a call that few others made.

It takes a few fields of each record and does not judge the rest, so that it is quick; and it remembers no more than the
runs that may be wanted, so that its memory does not grow with the records. What it finds follows from the records
alone, in whatever order they come and however often.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from heapq import nlargest
from typing import Any

from caribou.collectors.observed import TAKEN
from caribou.model.graph import Graph
from caribou.model.run.fields import LAST_SECOND
from caribou.model.run.record import RunRecord

KEPT_RUNS = 5_000
"""The newest runs that are looked at, at most: what is in none of them comes in less than one of 1,600 (3 / n)."""
KEPT_DAYS = 30
RARE_RUNS = 20
"""A call that fewer runs made is rare: so many of the newest that made it are kept, however old within KEPT_DAYS."""
_DAY_S = 24 * 3600


class FirstLook:
    """Which runs of a graph's version began when, which ones made each of its calls, and how many records there were.

    What a function says of another one's nodes does not count: else it could make up runs that take the place of true
    ones. `left_out` counts the records of other programs, by reason, `records` all others.
    """

    def __init__(self, graph: Graph) -> None:
        self._workflow, self._version, self._entry = graph.workflow, graph.version, graph.entry.name
        self._functions = {node.name: node.function for node in graph.nodes}
        self._begun = _Newest(KEPT_RUNS)
        self._callers = {edge.id: _Newest(RARE_RUNS) for edge in graph.edges}
        self._calls_of = {node.name: frozenset(edge.id for edge in graph.out_edges(node.name)) for node in graph.nodes}
        self.left_out: Counter[str] = Counter()
        self.records = 0

    def take(self, data: Any) -> bool:  # noqa: ANN401 - any JSON value
        """Note what a record says of its run; False, and nothing, of what has not the shape for that."""
        try:
            if data["workflow_version"] != self._version or data["workflow"] != self._workflow:
                self.left_out[_foreign(data["workflow"] != self._workflow)] += 1
                return True
            run_id, at, node = data["run_id"], data["started_at"], data["node"]
            made = [call["edge"] for call in data["successors"] if call["outcome"] in TAKEN]
            if not isinstance(run_id, str) or not 0 <= at <= LAST_SECOND:
                return False
            if self._functions.get(node) != data["function"]:
                self.left_out["of another graph of the workflow"] += 1
                return True
            calls = self._calls_of[node].intersection(made)
        except (KeyError, TypeError, IndexError):
            return False
        self.records += 1
        if node == self._entry:
            self._begun.offer(run_id, at)
        for edge in calls:
            self._callers[edge].offer(run_id, at)
        return True

    def counts(self, record: RunRecord) -> bool:
        """Whether a record is one of this program, as far as a first look sees."""
        program = (record.workflow, record.workflow_version)
        return program == (self._workflow, self._version) and self._functions.get(record.node) == record.function

    @property
    def is_enough(self) -> bool:
        """Whether there are as many runs as may be kept, and of each call as many as it takes not to be rare."""
        return self._begun.is_full and all(runs.is_full for runs in self._callers.values())

    @property
    def is_cut(self) -> bool:
        """Whether there are runs before the newest ones."""
        return self._begun.is_cut or len(self.newest()) < len(self._begun.found())

    def newest(self) -> dict[str, float]:
        """The newest runs, newest first, with when they began, s since 1970."""
        begun = self._begun.found()
        since_s = _since_s(begun)
        return {run_id: at for run_id, at in begun.items() if at >= since_s}

    def older(self) -> list[str]:
        """Runs that are not among the newest and made a rare call, newest first."""
        newest = self.newest()
        since_s = _since_s(newest)
        found: dict[str, float] = {}
        for callers in self._callers.values():
            for run_id, at in callers.found().items():
                if run_id not in newest and at >= since_s:
                    found[run_id] = max(at, found.get(run_id, at))
        return [run_id for run_id, _ in sorted(found.items(), key=_time_and_name, reverse=True)]


class _Newest:
    """The runs with the highest times that were offered, a run by its highest one; in memory twice as many at most."""

    __slots__ = ("_at", "_floor", "_most")

    def __init__(self, most: int) -> None:
        self._most, self._floor = most, -math.inf
        self._at: dict[str, float] = {}

    def offer(self, run_id: str, at: float) -> None:
        """Take a run into account."""
        if at < self._floor or at <= self._at.get(run_id, -math.inf):
            return
        self._at[run_id] = at
        if len(self._at) >= 2 * self._most:
            self._at = self.found()
            self._floor = min(self._at.values())

    @property
    def is_full(self) -> bool:
        """Whether there are as many as wanted."""
        return len(self._at) >= self._most

    @property
    def is_cut(self) -> bool:
        """Whether there are more than that."""
        return len(self._at) > self._most or self._floor > -math.inf

    def found(self) -> dict[str, float]:
        """The runs, newest first, with their times."""
        return dict(nlargest(self._most, self._at.items(), key=_time_and_name))


def _foreign(of_another_workflow: bool) -> str:  # noqa: FBT001
    return "of another workflow" if of_another_workflow else "of another version of the workflow"


def _time_and_name(item: tuple[str, float]) -> tuple[float, str]:
    return item[1], item[0]


def _since_s(begun: Mapping[str, float]) -> float:
    """From when on runs count, s since 1970."""
    return max(begun.values(), default=0.0) - KEPT_DAYS * _DAY_S
