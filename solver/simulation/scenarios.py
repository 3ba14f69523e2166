"""A problem drawn: S runs of the workflow, before it is said where its nodes run.

Which edges a run takes, which of the observed executions and messages it repeats: all that is drawn once, with the
same numbers for every placement. What remains open is where each node runs; every array here that depends on it
has an axis for the region (R) or for a pair of regions (R, R). Nodes are numbered in topological order, edges and
regions as in the problem. -inf stands for "does not happen": it survives additions and loses every maximum.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from caribou.model.schema.problem import Problem, ProblemEdge, Redirector, Runs, SkipNotice
from caribou.solver.simulation.latency import (
    PINGS_INTO_PLAIN,
    PINGS_INTO_SYNC,
    Geography,
    Latency,
    kb,
    message_latency,
    notice_latency,
)
from caribou.solver.simulation.random_streams import Bools, Floats, Ints, Purpose, RandomStreams

NEVER = -np.inf


@dataclass(frozen=True, slots=True)
class External:
    """Data that executions send to an endpoint outside, `out_gb`, and get from it, `in_gb`: (R, S), or (1, S).

    `place` is the endpoint's region by position; None where it is not known, or where a problem only says what share of
    such data is at home: then both ways are in `out_gb`.
    """

    out_gb: Floats
    in_gb: Floats
    place: int | None

    @property
    def gb(self) -> Floats:
        """Both ways together."""
        return np.asarray(self.out_gb + self.in_gb)


@dataclass(frozen=True, slots=True)
class Starts:
    """Starts of a node's processes: what they take in the mean, `init_s` (R, S), which is billed and draws power.

    `delay_s` (R, S): by how much later than observed an execution begins in a region. `at_home_s` (R,): for
    each moved execution, what those that stay home take more for their starts while the node is in that region.
    """

    init_s: Floats
    delay_s: Floats
    at_home_s: Floats


@dataclass(frozen=True, slots=True)
class NodeRuns:
    """Executions of a node in each region: `duration_s` (R, S), `offset_s` call -> (R, S), and what they exchange.

    Offsets count from when the message arrived, durations from when the process had started.
    """

    duration_s: Floats
    external: tuple[External, ...]
    offset_s: dict[str, Floats]
    starts: Starts | None = None
    waited_s: Floats | float = 0.0
    """Of the durations (S,), what went by waiting for answers to what was sent, where that was observed: `Waits`."""

    @property
    def ends_after_s(self) -> Floats:
        """From when the message arrived to the end of the execution: (R, S)."""
        return self.duration_s if self.starts is None else self.duration_s + self.starts.delay_s

    @property
    def busy_s(self) -> Floats:
        """What is billed and draws power in the region, with the starts of processes, without waits: (R, S)."""
        busy_s = self.duration_s - self.waited_s
        return busy_s if self.starts is None else busy_s + self.starts.init_s

    @property
    def busy_at_home_s(self) -> Floats:
        """What is billed and draws power at home for each execution elsewhere, by the node's region: (R, 1)."""
        return np.zeros((1, 1)) if self.starts is None else self.starts.at_home_s[:, np.newaxis]


@dataclass(frozen=True, slots=True)
class Message:
    """A message from node to node, or a notice that a node won't send one.

    `happens` (S,) says in which runs. It leaves `offset_s[region of source]` (R, S) after its source's start (None:
    at its start) and arrives `latency` later. `payload_gb` (S,) is the data of an edge, 0 for a notice.
    `response_gb` goes back from a sync node, `start_gb` is the message that starts it if this one is the last.
    """

    source: int
    target: int
    happens: Bools
    offset_s: Floats | None
    latency: Latency
    payload_gb: Floats
    response_gb: float = 0.0
    start_gb: float = 0.0


@dataclass(frozen=True, slots=True)
class EntryDraw:
    """How runs begin. All (S,), but `redirector`, `forward_*` None where no run is ever redirected."""

    payload_gb: Floats
    at_function: Bools
    redirector: NodeRuns | None
    forward_gb: Floats | None
    forward_latency: Latency | None


@dataclass(frozen=True)
class Scenarios:
    """The drawn problem. `invoked` (N, S); `edges` and `notices` as messages; `runs` by node."""

    problem: Problem
    streams: RandomStreams
    geography: Geography = field(init=False)
    position: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "geography", geography_of(self.problem))
        object.__setattr__(self, "position", {name: i for i, name in enumerate(self.problem.node_order)})

    @property
    def count(self) -> int:
        """How many runs are drawn."""
        return self.streams.count

    def in_each_world(self, values: Floats) -> Floats:
        """Values of observed runs (..., n), once for each of the worlds in which they run: (..., S)."""
        return values

    @cached_property
    def runs(self) -> tuple[NodeRuns, ...]:
        """The executions of each node, in topological order."""
        return tuple(self._runs_of(name) for name in self.problem.node_order)

    @cached_property
    def taken(self) -> Bools:
        """Whether each edge is taken if its source runs: (E, S)."""
        return np.array(
            [self.streams.uniform(Purpose.EDGE_TAKEN, i) < e.probability for i, e in enumerate(self.problem.edges)]
        ).reshape(len(self.problem.edges), self.count)

    @cached_property
    def invoked(self) -> Bools:
        """Which nodes run: those with at least one edge taken, (N, S). It does not depend on the placement."""
        invoked = np.zeros((len(self.problem.nodes), self.count), dtype=bool)
        invoked[self.position[self.problem.entry.node]] = True
        for name in self.problem.node_order:
            for i in self.problem.out_edges[name]:
                invoked[self.position[self.problem.edges[i].target]] |= invoked[self.position[name]] & self.taken[i]
        return invoked

    @cached_property
    def edges(self) -> tuple[Message, ...]:
        """The messages of the edges, in the problem's order."""
        return tuple(self._edge(i) for i in range(len(self.problem.edges)))

    @cached_property
    def notices(self) -> tuple[Message, ...]:
        """The skip notices that are sent in at least one of the runs."""
        return tuple(
            notice
            for i in range(len(self.problem.edges))
            for notice in (*self._notified_by_caller(i), *self._passed_on(i))
        )

    @cached_property
    def incoming(self) -> tuple[tuple[Message, ...], ...]:
        """For each node what may start it: edges, then notices."""
        everything = (*self.edges, *self.notices)
        return tuple(tuple(m for m in everything if m.target == v) for v in range(len(self.position)))

    @cached_property
    def sync_nodes(self) -> frozenset[int]:
        """The nodes whose edges report to a table."""
        return frozenset(self.position[edge.target] for edge in self.problem.edges if edge.sync is not None)

    @cached_property
    def entry(self) -> EntryDraw:
        """How the runs begin."""
        entry, streams = self.problem.entry, self.streams
        payload = np.asarray(entry.payload_gb)[streams.pick(len(entry.payload_gb), Purpose.ENTRY_PAYLOAD)]
        at_function = streams.uniform(Purpose.PLAN_READ_AT_FUNCTION) < entry.plan_read_at_function_probability
        if entry.redirector is None or not at_function.any():
            return EntryDraw(payload, at_function, None, None, None)
        return self._redirected(entry.redirector, payload, at_function)

    def _redirected(self, redirector: Redirector, payload: Floats, at_function: Bools) -> EntryDraw:
        uniform = self.streams.uniform(Purpose.REDIRECTOR_RUN)
        home = self.problem.home_region
        runs = _runs({home: redirector.runs[home]}, uniform, self._source_regions({home: redirector.runs[home]}))
        sizes = np.concatenate([transfers.payload_gb for transfers in redirector.transfers.values()])
        forward = sizes[self.streams.pick(len(sizes), Purpose.REDIRECTOR_PAYLOAD)]
        latency = message_latency(
            redirector.transfers,
            forward,
            self.streams.uniform(Purpose.REDIRECTOR_LATENCY),
            self.geography,
            PINGS_INTO_PLAIN,
        )
        return EntryDraw(payload, at_function, runs, forward, latency)

    def _runs_of(self, name: str) -> NodeRuns:
        node = self.problem.nodes[name]
        calls = [self.problem.edges[i].call_key for i in self.problem.out_edges[name]]
        if not node.runs:  # only where no run ever invokes it
            nothing = np.zeros((len(self.geography.names), self.count))
            return NodeRuns(nothing, (), dict.fromkeys(calls, nothing))
        uniform = self.streams.uniform(Purpose.NODE_RUN, list(self.problem.nodes).index(name))
        return _runs(node.runs, uniform, self._source_regions(node.runs))

    def _source_regions(self, runs: dict[str, Runs]) -> list[tuple[str, float]]:
        """For each region the one whose observations serve it, and the factor on their times."""
        home = self.problem.home_region
        base = home if home in runs else max(runs, key=lambda region: len(runs[region].duration_s))
        speed = {name: region.relative_run_time for name, region in self.problem.regions.items()}
        return [(r, 1.0) if r in runs else (base, speed[r] / speed[base]) for r in self.geography.names]

    def _edge(self, index: int) -> Message:
        edge = self.problem.edges[index]
        source, target = self.position[edge.source], self.position[edge.target]
        happens = self.invoked[source] & self.taken[index]
        payload, latency = self._transfer(index, edge)
        return Message(
            source,
            target,
            happens,
            self.runs[source].offset_s[edge.call_key],
            latency,
            np.where(happens, payload, 0.0),
            edge.sync.response_gb if edge.sync else 0.0,
            edge.sync.message_gb if edge.sync else 0.0,
        )

    def _transfer(self, index: int, edge: ProblemEdge) -> tuple[Floats, Latency]:
        if not edge.transfers:  # only where the edge is never taken
            regions = len(self.geography.names)
            nowhere = np.zeros((regions, regions))
            never = np.zeros(self.count)
            return never, Latency(never[np.newaxis], nowhere.astype(np.intp), nowhere)
        sizes = np.concatenate([transfers.payload_gb for transfers in edge.transfers.values()])
        payload = sizes[self.streams.pick(len(sizes), Purpose.EDGE_PAYLOAD, index)]
        uniform = self.streams.uniform(Purpose.EDGE_LATENCY, index)
        pings = PINGS_INTO_PLAIN if edge.sync is None else PINGS_INTO_SYNC
        return payload, message_latency(edge.transfers, payload, uniform, self.geography, pings)

    def _notified_by_caller(self, index: int) -> list[Message]:
        """The notices that the source of an edge sends when it runs and does not take the edge."""
        edge = self.problem.edges[index]
        source = self.position[edge.source]
        happens = self.invoked[source] & ~self.taken[index]
        if not happens.any():  # a notice that nobody ever sends may lack a latency
            return []
        offset = self.runs[source].offset_s[edge.call_key]
        return [self._notice(index, j, notice, happens, offset) for j, notice in enumerate(edge.on_skip)]

    def _passed_on(self, index: int) -> list[Message]:
        """The notices that follow an edge out of a sync node which is skipped itself: all its edges were.

        They leave when the last notice has come in, which is what `start` is of a sync node that does not run.
        """
        source = self.position[self.problem.edges[index].source]
        if source not in self.sync_nodes or self.invoked[source].all():
            return []
        notices = self.problem.edges[index].on_skip or self._derived_notices(index)
        return [self._notice(index, j, notice, ~self.invoked[source], None) for j, notice in enumerate(notices)]

    def _derived_notices(self, index: int) -> list[SkipNotice]:
        """Notices of an edge that its caller never skips: as large as its join, as fast as its messages."""
        ends = [self.problem.edges[i] for i in self.problem.edges_ended_by_skip(index)]
        return [
            SkipNotice(
                predecessor=end.source,
                sync_node=end.target,
                response_gb=end.sync.response_gb,
                message_gb=end.sync.message_gb,
                transfers={},
            )
            for end in ends
            if end.sync is not None
        ]

    def _notice(self, index: int, place: int, notice: SkipNotice, happens: Bools, offset: Floats | None) -> Message:
        uniform = self.streams.uniform(Purpose.NOTICE_LATENCY, index, place)
        size_gb = float(kb(notice.message_gb)) / 1024**2
        same = (e for e in self.problem.edges if (e.source, e.target) == (notice.predecessor, notice.sync_node))
        edge = next(e for e in same)
        edge_latency = None
        if edge.transfers:
            sizes = np.full(self.count, size_gb)
            edge_latency = message_latency(edge.transfers, sizes, uniform, self.geography, PINGS_INTO_SYNC)
        samples = {pair: transfers.latency_s for pair, transfers in notice.transfers.items()}
        return Message(
            self.position[self.problem.edges[index].source],
            self.position[notice.sync_node],
            happens,
            offset,
            notice_latency(samples, edge_latency, uniform, self.geography),
            np.zeros(self.count),
            notice.response_gb,
            size_gb,
        )


def geography_of(problem: Problem) -> Geography:
    """The problem's regions, numbered as they stand in it, with the means of their pings."""
    names = tuple(problem.regions)
    ping_s = np.array([[np.mean(problem.ping_s[a][b]) for b in names] for a in names])
    return Geography(names, names.index(problem.home_region), ping_s)


def _runs(runs: dict[str, Runs], uniform: Floats, sources: list[tuple[str, float]]) -> NodeRuns:
    rows: dict[str, Ints] = {region: (uniform * len(seen.duration_s)).astype(np.intp) for region, seen in runs.items()}

    def stacked(values: dict[str, tuple[float, ...]], *, scaled: bool) -> Floats:
        drawn = {region: np.asarray(values[region])[rows[region]] for region in runs}
        return np.array([drawn[source] * (factor if scaled else 1.0) for source, factor in sources])

    keys = next(iter(runs.values())).call_offset_s
    nothing = {region: (0.0,) * len(seen.duration_s) for region, seen in runs.items()}
    external_gb = stacked({r: seen.external_data_gb or nothing[r] for r, seen in runs.items()}, scaled=False)
    return NodeRuns(
        stacked({region: seen.duration_s for region, seen in runs.items()}, scaled=True),
        (External(external_gb, np.zeros_like(external_gb), None),),
        {key: stacked({r: seen.call_offset_s[key] for r, seen in runs.items()}, scaled=True) for key in keys},
    )
