"""When things happen in a run of a placement, for many runs and many placements at once.

Notation: start(v) and end(v) of node v in seconds, call(e) when edge e = (u, v) is called, arrive(e) its message.

    call(e)   = start(u) + offset(e, r(u))            arrive(e) = call(e) + latency(e, r(u), r(v))
    start(v)  = the latest arrival among v's messages and notices; a sync node waits for all of them
    end(v)    = start(v) + duration(v, r(v))          run time  = the latest end among the nodes that run

What does not happen in a run is at -inf. Two parts of carbon and cost depend on the order of events: the message
that starts a sync node is sent by whoever comes last, and, in problems without rows, every write to its table is as
large as what came before. A third, the run's item, on the placement as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from caribou.model.bill import Priced
from caribou.solver.simulation.billed import RunItems
from caribou.solver.simulation.carbon_and_cost import Rates
from caribou.solver.simulation.first_bill import least_requests, least_write_units, message_requests
from caribou.solver.simulation.latency import kb
from caribou.solver.simulation.random_streams import Floats, Ints
from caribou.solver.simulation.scenarios import NEVER, Message, Scenarios
from caribou.solver.simulation.waits import Waits

Winners = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Delay:
    """From the start of a message's source to its arrival: `seconds[row[a, b]] + shift[a, b]`; (K, S), (R, R)."""

    seconds: Floats
    row: Ints
    shift: Floats

    @classmethod
    def of(cls, message: Message) -> Delay:
        """The offset and the latency as one table, with a row for each combination that occurs."""
        latency = message.latency
        if message.offset_s is None:
            return cls(np.where(message.happens, latency.seen, NEVER), latency.row, latency.shift)
        regions = len(latency.row)
        offset, offset_row = _distinct(message.offset_s)
        codes = offset_row[:, np.newaxis] * len(latency.seen) + latency.row
        used, row = np.unique(codes, return_inverse=True)
        seconds = offset[used // len(latency.seen)] + latency.seen[used % len(latency.seen)]
        return cls(np.where(message.happens, seconds, NEVER), row.reshape(regions, regions), latency.shift)

    @property
    def least(self) -> Floats:
        """The shortest delay between any two regions, in each run: (S,)."""
        rows = [self.seconds[row] + self.shift[self.row == row].min() for row in np.unique(self.row)]
        return np.asarray(np.min(rows, axis=0))

    def after(self, start: Floats, source: Ints, target: Ints) -> Floats:
        """Arrivals (B, S), given starts (B, S) and the regions of both ends (B,)."""
        arrival = self.seconds[self.row[source, target]]
        arrival += start
        arrival += self.shift[source, target][:, np.newaxis]
        return arrival


def _distinct(rows: Floats) -> tuple[Floats, Ints]:
    """The distinct rows of an array (n, S), and which of them each row is: (n,)."""
    known: dict[bytes, int] = {}
    positions = np.array([known.setdefault(row.tobytes(), len(known)) for row in rows], dtype=np.intp)
    return rows[np.unique(positions, return_index=True)[1]], positions


@dataclass(frozen=True, slots=True)
class Timeline:
    """Run times `runtime_s` (B, S); for each sync node who came last (B, S), and write units (B, S) above the least."""

    runtime_s: Floats
    last: dict[int, Winners]
    write_units: dict[int, Floats]


@dataclass(frozen=True)
class Timing:
    """The timing of a drawn problem."""

    scenarios: Scenarios
    redirected: NDArray[np.bool_]

    def of(self, places: Ints) -> Timeline:
        """The timeline of placements (B, N)."""
        starts: list[Floats] = []
        last: dict[int, Winners] = {}
        runtime = self.entry_end[places[:, 0]]
        for node in range(places.shape[1]):
            start, last_here = self._start(node, places, starts)
            starts.append(start)
            np.maximum(runtime, start + self.durations[node][places[:, node]], out=runtime)
            if last_here is not None:
                last[node] = last_here
        drawn = self.scenarios.problem.runs is None
        units = {node: self._write_units(node, places, starts) for node in last if drawn}
        return Timeline(runtime, last, units)

    def _start(self, node: int, places: Ints, starts: Sequence[Floats]) -> tuple[Floats, Winners | None]:
        if node == 0:
            return self.entry_start[places[:, 0]], None
        arrivals = (
            delay.after(starts[message.source], places[:, message.source], places[:, node])
            for message, delay in zip(self.scenarios.incoming[node], self.delays[node], strict=True)
        )
        latest = next(arrivals)
        if node not in self.scenarios.sync_nodes:
            return latest, None
        last = np.zeros(latest.shape, dtype=np.int16)
        for position, arrival in enumerate(arrivals, start=1):
            np.copyto(last, np.int16(position), where=arrival > latest)
            np.maximum(latest, arrival, out=latest)
        return latest, last

    def _write_units(self, node: int, places: Ints, starts: Sequence[Floats]) -> Floats:
        """Table units of the writes to a sync node's item, each as large as the item then is: (B, S)."""
        edges = [edge for edge in self.scenarios.edges if edge.target == node]
        calls = [self._call(edge, places, starts) for edge in edges]
        sizes = [np.broadcast_to(edge.payload_gb, calls[0].shape).copy() for edge in edges]
        for i, j in combinations(range(len(edges)), 2):
            first = calls[i] <= calls[j]
            sizes[j] += np.where(first, edges[i].payload_gb, 0.0)
            sizes[i] += np.where(first, 0.0, edges[j].payload_gb)
        units = sum(kb(size) * edge.happens for size, edge in zip(sizes, edges, strict=True))
        return np.asarray(units - self._least_write_units[node])

    def _call(self, edge: Message, places: Ints, starts: Sequence[Floats]) -> Floats:
        assert edge.offset_s is not None
        return np.asarray(starts[edge.source] + edge.offset_s[places[:, edge.source]])

    @cached_property
    def fastest_s(self) -> float:
        """No placement's mean run time is below it: in each run, every step in whatever regions are fastest for it."""
        starts = [self.entry_start.min(axis=0)]
        for node in range(1, len(self.delays)):
            messages = zip(self.scenarios.incoming[node], self.delays[node], strict=True)
            starts.append(np.max([starts[message.source] + delay.least for message, delay in messages], axis=0))
        ends = [start + duration.min(axis=0) for start, duration in zip(starts, self.durations, strict=True)]
        return float(np.max(ends, axis=0).mean())

    @cached_property
    def _least_write_units(self) -> dict[int, Floats]:
        return {node: least_write_units(self.scenarios.incoming[node]) for node in self.scenarios.sync_nodes}

    @cached_property
    def delays(self) -> tuple[tuple[Delay, ...], ...]:
        """The delay of each message that may start a node, by node."""
        return tuple(tuple(Delay.of(message) for message in messages) for messages in self.scenarios.incoming)

    @cached_property
    def durations(self) -> tuple[Floats, ...]:
        """How long after its message each node ends, by its region (R, S), by node."""
        pairs = zip(self.scenarios.runs, self.scenarios.invoked, strict=True)
        return tuple(np.where(invoked, runs.ends_after_s, NEVER) for runs, invoked in pairs)

    @cached_property
    def entry_start(self) -> Floats:
        """When the entry node starts, by its region (R, S): at 0, or when the redirector's message arrives."""
        entry, home = self.scenarios.entry, self.scenarios.geography.home
        if entry.redirector is None or entry.forward_latency is None:
            return np.zeros(self.redirected.shape)
        latency = entry.forward_latency
        offset = next(iter(entry.redirector.offset_s.values()))[home]
        arrival = offset + latency.seen[latency.row[home]] + latency.shift[home][:, np.newaxis]
        return np.where(self.redirected, arrival, 0.0)

    @cached_property
    def entry_end(self) -> Floats:
        """When the redirector ends, by the entry node's region (R, S)."""
        redirector = self.scenarios.entry.redirector
        if redirector is None:
            return np.zeros(self.redirected.shape)
        return np.where(self.redirected, redirector.duration_s[self.scenarios.geography.home], 0.0)


@dataclass(frozen=True)
class Joins:
    """Carbon and cost of what no sum over nodes and pairs has: what depends on the order of events, and `waits`.

    `run_items` are those of observed runs, whose cost exceeds the least with the regions that a placement names.
    """

    timing: Timing
    rates: Rates
    run_items: RunItems | None = None
    waits: Waits | None = None

    def usd(self, places: Ints, timeline: Timeline) -> Floats:
        """Cost (B, S) of the message of whoever came last and of the writes, beyond the least that they may cost."""
        total, write_usd = np.zeros_like(timeline.runtime_s), self.rates.usd[Priced.WRITE]
        for node, units in timeline.write_units.items():
            total += write_usd[places[:, node]][:, np.newaxis] * units
        for node, last in timeline.last.items():
            total += self._by_last(node, last, self._message_usd(node, places))
        if self.run_items is not None:
            home = self.timing.scenarios.geography.home
            total += write_usd[home] * self.run_items.more(places, home)
        return total if self.waits is None else total + self.waits.usd(places)

    def grams(self, places: Ints, timeline: Timeline, hours: Ints) -> Floats:
        """Carbon (H, S) of the messages that start sync nodes, of one placement (1, N) at some hours."""
        total = np.zeros((len(hours), timeline.runtime_s.shape[1]))
        for node, last in timeline.last.items():
            grams = self._message_grams(node, places)[hours, 0]
            total += grams[:, last[0]] * self.timing.scenarios.invoked[node]
        return total if self.waits is None else total + self.waits.grams(places, self.rates.intensity[hours])

    def mean_grams(self, places: Ints, timeline: Timeline) -> Floats:
        """The mean of the same at every hour: (B, H)."""
        total = np.zeros((len(places), len(self.rates.intensity)))
        for node, last in timeline.last.items():
            invoked = self.timing.scenarios.invoked[node]
            for position, grams in enumerate(np.moveaxis(self._message_grams(node, places), 2, 0)):
                share = np.count_nonzero((last == position) & invoked, axis=1) / last.shape[1]
                total += (grams * share).T
        return total if self.waits is None else total + self.waits.mean_grams(places, self.rates.intensity)

    def _message_usd(self, node: int, places: Ints) -> Floats:
        """Cost (B, M) of each message that may start the node, beyond the requests of the smallest."""
        here, least = places[:, node], least_requests(self.timing.scenarios.incoming[node])
        return np.stack(
            [
                self.rates.usd[Priced.MESSAGE][here] * (float(message_requests(m.start_gb)) - least)
                + m.start_gb * self.rates.egress[places[:, m.source], here]
                for m in self.timing.scenarios.incoming[node]
            ],
            axis=1,
        )

    def _message_grams(self, node: int, places: Ints) -> Floats:
        """Carbon (H, B, M) of each message that may start the node."""
        per_gb = self.rates.per_gb
        messages = self.timing.scenarios.incoming[node]
        return np.stack([m.start_gb * per_gb[:, places[:, m.source], places[:, node]] for m in messages], axis=2)

    def _by_last(self, node: int, last: Winners, values: Floats) -> Floats:
        chosen = np.take_along_axis(values, last.astype(np.intp), axis=1)
        return np.asarray(chosen * self.timing.scenarios.invoked[node])
