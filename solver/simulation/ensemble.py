"""What placements may come to: a day of each, replicate by replicate, on the same observed runs.

A figure of observed runs is unsure for three reasons, and a replicate has each of them in it: which runs were observed
(`bootstrap`), how fast regions are in which little or nothing ran (`region_speed`: the worlds), and what a grid will
emit, whose annual mean differs from the last year's:

    carbon = c + sum over regions r   a(r) * exp(y(r) * z)      z standard normal, one a grid zone

a(r) is what is emitted by r's intensity, in which carbon is linear; y the standard deviation of the logarithm of a
year's mean to the year before; c what does not depend on a region. B replicates, W worlds, n runs, R regions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from caribou.model.metric import Metric
from caribou.model.schema.problem import Problem
from caribou.solver.simulation import bootstrap
from caribou.solver.simulation.carbon_and_cost import CarbonAndCost, Rates
from caribou.solver.simulation.checks import Regions, place_positions
from caribou.solver.simulation.corners import Energies, Intensity, with_energies
from caribou.solver.simulation.measures import MEASURES, Batch, Part
from caribou.solver.simulation.observed_runs import ObservedScenarios
from caribou.solver.simulation.random_streams import Floats, Ints, RandomStreams
from caribou.solver.simulation.weights import percentile

WORLDS = 16
_SEED = 20_241_106
"""Of what grids may emit: the same for every solve."""


@dataclass(frozen=True)
class Ensemble:
    """Days on the runs of a problem; `worlds` 1 for what is likely, more for what may be."""

    problem: Problem
    worlds: int = WORLDS

    @classmethod
    def among(cls, problem: Problem, regions: Iterable[str], *, worlds: int = WORLDS) -> Ensemble:
        """With these regions, and what home and the observations need besides."""
        used = {*regions, problem.home_region, problem.control_region, *(e.region for e in problem.endpoints.values())}
        used |= {region for node in problem.nodes.values() for region in node.runs}
        pairs = [pair for edge in problem.edges for pair in edge.transfers]
        pairs += [pair for edge in problem.edges for notice in edge.on_skip for pair in notice.transfers]
        pairs += problem.entry.redirector.transfers if problem.entry.redirector else ()
        used |= {end for pair in pairs for end in pair.split(">")}
        kept = {name: facts for name, facts in problem.regions.items() if name in used}
        return cls(problem.model_copy(update={"regions": kept}), worlds)

    def day(self, parts: Iterable[tuple[Regions, Sequence[int]]]) -> Day:
        """A day, or some hours of it: node to region, and at which hours.

        Raises InvalidPlacementError if it is not one of the problem.
        """
        placed = tuple((place_positions(self.problem, regions), tuple(hours)) for regions, hours in parts)
        return Day(self, placed, self.problem.entry.stays_home_share)

    def home(self, hours: Sequence[int]) -> Day:
        """The same hours with all nodes at home."""
        return Day(self, ((self.home_places, tuple(hours)),), self.problem.entry.stays_home_share)

    @cached_property
    def home_places(self) -> Ints:
        """The placement with every node at home: (N,)."""
        return place_positions(self.problem, dict.fromkeys(self.problem.nodes, self.problem.home_region))

    @property
    def runs(self) -> int:
        """How many were observed."""
        assert self.problem.runs is not None
        return len(self.problem.runs.id)

    @cached_property
    def part(self) -> Part:
        """The runs, world by world."""
        streams = RandomStreams(0, 0, self.runs * self.worlds)
        return Part(ObservedScenarios(self.problem, streams, self.worlds))

    @cached_property
    def grid_factors(self) -> Floats:
        """By what the regions' intensities differ from what they were, in each replicate: (B, R).

        Drawn by the grid's name, so that it is the same whichever other regions there are.
        """
        grids = {name: facts.carbon_intensity_g_per_kwh for name, facts in self.problem.regions.items()}
        changes = [(grid.year_to_year or 0.0) * _drawn(grid.zone or name) for name, grid in grids.items()]
        return np.exp(np.array(changes)).T

    def rates(self, energies: Energies | None, intensity: Floats) -> Rates:
        """The problem's rates, or those with other transmission energies, for intensities (H, R)."""
        model = with_energies(self.problem, energies)
        return Rates.of(self.problem.model_copy(update={"carbon_model": model}), intensity)

    def apart(self, values: Floats) -> Floats:
        """Values of runs of all worlds (..., S) as (..., W, n)."""
        return values.reshape(*values.shape[:-1], self.worlds, self.runs)


def _drawn(zone: str) -> Floats:
    """Standard normal numbers of a grid, one a replicate: (B,)."""
    return np.random.default_rng([_SEED, *zone.encode()]).standard_normal(bootstrap.REPLICATES)


@dataclass(frozen=True)
class Emitted:
    """What runs emit over a day, g: `constant` (W, n), and by the intensity of each region, `by_region` (R, W, n)."""

    ensemble: Ensemble
    constant: Floats
    by_region: Floats

    @property
    def by_world(self) -> Floats:
        """By today's intensities, world by world: (W, n)."""
        return np.asarray(self.constant + self.by_region.sum(axis=0))

    def replicated(self, *, grids_change: bool) -> Floats:
        """The mean of each replicate: (B,)."""
        total, factors = bootstrap.means(self.constant), self.ensemble.grid_factors.T
        for grams, factor in zip(self.by_region, factors, strict=True):
            total = total + bootstrap.means(grams) * (factor if grids_change else 1.0)
        return np.asarray(total)


@dataclass(frozen=True)
class Day:
    """A placement over a day, or some of its hours, each as likely. Parts are regions and hours.

    Some runs stay home whatever the placement: they are one part more, k parts in all.
    """

    ensemble: Ensemble
    parts: tuple[tuple[Ints, tuple[int, ...]], ...]
    stay_share: float
    _means: dict[Metric, Floats] = field(init=False, default_factory=dict, compare=False, repr=False)
    _tails: dict[tuple[Metric, float], Floats] = field(init=False, default_factory=dict, compare=False, repr=False)

    @property
    def of_moved(self) -> Day:
        """The same without the runs that stay home."""
        return replace(self, stay_share=0.0)

    def by_world(self, metric: Metric) -> Floats:
        """What each run counts over the day, world by world: (W, n)."""
        return np.asarray(np.tensordot(self._shares, self._values(metric), axes=(0, 0)))

    def mean(self, metric: Metric) -> Floats:
        """The mean of a metric in each replicate: (B,)."""
        if metric not in self._means:
            by_grid = metric == Metric.CARBON
            self._means[metric] = (
                self.emitted().replicated(grids_change=True) if by_grid else bootstrap.means(self.by_world(metric))
            )
        return self._means[metric]

    def tail(self, metric: Metric, percent: float) -> Floats:
        """A percentile of a metric in each replicate, (B,); of carbon at one hour."""
        if (metric, percent) not in self._tails:
            values, counts = np.moveaxis(self._values(metric), 0, 1), self._shares > 0
            self._tails[metric, percent] = bootstrap.percentiles(values[:, counts], self._shares[counts], percent)
        return self._tails[metric, percent]

    def sure_tail(self, metric: Metric, percent: float) -> float | None:
        """What a percentile of the same is surely not above, whatever its distribution; None if the runs are too few.

        It is that of the slowest worlds.
        """
        share = bootstrap.sure_share(self.ensemble.runs, percent)
        if share is None:
            return None
        values = np.moveaxis(self._values(metric), 1, 0).reshape(self.ensemble.worlds, -1)
        weights = np.repeat(self._shares, self.ensemble.runs) / self.ensemble.runs
        return float(percentile(values, 100 * share, weights).max())

    def emitted(self, energies: Energies | None = None, intensity: Intensity = "average") -> Emitted:
        """What is emitted, under other assumptions where they are given."""
        total = np.tensordot(self._shares, np.array(self._grams_of_parts(energies, intensity)), axes=(0, 0))
        return Emitted(self.ensemble, total[0], total[1:])

    @cached_property
    def _hours(self) -> tuple[tuple[int, ...], ...]:
        """Of each part, and of the runs that stay home."""
        hours = tuple(hours for _, hours in self.parts)
        return (*hours, tuple(hour for some in hours for hour in some))

    @cached_property
    def _shares(self) -> Floats:
        """What share of the runs is in each part, and at home: (k,)."""
        *hours, every = map(len, self._hours)
        return np.array([*((1 - self.stay_share) * count / every for count in hours), self.stay_share])

    @cached_property
    def _batches(self) -> tuple[Batch, ...]:
        """Of each part, and of the runs that stay home."""
        rows = (*(places for places, _ in self.parts), self.ensemble.home_places)
        return tuple(Batch(self.ensemble.part, row[np.newaxis]) for row in rows)

    def _values(self, metric: Metric) -> Floats:
        """Of each part: (k, W, n); of carbon by the mean intensities of its hours."""
        if metric == Metric.CARBON:
            return np.array([grams.sum(axis=0) for grams in self._grams_of_parts(None, "average")])
        return self.ensemble.apart(np.array([MEASURES[metric].runs(batch, ())[0] for batch in self._batches]))

    def _grams_of_parts(self, energies: Energies | None, intensity: Intensity) -> list[Floats]:
        pairs = zip(self._batches, self._hours, strict=True)
        return [self._grams(batch, self._intensity(hours, intensity), energies) for batch, hours in pairs]

    def _intensity(self, hours: Sequence[int], kind: Intensity) -> Floats:
        """The mean over the hours, of each region (R,)."""
        grids = [facts.carbon_intensity_g_per_kwh for facts in self.ensemble.problem.regions.values()]
        if kind == "average":
            return np.array([np.mean([grid.hourly[hour] for hour in hours]) for grid in grids])
        return np.array([0.0 if grid.marginal is None else grid.marginal for grid in grids])

    def _grams(self, batch: Batch, intensity: Floats, energies: Energies | None) -> Floats:
        """What is emitted whatever the intensities, and by that of each region alone: (1 + R, W, n)."""
        one_by_one = np.vstack([np.zeros(len(intensity)), np.diag(intensity)])
        rates, part, rows = self.ensemble.rates(energies, one_by_one), self.ensemble.part, np.arange(len(one_by_one))
        grams = CarbonAndCost(part.scenarios, rates).grams(batch.places[0], rows)
        grams = grams + part.joins_at(rates).grams(batch.places, batch.timeline, rows)
        grams[1:] -= grams[0]
        return self.ensemble.apart(grams)
