"""What observed runs are billed for beside execution and egress: counted by the table of `caribou.model.bill`.

Notation: units(s, u) = max(1, ceil(s / u)). Of each event there is a call or two, of a size that the problem has; what
they count is in units of the node's region, of home, or of an endpoint's. Of a run's item the map of regions grows with
every node that is away,

    m = sum over nodes away (length of name and region + 8), but at least 2
    units of the run's item = 2 * sum over its writes units(item + m + (input if m <= room else 0), 1 KB)

so they depend on the placement as a whole. The tables of means count the least that they can be, and `RunItems.more`
what comes on top of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from caribou.model.bill import EVENTS, INDEXED, KB, Event, Priced
from caribou.model.schema.problem import Exchanges, Problem, ProblemNode, Transfers
from caribou.solver.simulation.random_streams import Bools, Floats, Ints, Purpose
from caribou.solver.simulation.scenarios import Message, Scenarios

GB = 1024.0**3
OBJECTS = "s3"
"""The service whose calls are billed as requests for objects."""
_EMPTY_MAP, _PAIR = 2, 8
"""Bytes of `{}`, and of what a node and its region add to it beside their names."""

Amounts = Mapping[Priced, Floats]
"""How many units of what is priced, run by run: (S,)."""


@dataclass
class _Count:
    """Amounts that grow, event by event."""

    runs: int
    amounts: dict[Priced, Floats] = field(default_factory=dict)

    def add(self, event: Event, happens: Floats | Bools | float, size_bytes: Floats | float = 0.0) -> None:
        """Count an event in the runs in which it happens, so often, of a size."""
        for call in EVENTS[event]:
            size = np.asarray(size_bytes, dtype=np.float64)
            started = np.ceil(size / call.bytes_a_unit) if call.bytes_a_unit else np.ones_like(size)
            self.more(call.priced, np.maximum(started, 1.0) * call.times * np.asarray(happens, dtype=np.float64))

    def more(self, priced: Priced, amount: Floats | float) -> None:
        """Add an amount."""
        self.amounts[priced] = np.asarray(self.amounts.get(priced, np.zeros(self.runs)) + amount)


@dataclass(frozen=True)
class Billed:
    """What the runs of a problem are billed for, by where: at a node's region, at home, at an endpoint's."""

    scenarios: Scenarios

    def at_node(self, node: int) -> Amounts:
        """What counts in the region of a node: its claim, what is sent and reported to it, and what it logs."""
        scenarios, count = self.scenarios, _Count(self.scenarios.count)
        facts = scenarios.problem.nodes[scenarios.problem.node_order[node]]
        ran = scenarios.invoked[node]
        if facts.claim_bytes != 0:
            count.add(Event.CLAIMED, ran, facts.claim_bytes or 0)
        count.more(Priced.LOG, ran * (facts.log_bytes or 0.0) / GB)
        for index, edge in enumerate(scenarios.edges):
            if edge.target == node:
                self._sent(index, edge, count)
        if node in scenarios.sync_nodes:
            self._joined(node, count)
        return count.amounts

    def at_home(self) -> Amounts:
        """What counts at home whatever the placement: the client's message, and the least of the run's item."""
        entry, count = self.scenarios.problem.entry, _Count(self.scenarios.count)
        payload, sent = self._sizes_at_entry(entry.sent_gb)
        count.add(Event.STARTED, 1.0, sent)
        count.add(Event.STORED, sent < payload)
        count.more(Priced.WRITE, self.run_items.least)
        return count.amounts

    def forwarded(self) -> tuple[Amounts, Amounts]:
        """What counts more if the entry node is away: in its region, and at home, where the entry logs a record too."""
        there, home = _Count(self.scenarios.count), _Count(self.scenarios.count)
        payload, sent = self._sizes_at_entry(self.scenarios.problem.entry.forwarded_gb)
        there.add(Event.FORWARDED, 1.0, sent)
        there.add(Event.STORED, sent < payload)
        home.more(Priced.LOG, (self._entry.log_bytes or 0.0) / GB)
        return there.amounts, home.amounts

    @property
    def collected_of_hop(self) -> float:
        """Write units of the control plane's table: the record of the home entry's hop, as large as the entry's."""
        return self._entry.collected_units or 0.0

    def collected(self) -> Floats:
        """Write units (S,) of the control plane's table: the records of a run's nodes."""
        nodes = self.scenarios.problem.nodes
        each = [nodes[name].collected_units or 0.0 for name in self.scenarios.problem.node_order]
        return np.asarray(np.array(each) @ self.scenarios.invoked)

    def endpoints_usd(self, node: int, usd: Mapping[Priced, Floats], home: int) -> Floats:
        """Cost (S,) of a node's requests for objects, at their region's price, at home's where it is not known."""
        problem, regions = self.scenarios.problem, list(self.scenarios.problem.regions)
        total = np.zeros(_runs(problem))
        for runs in problem.nodes[problem.node_order[node]].runs.values():
            for name, exchanged in (runs.external or {}).items():
                endpoint = problem.endpoints[name]
                if endpoint.service == OBJECTS and runs.run is not None:
                    at = regions.index(endpoint.region) if endpoint.region in regions else home
                    puts, gets = requests_for_objects(exchanged)
                    total[list(runs.run)] += puts * usd[Priced.PUT][at] + gets * usd[Priced.GET][at]
        return self.scenarios.in_each_world(total)

    @property
    def _entry(self) -> ProblemNode:
        return self.scenarios.problem.nodes[self.scenarios.problem.entry.node]

    @cached_property
    def run_items(self) -> RunItems:
        """The runs' items."""
        return RunItems.of(self.scenarios)

    def _sent(self, index: int, edge: Message, count: _Count) -> None:
        """What is counted of an edge where it leads to: a message, or the item of a payload."""
        sent = self._sent_bytes(index)
        stored = edge.happens & (sent < np.rint(edge.payload_gb * GB))
        sync = self.scenarios.problem.edges[index].sync is not None
        count.add(Event.KEPT if sync else Event.SENT, edge.happens, sent)
        count.add(Event.STORED, stored)

    def _joined(self, node: int, count: _Count) -> None:
        """What is counted of a sync node: reports, which come in every run, the message that starts it, its read."""
        facts = self.scenarios.problem.nodes[self.scenarios.problem.node_order[node]]
        edges = [i for i, edge in enumerate(self.scenarios.edges) if edge.target == node]
        states = facts.report_bytes or (0,) * len(edges)
        for state in states:
            count.add(Event.REPORTED, 1.0, state)
        ran = self.scenarios.invoked[node]
        kept = sum(self._sent_bytes(i) * self.scenarios.edges[i].happens for i in edges)
        count.add(Event.FIRED, ran, min(m.start_gb for m in self.scenarios.incoming[node]) * GB)
        count.add(Event.READ, ran, kept + states[-1])

    def _sent_bytes(self, index: int) -> Floats:
        """What was sent along an edge in each run (S,); as another run's message where this one's is not known."""
        edge, streams = self.scenarios.problem.edges[index], self.scenarios.streams
        columns = [(seen, _sent_in(seen)) for seen in edge.transfers.values()]
        if not columns:
            return np.zeros(self.scenarios.count)
        every = np.concatenate([sent for _, sent in columns])
        own = np.full(_runs(self.scenarios.problem), np.nan)
        for seen, sent in columns:
            own[list(seen.run or ())] = sent
        own, drawn = self.scenarios.in_each_world(own), every[streams.pick(len(every), Purpose.EDGE_PAYLOAD, index)]
        return np.where(np.isnan(own), drawn, own)

    def _sizes_at_entry(self, sent_gb: Sequence[float] | None) -> tuple[Floats, Floats]:
        """Bytes of the clients' payloads, and of the messages that carry them; as large where that is not said."""
        payload_gb = self.scenarios.problem.entry.payload_gb
        payload, sent = (np.rint(np.asarray(gb) * GB) for gb in (payload_gb, sent_gb or payload_gb))
        return self.scenarios.in_each_world(payload), self.scenarios.in_each_world(sent)


@dataclass(frozen=True, slots=True)
class RunItems:
    """The runs' items: sizes of W writes (S, W), as many as the longest has, and which of them there are.

    `input_bytes` (S,) come on top while the map has no more than `room_bytes` (S,). `names` are the lengths of nodes'
    and regions' names.
    """

    item_bytes: Floats
    there: Bools
    input_bytes: Floats
    room_bytes: Floats
    names: tuple[Ints, Ints]
    known: dict[int, Floats] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, scenarios: Scenarios) -> RunItems:
        """The items of observed runs; of items of no known size a write when it begins, and one at its end."""
        problem = scenarios.problem
        assert problem.runs is not None
        runs = _runs(problem)
        sizes = problem.runs.item_bytes or ((0, 0),) * runs
        longest = max(map(len, sizes))
        padded = np.array([[*row, *(0,) * (longest - len(row))] for row in sizes], dtype=np.float64)
        there = np.arange(longest) < np.array([len(row) for row in sizes])[:, np.newaxis]
        each = scenarios.in_each_world
        return cls(
            each(padded.T).T,
            each(there.T.astype(np.float64)).T > 0,
            each(np.asarray(problem.runs.input_bytes or np.zeros(runs), dtype=np.float64)),
            each(np.asarray(problem.runs.input_room_bytes or np.zeros(runs), dtype=np.float64)),
            (_lengths(problem.node_order), _lengths(problem.regions)),
        )

    @property
    def least(self) -> Floats:
        """The fewest units (S,) that any placement may make of them: the map is empty, and no input is kept."""
        return self._units(np.zeros(len(self.item_bytes)) + _EMPTY_MAP)

    def more(self, places: Ints, home: int) -> Floats:
        """Units (B, S) of placements beyond the least."""
        nodes, regions = self.names
        away = places != home
        maps = np.maximum(((nodes + regions[places] + _PAIR) * away).sum(axis=1), _EMPTY_MAP)
        return np.array([self._beyond(int(size)) for size in maps])

    def _beyond(self, map_bytes: int) -> Floats:
        if map_bytes not in self.known:
            kept = np.where(map_bytes <= self.room_bytes, self.input_bytes, 0.0)
            self.known[map_bytes] = self._units(kept + map_bytes) - self.least
        return self.known[map_bytes]

    def _units(self, more_bytes: Floats) -> Floats:
        units = np.maximum(np.ceil((self.item_bytes + more_bytes[:, np.newaxis]) / KB), 1.0)
        return np.asarray(INDEXED * (units * self.there).sum(axis=1))


def requests_for_objects(exchanged: Exchanges) -> tuple[Floats, Floats]:
    """Writes and reads among the calls of each execution.

    Where that was not recorded, by halves if data went both ways, else by which way it went: what an object's write
    answers and its read asks has no body.
    """
    calls = np.asarray(exchanged.calls, dtype=np.float64)
    if exchanged.puts is not None:
        return np.asarray(exchanged.puts, dtype=np.float64), calls - exchanged.puts
    out, back = np.asarray(exchanged.gb_out) > 0, np.asarray(exchanged.gb_in) > 0
    puts = np.where(out & back, calls / 2, np.where(out, calls, 0.0))
    return puts, calls - puts


def _runs(problem: Problem) -> int:
    """How many were observed."""
    assert problem.runs is not None
    return len(problem.runs.id)


def _sent_in(seen: Transfers) -> Floats:
    return np.rint(np.asarray(seen.payload_gb if seen.sent_gb is None else seen.sent_gb) * GB)


def _lengths(names: Sequence[str] | Mapping[str, object]) -> Ints:
    return np.array([len(name) for name in names], dtype=np.intp)
