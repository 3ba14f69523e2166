"""What placements emit, cost and take: means and tails over the same drawn runs, many placements at once.

A share of runs may always stay home (`entry.stays_home_share`), and counts in every placement's means and tails: what
a placement is said to save, it saves. Of drawn runs these are the last ones of the sample, scored once, at home. Where
the runs are observed ones, each is scored as moved and at home, with the share as its weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caribou.model.metric import Metric
from caribou.model.schema.problem import Problem
from caribou.solver.simulation.carbon_and_cost import DAY
from caribou.solver.simulation.lower_bounds import LowerBounds
from caribou.solver.simulation.measures import MEASURES, Batch, Part
from caribou.solver.simulation.observed_runs import ObservedScenarios
from caribou.solver.simulation.precision import EPSILON
from caribou.solver.simulation.random_streams import Floats, Ints, RandomStreams
from caribou.solver.simulation.scenarios import Scenarios
from caribou.solver.simulation.weights import RunWeights, percentile

CHUNK = 65_536  # samples times placements that are worked on at once: what fits a core's cache
HOUR_AXIS = tuple(range(DAY + 1))


RunByRun = Mapping[Metric, Floats]
"""A placement run by run: (H, S) at the hours asked for of a metric that differs by hour, else (S,)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of n placements: the means, and the tails of those metrics that were asked for.

    Each is (n, H) of a metric that differs by hour, else (n,). H is 26: the hours 0 to 23, the overall average
    intensity, the mean of the day.
    """

    means: Mapping[Metric, Floats]
    tails: Mapping[Metric, Floats]

    @classmethod
    def joined(cls, parts: Sequence[Scores]) -> Scores:
        """The placements of the first of the parts, then those of the next, and so on."""
        return cls(
            {metric: np.concatenate([part.means[metric] for part in parts]) for metric in parts[0].means},
            {metric: np.concatenate([part.tails[metric] for part in parts]) for metric in parts[0].tails},
        )

    def of(self, rows: Ints) -> Scores:
        """The scores of some of the placements."""
        return Scores(
            {metric: mean[rows] for metric, mean in self.means.items()},
            {metric: tail[rows] for metric, tail in self.tails.items()},
        )

    def mean(self, metric: Metric, hour: int) -> Floats:
        """The means (n,) of a metric at an hour."""
        return _at(self.means[metric], hour)

    def tail(self, metric: Metric, hour: int) -> Floats:
        """The tails (n,) of a metric at an hour; KeyError if they were not asked for."""
        return _at(self.tails[metric], hour)


def _at(values: Floats, hour: int) -> Floats:
    return np.asarray(values[:, hour]) if values.ndim == 2 else values


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
        return Scores.joined([self._score(places[first : first + size]) for first in range(0, len(places), size)])

    def details(self, places: Ints, hours: Sequence[int]) -> RunByRun:
        """One placement (N,) run by run, those that stay home last."""
        moved = _run_by_run(self.part, places, hours)
        if self._staying is None:
            return moved
        home = _run_by_run(self._staying, self.home, hours)
        return {metric: np.concatenate([runs, home[metric]], axis=-1) for metric, runs in moved.items()}

    def lower_bounds(self, metric: Metric, hour: int, allowed: tuple[Ints, ...] | None = None) -> LowerBounds:
        """Lower bounds on the mean of a metric at an hour; that on run time is the same for all placements."""
        floor, kept = MEASURES[metric].floor(self.part, hour), 1 - self._stay_share
        constant = self._stay_mean(metric, hour) * (1 - kept) + floor.constant * kept
        pairs = self.part.carbon_and_cost.means.pairs
        return LowerBounds(constant, floor.nodes * kept, pairs, floor.pairs * kept, allowed or self.allowed)

    def moved_runs(self, metric: Metric, places: Ints) -> Floats:
        """A metric of the runs that are moved, by a placement (N,): (S,); of one that does not differ by hour."""
        return np.asarray(MEASURES[metric].runs(Batch(self.part, places[np.newaxis]), ())[0])

    def most_above(self, metric: Metric, limit: float) -> int:
        """How many of the moved runs may cost or take more than a limit on the tail; below 0 if those at home break it.

        A percentile is not below the value whose place, counted from 0, is its share of S - 1, rounded down.
        """
        stay = self._stay_in_tail(metric)
        above, share = int(np.count_nonzero(stay > limit)), self.problem.objective.tail_percentile / 100
        if (weights := self._weights_with(stay)) is not None:
            return math.floor((1 - share - above * weights.stay) / weights.moved + EPSILON)
        count = self.part.scenarios.count + len(stay)
        place = math.floor(share * (count - 1) - EPSILON)
        return count - 1 - max(0, place) - above

    def mixed_runtime_s(self, moved: Floats) -> Floats:
        """Means of run time over all runs, from those of the moved ones (B,)."""
        return self._mixed(moved, self._stay_mean(Metric.RUNTIME, 0))

    @cached_property
    def linked(self) -> tuple[tuple[int, int], ...]:
        """The pairs of nodes between which something travels."""
        return tuple((int(source), int(target)) for source, target in self.part.carbon_and_cost.means.pairs)

    @property
    def _stay_share(self) -> float:
        """The share of runs that no placement moves."""
        if self.problem.runs is not None:
            return self.problem.entry.stays_home_share
        return self._stay_count / self.samples

    @cached_property
    def _stay_count(self) -> int:
        """Of drawn runs, how many stay home."""
        return min(round(self.problem.entry.stays_home_share * self.samples), self.samples - 1)

    @cached_property
    def part(self) -> Part:
        """The runs that a placement moves."""
        if self.problem.runs is not None:
            return Part(ObservedScenarios(self.problem, RandomStreams(self.seed, 0, len(self.problem.runs.id))))
        return Part(Scenarios(self.problem, RandomStreams(self.seed, 0, self.samples - self._stay_count)))

    @cached_property
    def _staying(self) -> Part | None:
        if self._stay_share == 0:
            return None
        if self.problem.runs is not None:
            return self.part
        return Part(Scenarios(self.problem, RandomStreams(self.seed, self.samples - self._stay_count, self.samples)))

    @cached_property
    def weights(self) -> RunWeights | None:
        """What observed runs weigh; None of drawn ones, each of which counts the same."""
        return RunWeights(self.part.scenarios.count, self._stay_share) if self.problem.runs is not None else None

    @cached_property
    def _stay(self) -> RunByRun:
        """The runs that stay home, at all hours."""
        if self._staying is None:
            return {metric: np.zeros((len(HOUR_AXIS), 0) if metric.by_hour else 0) for metric in Metric}
        return _run_by_run(self._staying, self.home, HOUR_AXIS)

    def _stay_mean(self, metric: Metric, hour: int) -> float:
        means = self._stay_means(metric)
        return float(means[hour] if means.ndim else means)

    def _stay_means(self, metric: Metric) -> Floats:
        """Means over the runs that stay home: (H,) of a metric that differs by hour, else (); 0 where none stay."""
        return np.asarray(self._stay[metric].mean(axis=-1) if self._stay_share else 0.0)

    def _mixed(self, moved: Floats, stay: Floats | float) -> Floats:
        """The mean over all runs from that of the moved ones and that of those that stay home."""
        share = self._stay_share
        return np.asarray(moved * (1 - share) + np.asarray(stay) * share) if share else moved

    def _score(self, places: Ints) -> Scores:
        batch = Batch(self.part, places)
        means = {metric: self._mixed(MEASURES[metric].means(batch), self._stay_means(metric)) for metric in Metric}
        return Scores(means, {metric: self._tail(metric, batch) for metric in self.tails})

    def _tail(self, metric: Metric, batch: Batch) -> Floats:
        runs, stay = MEASURES[metric].runs(batch, HOUR_AXIS), self._stay_in_tail(metric)
        if not metric.by_hour:
            return self.percentile(runs, stay)
        return np.array(
            [[self.percentile(g[np.newaxis], s)[0] for g, s in zip(row, stay, strict=True)] for row in runs]
        )

    def percentile(self, moved: Floats, stay: Floats) -> Floats:
        """The tail percentile (B,) of runs (B, S) together with those that stay home (S',), if any count."""
        together = np.concatenate([moved, np.broadcast_to(stay, (len(moved), len(stay)))], axis=1)
        weights = self._weights_with(stay)
        return percentile(together, self.problem.objective.tail_percentile, None if weights is None else weights.each)

    def _stay_in_tail(self, metric: Metric) -> Floats:
        """The runs that stay home as far as a limit on the tail bounds them: none where it is on the moved ones."""
        stay = self._stay[metric]
        return stay[..., :0] if metric.tail_is_of_moved else stay

    def _weights_with(self, stay: Floats) -> RunWeights | None:
        """What observed runs weigh together with those that stay home, if any count; None of drawn ones."""
        if self.weights is None or len(stay):
            return self.weights
        return RunWeights(self.weights.runs, 0.0)


def _run_by_run(part: Part, places: Ints, hours: Sequence[int]) -> RunByRun:
    """One placement (N,) on the runs of a part."""
    batch = Batch(part, places[np.newaxis])
    return {metric: np.asarray(MEASURES[metric].runs(batch, hours)[0]) for metric in Metric}
