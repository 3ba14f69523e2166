"""How each metric of a run is measured on drawn runs: run by run, in the mean, and from below. A class a metric.

A new metric is a row in `caribou.model.metric`, and a class here, in `MEASURES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from caribou.model.metric import Metric
from caribou.solver.simulation.carbon_and_cost import CarbonAndCost, Rates
from caribou.solver.simulation.random_streams import Floats, Ints
from caribou.solver.simulation.scenarios import Scenarios
from caribou.solver.simulation.timing import Joins, Timeline, Timing
from caribou.solver.simulation.waits import Waits


@dataclass(frozen=True)
class Part:
    """One part of the sample, and everything that scores placements on it."""

    scenarios: Scenarios

    @cached_property
    def carbon_and_cost(self) -> CarbonAndCost:
        """What the runs emit and cost, whatever the order of events."""
        return CarbonAndCost(self.scenarios, Rates.of(self.scenarios.problem))

    @cached_property
    def timing(self) -> Timing:
        """When things happen in the runs."""
        return Timing(self.scenarios, self.carbon_and_cost.redirected)

    @cached_property
    def joins(self) -> Joins:
        """What depends on the order of events."""
        return self.joins_at(self.carbon_and_cost.rates)

    def joins_at(self, rates: Rates) -> Joins:
        """The same at other rates. Problems without rows know neither items of runs nor waits."""
        billed, machines = self.carbon_and_cost.billed, self.carbon_and_cost.machines
        if billed is None:
            return Joins(self.timing, rates)
        return Joins(self.timing, rates, billed.run_items, Waits(self.scenarios, machines))

    @cached_property
    def node_usd(self) -> tuple[Floats, ...]:
        """Cost (R, S) of each node."""
        return tuple(self.carbon_and_cost.node_usd(v) for v in range(len(self.scenarios.position)))

    def cost_usd(self, places: Ints, joins_usd: Floats) -> Floats:
        """Cost (B, S)."""
        nodes = sum(self.node_usd[v][places[:, v]] for v in range(places.shape[1]))
        return np.asarray(nodes + self.carbon_and_cost.pair_usd(places) + joins_usd)


@dataclass(frozen=True)
class Batch:
    """Placements (B, N) on the runs of a part. What several metrics need of them is made once."""

    part: Part
    places: Ints

    @cached_property
    def timeline(self) -> Timeline:
        """When things happen in their runs."""
        return self.part.timing.of(self.places)

    @property
    def apart(self) -> Sequence[Batch]:
        """The placements, each a batch of its own."""
        if len(self.places) == 1:
            return [self]
        return [Batch(self.part, row[np.newaxis]) for row in self.places]

    @cached_property
    def joins_usd(self) -> Floats:
        """The cost (B, S) of what depends on the order of events."""
        return self.part.joins.usd(self.places, self.timeline)


@dataclass(frozen=True, slots=True)
class Floor:
    """A lower bound on a mean: a constant, and what each node (N, R) and each pair of nodes (P, R, R) adds."""

    constant: float
    nodes: Floats
    pairs: Floats


class Measure(Protocol):
    """How one metric is measured; H are the hours asked for."""

    def runs(self, batch: Batch, hours: Sequence[int]) -> Floats:
        """Run by run: (B, S); (B, H, S) of a metric that differs by hour."""

    def means(self, batch: Batch) -> Floats:
        """Means over the runs: (B,); (B, 26) of a metric that differs by hour, see `Scores`."""

    def floor(self, part: Part, hour: int) -> Floor:
        """What the mean at an hour is not below, whatever the order of events."""


class _Carbon:
    def runs(self, batch: Batch, hours: Sequence[int]) -> Floats:
        at = np.array(hours, dtype=np.intp)
        return np.array([self._of_one(one, at) for one in batch.apart])

    def _of_one(self, one: Batch, hours: Ints) -> Floats:
        part = one.part
        return part.carbon_and_cost.grams(one.places[0], hours) + part.joins.grams(one.places, one.timeline, hours)

    def means(self, batch: Batch) -> Floats:
        part = batch.part
        joins = part.joins.mean_grams(batch.places, batch.timeline)
        return part.carbon_and_cost.means.grams_by_hour(batch.places) + joins

    def floor(self, part: Part, hour: int) -> Floor:
        tables = part.carbon_and_cost.means
        return Floor(0.0, tables.node_g[hour], tables.pair_g[hour])


class _Cost:
    def runs(self, batch: Batch, hours: Sequence[int]) -> Floats:
        del hours
        return batch.part.cost_usd(batch.places, batch.joins_usd)

    def means(self, batch: Batch) -> Floats:
        return np.asarray(batch.part.carbon_and_cost.means.usd(batch.places) + batch.joins_usd.mean(axis=1))

    def floor(self, part: Part, hour: int) -> Floor:
        del hour
        tables = part.carbon_and_cost.means
        return Floor(0.0, tables.node_usd, tables.pair_usd)


class _RunTime:
    def runs(self, batch: Batch, hours: Sequence[int]) -> Floats:
        del hours
        return batch.timeline.runtime_s

    def means(self, batch: Batch) -> Floats:
        return np.asarray(batch.timeline.runtime_s.mean(axis=1))

    def floor(self, part: Part, hour: int) -> Floor:
        del hour
        tables = part.carbon_and_cost.means
        return Floor(part.timing.fastest_s, np.zeros_like(tables.node_usd), np.zeros_like(tables.pair_usd))


MEASURES: Mapping[Metric, Measure] = {Metric.CARBON: _Carbon(), Metric.COST: _Cost(), Metric.RUNTIME: _RunTime()}
"""The measure of every metric."""
