"""A problem whose rows are runs: nothing is drawn but what a run does not say.

A scenario is an observed run with everything in it: which edges it took, how long its nodes ran, what they exchanged,
how long its messages travelled. A placement changes of it what it changes, o being where something was observed:

    duration(v, r)      = d * factor(v, r) / factor(v, o) + farther(v, r)
    farther(v, r)       = sum over endpoints e   rounds * (ping(r, e) - ping(o, e))
                          of a leaf, which notes its end at home: + 2 * (ping(r, home) - ping(o, home))
    call(e, r)          = offset * (u * factor(v, r) / factor(v, o) + farther(v, r)) / u       u: its last call's offset
    overhead(u, v)      = l - k * ping(o_u, o_v)                            k = 1/2, of a report 5/2, of a notice 3/2
    latency(u, v; a, b) = overhead(u, v) + k * ping(a, b)
    start(v, r)         later by a cold start, where r has more of them than o

So a placement that leaves all as it was scores as the run did. The last call is sent when user code has returned, so
what comes after it is the sends', and not farther from any endpoint. `rounds` are the round trips of the calls to an
endpoint: those that were counted, else 3 a call, and one more for each doubling of what TCP sends at once, from 14.6
KB; but no more than the seconds that were observed have room for. Factors are in `region_speed`, cold starts in
`cold_starts`. Where a run lacks something (a message that came late for an outage, a hop of the entry that was never
moved), another run's stands in, drawn independently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from caribou.model.schema.problem import Exchanges, ProblemEdge, Runs, SkipNotice, Transfers
from caribou.solver.simulation.cold_starts import ColdStarts, Executions, Stay
from caribou.solver.simulation.latency import KB_PER_GB, PINGS_INTO_PLAIN, Latency
from caribou.solver.simulation.random_streams import Bools, Floats, Ints, Purpose
from caribou.solver.simulation.region_speed import RegionSpeed, region_chance
from caribou.solver.simulation.scenarios import EntryDraw, External, Message, NodeRuns, Scenarios, Starts
from caribou.solver.simulation.waits import TRIPS_OF_MESSAGE, trips_of

TRIPS_A_CALL = 3
"""Where nobody has counted: a new connection takes a round trip, its encryption another, request and answer one."""
INITIAL_WINDOW_KB = 14.6
"""What TCP sends before it waits for the first acknowledgement: ten segments of 1,460 bytes (RFC 6928)."""
PINGS_OF_MESSAGE = 0.5
"""A topic has a message when half of the publish's round trip is over; nobody waits for the answer to it."""
PINGS_OF_REPORT = 2 + PINGS_OF_MESSAGE
"""One puts the payload, one reports, and who reports last sends the message that starts the sync node."""
PINGS_OF_NOTICE = 1 + PINGS_OF_MESSAGE
PINGS_OF_END = 2.0
"""A leaf notes in the run item, at home, that it has ended, and the last one ends the run. It waits for both."""
_NOWHERE = -1


@dataclass(frozen=True, slots=True)
class _Row:
    """Something that was observed, run by run (S,): whether, and where in which list."""

    seen: Bools
    region: Ints
    place: Ints


@dataclass(frozen=True)
class ObservedScenarios(Scenarios):
    """The runs of a problem of the second schema, n, each once in each of the `worlds`.

    There is one world to choose a placement in, where no region is faster or slower than is likely. In others they are
    as fast as they may be.
    """

    worlds: int = 1

    @property
    def observed(self) -> int:
        """How many runs were observed: n."""
        return self.count // self.worlds

    def in_each_world(self, values: Floats) -> Floats:
        """Values of observed runs (..., n), once for each of the worlds in which they run: (..., S)."""
        return np.tile(values, self.worlds)

    @cached_property
    def invoked(self) -> Bools:
        """Which nodes ran, (N, S)."""
        return np.array([self._executions(name).seen for name in self.problem.node_order])

    @cached_property
    def taken(self) -> Bools:
        """Which edges were taken, (E, S)."""
        taken = np.zeros((len(self.problem.edges), self.observed), dtype=bool)
        for index, edge in enumerate(self.problem.edges):
            taken[index, list(edge.taken or ())] = True
        return np.tile(taken, self.worlds)

    @cached_property
    def entry(self) -> EntryDraw:
        """How the runs begin: what the clients sent, and the hop of an entry that is elsewhere."""
        drawn = super().entry
        forward = drawn.forward_latency
        return EntryDraw(
            np.tile(np.asarray(self.problem.entry.payload_gb), self.worlds),
            drawn.at_function,
            drawn.redirector,
            drawn.forward_gb,
            None if forward is None else replace(forward, shift=forward.shift * PINGS_OF_MESSAGE / PINGS_INTO_PLAIN),
        )

    def _runs_of(self, name: str) -> NodeRuns:
        node, rows = self.problem.nodes[name], self._executions(name)
        calls = [self.problem.edges[i].call_key for i in self.problem.out_edges[name]]
        regions = len(self.geography.names)
        if not rows.seen.any():
            nothing = np.zeros((regions, self.count))
            return NodeRuns(nothing, (), dict.fromkeys(calls, nothing))
        duration = self._gathered({region: runs.duration_s for region, runs in node.runs.items()}, rows)
        farther, external = self._exchanged(node.runs, rows)
        if not calls:
            farther += self._end_farther(rows)
        faster = self._faster(duration, farther, rows)
        stretch = self._stretched(node.runs, rows, faster, farther)
        starts = self._cold_starts(name, rows)
        delay_s = starts.delays_s(self.streams.uniform(Purpose.COLD_START, self.position[name]))
        offsets = {
            key: delay_s + self._gathered({r: runs.call_offset_s[key] for r, runs in node.runs.items()}, rows) * stretch
            for key in calls
        }
        stay = self.problem.entry.stays_home_share
        at_home_s = starts.at_home * starts.mean_s * stay / (1 - stay)
        return NodeRuns(
            np.maximum(duration * faster + farther, 0.0),
            external,
            offsets,
            Starts(starts.expected_s, delay_s, at_home_s),
            self._waited_s(name, rows),
        )

    def _waited_s(self, name: str, rows: _Row) -> Floats:
        """How long a node waited for answers to what it sent, where that was observed: (S,), see `waits`."""
        waited, ping_s, home = np.zeros(self.count), self.geography.ping_s, self.geography.home
        for index in self.problem.out_edges[name]:
            edge = self.problem.edges[index]
            ends = [(edge.target, trips_of(edge), rows.seen & self.taken[index])]
            ends += [(notice.sync_node, TRIPS_OF_MESSAGE, rows.seen & ~self.taken[index]) for notice in edge.on_skip]
            for target, times, happens in ends:
                at = self._executions(target)
                longer = times * ping_s[np.where(happens, rows.region, home), np.where(at.seen, at.region, home)]
                waited = np.maximum(waited, longer * happens)
        return waited

    def _stretched(self, runs: Mapping[str, Runs], rows: _Row, faster: Floats, farther: Floats) -> Floats:
        """By what the time before a node's calls grows: (R, S)."""
        last = {r: np.max(list(seen.call_offset_s.values()), axis=0) for r, seen in runs.items() if seen.call_offset_s}
        until_s = self._gathered(last, rows)
        moved = np.maximum(until_s * faster + farther, 0.0)
        return np.divide(moved, until_s, out=np.zeros_like(moved), where=until_s > 0)

    def _end_farther(self, rows: _Row) -> Floats:
        """Seconds (R, S) that a leaf's notes of its end take more than where they were observed."""
        to = self.geography.ping_s[:, self.geography.home]
        return np.asarray(
            PINGS_OF_END * (to[:, np.newaxis] - to[np.where(rows.seen, rows.region, self.geography.home)])
        )

    def _faster(self, duration: Floats, farther: Floats, rows: _Row) -> Floats:
        """By what a node's run times are multiplied in each region: (R, S)."""
        once = slice(self.observed)
        seen, region = rows.seen[once], rows.region[once]
        home = self.geography.home
        base = home if (region == home).any() else int(np.bincount(region[seen]).argmax())
        near = duration[once] + farther[base, once]
        relative = np.array([facts.relative_run_time for facts in self.problem.regions.values()])
        speed = RegionSpeed.assumed(relative, base).observing(near[seen], region[seen], base)
        return speed.factors(np.where(rows.seen, rows.region, base), self._region_chance)

    @cached_property
    def _region_chance(self) -> Floats:
        """How fast the regions are in each run's world, in standard deviations (R, S); worlds come in opposites."""
        half = region_chance((self.worlds + 1) // 2, self.geography.names)
        worlds = np.concatenate([half, -half])[: self.worlds] if self.worlds > 1 else np.zeros_like(half)
        return np.repeat(worlds.T, self.observed, axis=1)

    def _cold_starts(self, name: str, rows: _Row) -> ColdStarts:
        init_s = self._gathered(
            {r: runs.init_s for r, runs in self.problem.nodes[name].runs.items() if runs.init_s}, rows
        )
        once = slice(self.observed)
        assert self.problem.runs is not None
        started_at = np.asarray(self.problem.runs.started_at)
        runs = Executions(started_at, rows.seen[once], rows.region[once], init_s[once], len(self.geography.names))
        found = ColdStarts.of(runs, Stay(self.geography.home, self.problem.entry.stays_home_share))
        return replace(found, init_s=init_s, chance=np.tile(found.chance, self.worlds))

    def _exchanged(self, runs: Mapping[str, Runs], rows: _Row) -> tuple[Floats, tuple[External, ...]]:
        """By how much longer calls to endpoints take from each region (R, S), and what is exchanged."""
        farther, external = np.zeros((len(self.geography.names), self.count)), []
        for name in sorted({name for seen in runs.values() for name in seen.external or {}}):
            found = {r: seen.external[name] for r, seen in runs.items() if seen.external and name in seen.external}
            where = self.problem.endpoints[name].region
            place = self.geography.names.index(where) if where in self.geography.names else None
            out_gb = self._gathered({r: exchanged.gb_out for r, exchanged in found.items()}, rows)
            in_gb = self._gathered({r: exchanged.gb_in for r, exchanged in found.items()}, rows)
            external.append(External(out_gb[np.newaxis], in_gb[np.newaxis], place))
            if place is not None:
                farther += self._farther(found, place, rows)
        return farther, tuple(external)

    def _farther(self, found: Mapping[str, Exchanges], place: int, rows: _Row) -> Floats:
        """Seconds (R, S) that the round trips to an endpoint take more than where they were observed.

        They are no more than the observed seconds have room for: calls side by side share theirs.
        """
        to = self.geography.ping_s[:, place]
        seen_s = to[np.where(rows.seen, rows.region, place)]
        wanted = self._gathered({region: _rounds(exchanged) for region, exchanged in found.items()}, rows)
        took_s = self._gathered({region: exchanged.seconds for region, exchanged in found.items()}, rows)
        rounds = np.minimum(wanted, np.divide(took_s, seen_s, out=wanted.copy(), where=seen_s > 0))
        return np.asarray(rounds * (to[:, np.newaxis] - seen_s))

    def _gathered(self, values: Mapping[str, Sequence[float] | Floats], rows: _Row) -> Floats:
        """What a list by region has for each run (S,), 0 where the run has none."""
        result = np.zeros(self.count)
        for region, column in values.items():
            here = rows.seen & (rows.region == self.geography.names.index(region))
            result[here] = np.asarray(column, dtype=np.float64)[rows.place[here]]
        return result

    def _executions(self, name: str) -> _Row:
        """Where each run's execution of a node is."""
        seen = np.zeros(self.observed, dtype=bool)
        region, place = np.full(self.observed, _NOWHERE, dtype=np.intp), np.zeros(self.observed, dtype=np.intp)
        for name_of_region, runs in self.problem.nodes[name].runs.items():
            rows = np.asarray(runs.run, dtype=np.intp)
            seen[rows], region[rows] = True, self.geography.names.index(name_of_region)
            place[rows] = np.arange(len(rows))
        return _Row(*(np.tile(column, self.worlds) for column in (seen, region, place)))

    def _transfer(self, index: int, edge: ProblemEdge) -> tuple[Floats, Latency]:
        drawn_gb, drawn = super()._transfer(index, edge)
        pings = PINGS_OF_MESSAGE if edge.sync is None else PINGS_OF_REPORT
        seen, payload, overhead = self._overhead(edge.transfers, pings)
        return np.where(seen, payload, drawn_gb), self._whole(seen, overhead, drawn, pings)

    def _notice(self, index: int, place: int, notice: SkipNotice, happens: Bools, offset: Floats | None) -> Message:
        message = super()._notice(index, place, notice, happens, offset)
        columns = {
            pair: Transfers(run=seen.run, payload_gb=(0.0,) * len(seen.latency_s), latency_s=seen.latency_s)
            for pair, seen in notice.transfers.items()
            if seen.run is not None
        }
        seen, _, overhead = self._overhead(columns, PINGS_OF_NOTICE)
        return replace(message, latency=self._whole(seen, overhead, message.latency, PINGS_OF_NOTICE))

    def _overhead(self, transfers: Mapping[str, Transfers], pings: float) -> tuple[Bools, Floats, Floats]:
        """Which runs (S,) have a message, its size, and its latency less the pings between where it was observed."""
        runs = self.observed
        seen, payload, overhead = np.zeros(runs, dtype=bool), np.zeros(runs), np.zeros(runs)
        at_home = self.geography.ping_s[self.geography.home, self.geography.home]
        for pair, messages in transfers.items():
            rows = np.asarray(messages.run, dtype=np.intp)
            between = pings * self.geography.ping_s[self.geography.pair(pair)]
            seen[rows], payload[rows] = True, messages.payload_gb
            overhead[rows] = np.maximum(np.asarray(messages.latency_s) - between, -pings * at_home)
        return np.tile(seen, self.worlds), np.tile(payload, self.worlds), np.tile(overhead, self.worlds)

    def _whole(self, seen: Bools, overhead: Floats, drawn: Latency, pings: float) -> Latency:
        """The latencies of all runs: the run's own, else one that was drawn, as if it had been at home."""
        ping_s, home = self.geography.ping_s, self.geography.home
        at_home = drawn.seen[drawn.row[home, home]] + drawn.shift[home, home] - pings * ping_s[home, home]
        row = np.zeros(ping_s.shape, dtype=np.intp)
        return Latency(np.where(seen, overhead, at_home)[np.newaxis], row, pings * ping_s)


def _rounds(exchanges: Exchanges) -> Floats:
    """Round trips that calls take, one after the other: for each execution."""
    calls = np.asarray(exchanges.calls, dtype=np.float64)
    size_kb = (np.asarray(exchanges.gb_out) + np.asarray(exchanges.gb_in)) * KB_PER_GB
    each_kb = np.divide(size_kb, calls, out=np.zeros_like(size_kb), where=calls > 0)
    doublings = np.maximum(np.ceil(np.log2(each_kb / INITIAL_WINDOW_KB + 1.0)) - 1.0, 0.0)
    trips = TRIPS_A_CALL * calls if exchanges.round_trips is None else np.asarray(exchanges.round_trips)
    return np.asarray(trips + calls * doublings)
