"""How long nodes wait for the answers to what they send: it is billed and draws power, but keeps nobody waiting.

A node's sends go on side by side, and its execution ends when the last one is answered:

    wait(u) = max over what u sends to v, in the run:  k * ping(r(u), r(v))      k = 1 a message or a skip, 2 a report

What was waited where the run was observed is in its durations; a placement takes that off (`NodeRuns.waited_s`) and
adds its own. A maximum over pairs is no sum over them, so the tables of means have nothing of it: it comes on top of
them, and is never below 0. Whoever reports last and starts the sync node waits once more, which is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caribou.model.schema.problem import ProblemEdge
from caribou.solver.simulation.carbon_and_cost import SECONDS_AN_HOUR, Machine
from caribou.solver.simulation.random_streams import Bools, Floats, Ints
from caribou.solver.simulation.scenarios import Message, Scenarios

TRIPS_OF_MESSAGE, TRIPS_OF_REPORT = 1.0, 2.0
"""Round trips until a send is answered: a message's publish, or a skip's one update; a payload kept, and its report."""


@dataclass(frozen=True)
class Waits:
    """The waits of observed runs, by placements (B, N); `machines` are those of the nodes."""

    scenarios: Scenarios
    machines: Sequence[Machine]

    def usd(self, places: Ints) -> Floats:
        """What they cost: (B, S)."""
        total = np.zeros((len(places), self.scenarios.count))
        for node, waits_s in self._waits_s(places):
            total += self.machines[node].usd_per_s[places[:, node]][:, np.newaxis] * waits_s
        return total

    def grams(self, places: Ints, intensity: Floats) -> Floats:
        """What they emit with intensities (H, R), of one placement (1, N): (H, S)."""
        total = np.zeros((len(intensity), self.scenarios.count))
        for node, waits_s in self._waits_s(places):
            region = int(places[0, node])
            per_s = self.machines[node].kw[region] * intensity[:, region] / SECONDS_AN_HOUR
            total += per_s[:, np.newaxis] * waits_s
        return total

    def mean_grams(self, places: Ints, intensity: Floats) -> Floats:
        """The mean over the runs of the same: (B, H)."""
        total = np.zeros((len(places), len(intensity)))
        for node, waits_s in self._waits_s(places):
            regions, mean_s = (
                places[:, node],
                np.broadcast_to(waits_s, (len(places), self.scenarios.count)).mean(axis=1),
            )
            per_s = self.machines[node].kw[regions] * intensity[:, regions] / SECONDS_AN_HOUR
            total += (per_s * mean_s).T
        return total

    def _waits_s(self, places: Ints) -> list[tuple[int, Floats]]:
        """Of each node that sends something how long it waits: (B, S), or (B, 1) if it is the same in all runs."""
        ping_s, found = self.scenarios.geography.ping_s, []
        for node, sent in enumerate(self._sent):
            waits_s = np.zeros((len(places), 1))
            for target, trips, happens in sent:
                longer = trips * ping_s[places[:, node], places[:, target]][:, np.newaxis]
                waits_s = np.maximum(waits_s, longer if happens is None else longer * happens)
            if sent:
                found.append((node, waits_s))
        return found

    @cached_property
    def _sent(self) -> tuple[list[tuple[int, float, Bools | None]], ...]:
        """What each node sends: to which, round trips, and in which runs, None for all."""
        sent: tuple[list[tuple[int, float, Bools | None]], ...] = tuple([] for _ in self.machines)
        for message, trips in _sends(self.scenarios):
            happens = message.happens & self.scenarios.invoked[message.source]
            if happens.any():
                sent[message.source].append((message.target, trips, None if happens.all() else happens))
        return sent


def trips_of(edge: ProblemEdge) -> float:
    """Round trips until what is sent along an edge is answered."""
    return TRIPS_OF_MESSAGE if edge.sync is None else TRIPS_OF_REPORT


def _sends(scenarios: Scenarios) -> list[tuple[Message, float]]:
    """Messages, reports and skips, each with its round trips."""
    edges = zip(scenarios.edges, scenarios.problem.edges, strict=True)
    return [
        *((message, trips_of(edge)) for message, edge in edges),
        *((m, TRIPS_OF_MESSAGE) for m in scenarios.notices),
    ]
