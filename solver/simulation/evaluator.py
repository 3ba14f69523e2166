"""What placements emit, cost and take: means and tails over the same drawn runs, many placements at once.

A share of runs may always stay home (`entry.stays_home_share`). These runs are the last ones of the sample; they are
scored once, at home, and counted in every placement's means and tails: what a placement is said to save, it saves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caribou.model.manifest import Metric
from caribou.model.schema.problem import Problem
from caribou.solver.simulation.carbon_and_cost import DAY, Accounts, Rates
from caribou.solver.simulation.lower_bounds import Relaxation
from caribou.solver.simulation.random_streams import Draws, Floats, Ints
from caribou.solver.simulation.scenarios import SampledProblem
from caribou.solver.simulation.timing import Joins, Timing

CHUNK = 65_536  # samples times placements that are worked on at once: what fits a core's cache
HOUR_AXIS = tuple(range(DAY + 1))


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of n placements: means of carbon_g (n, H), cost_usd (n,) and runtime_s (n,), and tails as asked.

    H is 26: the hours 0 to 23, the overall average intensity, the mean of the day. A tail has its mean's shape.
    """

    carbon_g: Floats
    cost_usd: Floats
    runtime_s: Floats
    tails: dict[Metric, Floats]

    def mean(self, metric: Metric, hour: int) -> Floats:
        """The means (n,) of a metric at an hour."""
        if metric == "carbon":
            return np.asarray(self.carbon_g[:, hour])
        return self.cost_usd if metric == "cost" else self.runtime_s

    def tail(self, metric: Metric, hour: int) -> Floats:
        """The tails (n,) of a metric at an hour; KeyError if they were not asked for."""
        tail = self.tails[metric]
        return np.asarray(tail[:, hour]) if tail.ndim == 2 else tail

    def and_also(self, others: Scores) -> Scores:
        """These placements and then the others."""
        return Scores(
            np.concatenate([self.carbon_g, others.carbon_g]),
            np.concatenate([self.cost_usd, others.cost_usd]),
            np.concatenate([self.runtime_s, others.runtime_s]),
            {metric: np.concatenate([tail, others.tails[metric]]) for metric, tail in self.tails.items()},
        )


@dataclass(frozen=True, slots=True)
class Details:
    """A placement run by run: carbon_g (H, S) at the hours asked for, cost_usd (S,), runtime_s (S,)."""

    carbon_g: Floats
    cost_usd: Floats
    runtime_s: Floats


@dataclass(frozen=True)
class Part:
    """One part of the sample, and everything that scores placements on it."""

    sampled: SampledProblem

    @cached_property
    def accounts(self) -> Accounts:
        """What the runs emit and cost, whatever the order of events."""
        return Accounts(self.sampled, Rates.of(self.sampled.problem))

    @cached_property
    def timing(self) -> Timing:
        """When things happen in the runs."""
        return Timing(self.sampled, self.accounts.redirected)

    @cached_property
    def joins(self) -> Joins:
        """What depends on the order of events."""
        return Joins(self.timing, self.accounts.rates)

    @cached_property
    def node_usd(self) -> tuple[Floats, ...]:
        """Cost (R, S) of each node."""
        return tuple(self.accounts.node_usd(v) for v in range(len(self.sampled.position)))

    def cost_usd(self, places: Ints, joins_usd: Floats) -> Floats:
        """Cost (B, S)."""
        nodes = sum(self.node_usd[v][places[:, v]] for v in range(places.shape[1]))
        return np.asarray(nodes + self.accounts.pair_usd(places) + joins_usd)

    def details(self, places: Ints, hours: Sequence[int]) -> Details:
        """One placement (1, N), run by run."""
        timeline = self.timing.of(places)
        cost = self.cost_usd(places, self.joins.usd(places, timeline))
        at = np.array(hours, dtype=np.intp)
        carbon = self.accounts.grams(places[0], at) + self.joins.grams(places, timeline, at)
        return Details(carbon, cost[0], timeline.runtime_s[0])


@dataclass(frozen=True)
class Evaluator:
    """Scores placements of a problem. A placement is a row of region positions, nodes in topological order.

    `tails` are the metrics whose tail is wanted besides the means.
    """

    problem: Problem
    seed: int
    samples: int
    tails: tuple[Metric, ...] = ()

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """The names of the regions by position."""
        return tuple(self.problem.regions)

    @cached_property
    def home(self) -> Ints:
        """The placement with every node at home: (N,)."""
        return np.full(len(self.problem.nodes), self.regions.index(self.problem.home_region), dtype=np.intp)

    @cached_property
    def allowed(self) -> tuple[Ints, ...]:
        """The positions of the regions that each node is allowed in, in the order of the regions."""
        names = [set(self.problem.nodes[name].allowed_regions) for name in self.problem.node_order]
        return tuple(np.array([i for i, r in enumerate(self.regions) if r in allowed]) for allowed in names)

    def score(self, places: Ints) -> Scores:
        """The scores of placements (n, N)."""
        size = max(1, CHUNK // self.samples)
        parts = [self._score(places[first : first + size]) for first in range(0, len(places), size)]
        return Scores(
            np.concatenate([part.carbon_g for part in parts]),
            np.concatenate([part.cost_usd for part in parts]),
            np.concatenate([part.runtime_s for part in parts]),
            {metric: np.concatenate([part.tails[metric] for part in parts]) for metric in self.tails},
        )

    def details(self, places: Ints, hours: Sequence[int]) -> Details:
        """One placement (N,) run by run, those that stay home last."""
        moved = self.part.details(places[np.newaxis], hours)
        if self._staying is None:
            return moved
        home = self._staying.details(self.home[np.newaxis], hours)
        return Details(
            np.concatenate([moved.carbon_g, home.carbon_g], axis=1),
            np.concatenate([moved.cost_usd, home.cost_usd]),
            np.concatenate([moved.runtime_s, home.runtime_s]),
        )

    def relaxation(self, metric: Metric, hour: int, allowed: tuple[Ints, ...] | None = None) -> Relaxation:
        """Lower bounds on the mean of a metric at an hour; that on run time is the same for all placements."""
        tables, kept = self.part.accounts.means, 1 - self._stay_count / self.samples
        constant = self._stay_mean(metric, hour) * (1 - kept)
        if metric == "carbon":
            nodes, joint = tables.node_g[hour], tables.pair_g[hour]
        elif metric == "cost":
            nodes, joint = tables.node_usd, tables.pair_usd
        else:
            nodes, joint = np.zeros_like(tables.node_usd), np.zeros_like(tables.pair_usd)
            constant += self.part.timing.fastest_s * kept
        return Relaxation(constant, nodes * kept, tables.pairs, joint * kept, allowed or self.allowed)

    def moved_runs(self, metric: Metric, places: Ints) -> Floats:
        """Cost or run time of the runs that are moved, by a placement (N,): (S,)."""
        details = self.part.details(places[np.newaxis], ())
        return details.cost_usd if metric == "cost" else details.runtime_s

    def most_above(self, metric: Metric, limit: float) -> int:
        """How many of the moved runs may cost or take more than a limit on the tail; below 0 if those at home break it.

        A percentile is not below the value whose place, counted from 0, is its share of S - 1, rounded down.
        """
        place = math.floor(self.problem.objective.tail_percentile / 100 * (self.samples - 1) - 1e-9)
        stay = self._stay.cost_usd if metric == "cost" else self._stay.runtime_s
        return self.samples - 1 - max(0, place) - int(np.count_nonzero(stay > limit))

    def mixed_runtime_s(self, moved: Floats) -> Floats:
        """Means of run time over all runs, from those of the moved ones (B,)."""
        return self._mixed(moved, self._stay_mean("runtime", 0))

    @cached_property
    def linked(self) -> tuple[tuple[int, int], ...]:
        """The pairs of nodes between which something travels."""
        return tuple((int(source), int(target)) for source, target in self.part.accounts.means.pairs)

    @cached_property
    def _stay_count(self) -> int:
        return min(round(self.problem.entry.stays_home_share * self.samples), self.samples - 1)

    @cached_property
    def part(self) -> Part:
        """The runs that a placement moves."""
        return Part(SampledProblem(self.problem, Draws(self.seed, 0, self.samples - self._stay_count)))

    @cached_property
    def _staying(self) -> Part | None:
        if self._stay_count == 0:
            return None
        return Part(SampledProblem(self.problem, Draws(self.seed, self.samples - self._stay_count, self.samples)))

    @cached_property
    def _stay(self) -> Details:
        if self._staying is None:
            return Details(np.zeros((len(HOUR_AXIS), 0)), np.zeros(0), np.zeros(0))
        return self._staying.details(self.home[np.newaxis], HOUR_AXIS)

    def _stay_mean(self, metric: Metric, hour: int) -> float:
        if self._stay_count == 0:
            return 0.0
        stay = self._stay
        by_metric = {"carbon": stay.carbon_g[hour], "cost": stay.cost_usd, "runtime": stay.runtime_s}
        return float(by_metric[metric].mean())

    def _mixed(self, moved: Floats, stay: Floats | float) -> Floats:
        """The mean over all runs from that of the moved ones and that of those that stay home."""
        if self._stay_count == 0:
            return moved
        share = self._stay_count / self.samples
        return np.asarray(moved * (1 - share) + np.asarray(stay) * share)

    def _score(self, places: Ints) -> Scores:
        part, stay = self.part, self._stay
        timeline = part.timing.of(places)
        joins_usd = part.joins.usd(places, timeline)
        carbon = part.accounts.means.grams_by_hour(places) + part.joins.mean_grams(places, timeline)
        cost = part.accounts.means.usd(places) + joins_usd.mean(axis=1)
        stay_g = stay.carbon_g.mean(axis=1) if self._stay_count else 0.0
        return Scores(
            self._mixed(carbon, stay_g),
            self._mixed(cost, self._stay_mean("cost", 0)),
            self._mixed(timeline.runtime_s.mean(axis=1), self._stay_mean("runtime", 0)),
            {metric: self._tail(metric, places, timeline.runtime_s, joins_usd) for metric in self.tails},
        )

    def _tail(self, metric: Metric, places: Ints, runtime_s: Floats, joins_usd: Floats) -> Floats:
        if metric == "runtime":
            return self.percentile(runtime_s, self._stay.runtime_s)
        if metric == "cost":
            return self.percentile(self.part.cost_usd(places, joins_usd), self._stay.cost_usd)
        rows = [self.part.details(row[np.newaxis], HOUR_AXIS).carbon_g for row in places]
        return np.array([[self.percentile(g[np.newaxis], s)[0] for g, s in self._by_hour(row)] for row in rows])

    def _by_hour(self, carbon_g: Floats) -> list[tuple[Floats, Floats]]:
        return list(zip(carbon_g, self._stay.carbon_g, strict=True))

    def percentile(self, moved: Floats, stay: Floats) -> Floats:
        """The tail percentile (B,) of runs (B, S) together with those that stay home (S',)."""
        together = np.concatenate([moved, np.broadcast_to(stay, (len(moved), len(stay)))], axis=1)
        return np.asarray(np.percentile(together, self.problem.objective.tail_percentile, axis=1))
