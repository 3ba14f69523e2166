"""Which run records count, and what they say of each run.

What counts is this workflow's, of this version and graph, of the memory and regions that the manifest has now: older
records are of another program. Of a node's attempts in a run the last successful one counts (its duration and calls);
when the node's message arrived is what its first attempt says, since a retry waits a minute or two that no placement
changes. Cold starts count: they are in the latencies and tails that users see, in every region alike.

A run counts only if its beginning is recorded, in the log of the entry: else any function could write runs of its own
making into its log, and those would take the place of true ones. And it counts only if it is whole, every node that was
called having run: a row of a problem is a run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from caribou.model.graph import Edge, Graph
from caribou.model.run.record import Outcome, RunRecord, SuccessorRecord

NEWEST_RUNS = 500
"""Runs that a summary is made of: what a solve takes grows with them, and older ones say less of what comes."""
MOST_RUNS = 2 * NEWEST_RUNS
"""So many where they make a call that the newest ones do not."""

TAKEN = frozenset({Outcome.SENT, Outcome.JOINED, Outcome.REROUTED})
GB = 1024**3


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """What a record must belong to: a graph, a home, the memory (MB) of each function, and regions."""

    graph: Graph
    home_region: str
    memory_mb: Mapping[str, int]
    regions: frozenset[str]

    def refusal(self, record: RunRecord) -> str | None:
        """Why a record does not count, None if it does."""
        reasons = (
            (record.workflow != self.graph.workflow, "of another workflow"),
            (record.workflow_version != self.graph.version, "of another version of the workflow"),
            (not self._in_graph(record), "of another graph of the workflow"),
            (record.memory_mb != self.memory_mb.get(record.function), "of a function with another memory size"),
            (record.region not in self.regions, "of a region that is no longer allowed"),
            (record.redirect and record.region != self.home_region, "of another home region"),
        )
        return next((reason for applies, reason in reasons if applies), None)

    def _in_graph(self, record: RunRecord) -> bool:
        if not self.graph.has_node(record.node) or self.graph.node(record.node).function != record.function:
            return False
        mine = {(edge.id, edge.target) for edge in self.graph.out_edges(record.node)}
        theirs = {(successor.edge, successor.node) for successor in record.successors}
        return theirs <= mine if record.error or record.redirect else theirs == mine


@dataclass(slots=True)
class Run:
    """One run's records: per node the execution that counts, and the first attempt; the hops of the home entry."""

    run_id: str
    executions: dict[str, RunRecord] = field(default_factory=dict)
    arrivals: dict[str, RunRecord] = field(default_factory=dict)
    redirects: list[RunRecord] = field(default_factory=list)

    @property
    def started_at(self) -> float:
        """When the first of its records began."""
        return min(record.started_at for record in (*self.arrivals.values(), *self.redirects))

    def gap(self, graph: Graph) -> str | None:
        """What keeps the run from being a whole one: a node that was called and has no good record, or the reverse."""
        outcomes = {edge.id: self.successor(edge) for edge in graph.edges}
        called = {edge.target for edge in graph.edges if (found := outcomes[edge.id]) and found[1].outcome in TAKEN}
        called.add(graph.entry.name)
        if lacking := sorted(called - self.executions.keys()):
            return f"{lacking[0]} was called and has no successful record"
        if uncalled := sorted(self.executions.keys() - called):
            return f"{uncalled[0]} has a record and was not called"
        return None

    def successor(self, edge: Edge) -> tuple[RunRecord, SuccessorRecord] | None:
        """What became of an edge: the execution it comes from, and its outcome; None if its source did not run."""
        execution = self.executions.get(edge.source)
        if execution is None:
            return None
        return execution, next(s for s in execution.successors if s.edge == edge.id)


@dataclass(frozen=True)
class Observed:
    """The runs that count, oldest first, and how many records were left out, by reason.

    `whole` are all whole runs of the stretch of time that was looked at, of which `runs` are the newest; `older` ones
    come before it, and are known for a rare call alone, so that they say nothing of how often anything comes.
    """

    runs: tuple[Run, ...]
    dropped: Mapping[str, int]
    whole: tuple[Run, ...]
    older: tuple[Run, ...]

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Run ids to their places among the runs."""
        return {run.run_id: row for row, run in enumerate(self.runs)}

    @cached_property
    def executions(self) -> Mapping[str, tuple[RunRecord, ...]]:
        """Node to its executions that count, oldest run first."""
        nodes = {node for run in self.runs for node in run.executions}
        return {n: tuple(run.executions[n] for run in self.runs if n in run.executions) for n in nodes}

    def of(self, node: str) -> tuple[RunRecord, ...]:
        """A node's executions that count."""
        return self.executions.get(node, ())


def observe(
    records: Iterable[RunRecord],
    counted: RecordFilter,
    newest_runs: int = NEWEST_RUNS,
    *,
    older: Iterable[RunRecord] = (),
    left_out: Mapping[str, int] = MappingProxyType({}),
) -> Observed:
    """The newest runs in the records; twice as many if these make a call that the newest ones do not.

    `left_out` is what was left out before, by reason.
    """
    dropped = Counter(left_out)
    whole = _whole(records, counted, dropped)
    kept, more = whole[-newest_runs:], whole[-newest_runs * (MOST_RUNS // NEWEST_RUNS) :]
    if calls(more) > calls(kept):
        kept = more
    for run in whole[: -len(kept)]:
        dropped["of a run before the newest ones"] += _size(run)
    rare = _whole(older, counted, dropped)
    return Observed(tuple(kept), dict(sorted((+dropped).items())), tuple(whole), tuple(rare))


def calls(runs: Iterable[Run]) -> frozenset[str]:
    """The calls, by their edges' ids, that any of the runs made."""
    return frozenset(
        successor.edge
        for run in runs
        for record in run.executions.values()
        for successor in record.successors
        if successor.outcome in TAKEN
    )


def _whole(records: Iterable[RunRecord], counted: RecordFilter, dropped: Counter[str]) -> list[Run]:
    """The whole runs in the records, oldest first; `dropped` counts what is left out, by reason."""
    runs: dict[str, Run] = {}
    for record in sorted(records, key=lambda record: (record.started_at, record.attempt)):
        reason = counted.refusal(record) or _added(record, runs)
        if reason is not None:
            dropped[reason] += 1
    begun = [run for run in runs.values() if run.redirects or counted.graph.entry.name in run.arrivals]
    dropped["of a run whose beginning is not recorded"] += sum(map(_size, runs.values())) - sum(map(_size, begun))
    gaps = {run.run_id: run.gap(counted.graph) for run in begun}
    for run in begun:
        if (gap := gaps[run.run_id]) is not None:
            dropped[f"of a run in which {gap}"] += _size(run)
    return sorted((run for run in begun if gaps[run.run_id] is None), key=lambda run: (run.started_at, run.run_id))


def _size(run: Run) -> int:
    """How many of a run's records count."""
    return len(run.executions) + len(run.redirects)


def _added(record: RunRecord, runs: dict[str, Run]) -> str | None:
    """Add a record, in the order of time, to its run; why an execution does not count, if it does not."""
    run = runs.setdefault(record.run_id, Run(record.run_id))
    if record.redirect:
        run.redirects.append(record)
        return None
    run.arrivals.setdefault(record.node, record)
    if record.error is not None:
        return "of a failed attempt"
    earlier = run.executions.get(record.node)
    run.executions[record.node] = record
    return None if earlier is None else "of an attempt that a later one replaced"


def cpu_utilization(records: Iterable[RunRecord]) -> float:
    """CPU seconds over duration times vCPUs, over all records together, 0 to 1; vCPU = MB / 1769 as Lambda gives."""
    used = available = 0.0
    for record in records:
        used += record.cpu_s
        available += record.duration_s * record.memory_mb / 1769
    return min(max(round(used / available, 4), 0.0), 1.0) if available else 0.0


def seconds(value: float) -> float:
    """Seconds to the microsecond, and none below 0: clocks of two regions differ by a little."""
    return max(round(value, 6), 0.0)


def gigabytes(size_bytes: float) -> float:
    """Bytes as GB of 1024³; exact, since rounding up would count another started KB."""
    return size_bytes / GB
