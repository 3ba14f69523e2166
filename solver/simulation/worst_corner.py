"""Scores placements by the worst of what may be assumed of carbon, for plans that are to save whatever is true.

Notation: corner c of the assumptions (`corners`), g_c(x, h) what placement x emits there at hour h, mean of a run.

    share of c  = g_c(x, h) / g_c(home, h)
    carbon      = g(home, h) * max over c of the share          g by the problem's own assumptions

So carbon is in grams as ever, home's is its own, and what a placement saves of it, it saves at every corner at least.
A floor of a maximum is the floor of any mean of what it is taken over: sum over c of w_c * share of c, with weights w
that add up to 1. The weights are those that make the least floor of all placements as high as a short ascent finds
(the Lagrangian dual of the least maximum, which is concave in w): an hour's floor is one table again, so that the
search needs to know nothing of corners, and what it proves is proven.

Each hour is judged by itself, the static plan over the day; where that one is better in its worst corner over the day
than the hours' plans together, it takes their place.

By average intensity an hour is an hour; marginal intensity is the same at all of them. Where home's is not known only
average intensity counts; else regions of which it is not known are no candidates (`candidates`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from caribou.model.metric import Metric
from caribou.model.schema.problem import Problem
from caribou.solver.simulation.carbon_and_cost import AVERAGE, DAY
from caribou.solver.simulation.corners import TRANSMISSION, assuming, marginal_unknown
from caribou.solver.simulation.evaluator import HOUR_AXIS, Evaluator, Scores
from caribou.solver.simulation.lower_bounds import FloorTables, LowerBounds
from caribou.solver.simulation.random_streams import Floats, Ints

STEPS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02)
"""How far the weights of the corners go towards one of them, in turn: all the way first."""


def evaluator_of(problem: Problem, seed: int, samples: int, tails: tuple[Metric, ...] = ()) -> Evaluator:
    """The evaluator of what the problem's objective asks for: by its own assumptions, or by the worst corner."""
    kind = WorstCornerEvaluator if problem.objective.robust else Evaluator
    return kind(problem, seed, samples, tails)


def candidates(problem: Problem) -> Problem:
    """The problem with what a robust plan may use: regions of which marginal intensity is known, if home's is."""
    if not (left_out := regions_left_out(problem)):
        return problem
    nodes = {
        name: node.model_copy(update={"allowed_regions": tuple(r for r in node.allowed_regions if r not in left_out)})
        for name, node in problem.nodes.items()
    }
    return problem.model_copy(update={"nodes": nodes})


def regions_left_out(problem: Problem) -> tuple[str, ...]:
    """The allowed regions that are no candidates of a robust plan; none where the objective is not robust."""
    allowed = {region for node in problem.nodes.values() for region in node.allowed_regions}
    if not problem.objective.robust or not by_marginal(problem):
        return ()
    return marginal_unknown(problem, allowed)


def by_marginal(problem: Problem) -> bool:
    """Whether corners by marginal intensity can be judged: home's is known."""
    return not marginal_unknown(problem, {problem.home_region})


@dataclass(frozen=True)
class WorstCornerEvaluator(Evaluator):
    """Scores mean carbon by the worst corner; all else, tails among it, by the problem's own assumptions."""

    def _score(self, places: Ints) -> Scores:
        scores = super()._score(places)
        return replace(scores, means={**scores.means, Metric.CARBON: self._home_g * self.worst_shares(places)})

    def worst_shares(self, places: Ints) -> Floats:
        """The largest share (n, 26) of home's carbon that placements (n, N) emit at any corner, by hour."""
        return np.asarray(np.max(list(self._shares(places)), axis=0))

    def day_share(self, hours: Sequence[Ints]) -> float:
        """The largest share of home's carbon over the day that a placement (N,) an hour emits at any corner."""
        places, which = np.unique(np.array(hours), axis=0, return_inverse=True)
        return max(self._day_shares(places, which.reshape(-1)))

    def lower_bounds(self, metric: Metric, hour: int, allowed: tuple[Ints, ...] | None = None) -> LowerBounds:
        """As ever; of carbon the weighted mean of the corners' bounds."""
        if metric != Metric.CARBON:
            return super().lower_bounds(metric, hour, allowed)
        bounds = self._corner_bounds(hour, allowed)
        return _mixed(bounds, self._weights_by_hour[hour])

    def _shares(self, places: Ints) -> Iterator[Floats]:
        for corner, home in zip(self._corners, self._corner_homes, strict=True):
            grams = corner.score(places).means[Metric.CARBON]
            shares = np.divide(grams, home, out=1.0 + grams, where=home > 0)
            if by_marginal(self.problem):
                yield np.broadcast_to(shares[:, AVERAGE, np.newaxis], shares.shape)
            yield np.concatenate([shares[:, :AVERAGE], shares[:, DAY:], shares[:, DAY:]], axis=1)

    def _day_shares(self, places: Ints, which: Ints) -> Iterator[float]:
        at = np.arange(AVERAGE)
        for corner, home in zip(self._corners, self._corner_homes, strict=True):
            grams = corner.score(places).means[Metric.CARBON][which]
            yield _share(grams[at, at].sum(), home[at].sum())
            if by_marginal(self.problem):
                yield _share(grams[:, AVERAGE].mean(), home[AVERAGE])

    def _corner_bounds(self, hour: int, allowed: tuple[Ints, ...] | None) -> list[LowerBounds]:
        """The bounds of all corners at an hour, in units of home's carbon by the problem's own assumptions."""
        found = []
        for corner, home in zip(self._corners, self._corner_homes, strict=True):
            average = DAY if hour == AVERAGE else hour
            for at in (AVERAGE, average) if by_marginal(self.problem) else (average,):
                scale = float(self._home_g[hour] / home[at]) if home[at] > 0 else 0.0
                bounds = corner.lower_bounds(Metric.CARBON, at, allowed)
                found.append(_mixed([bounds], np.array([scale])))
        return found

    @cached_property
    def _corners(self) -> tuple[Evaluator, ...]:
        return tuple(Evaluator(assuming(self.problem, energies), self.seed, self.samples) for energies in TRANSMISSION)

    @cached_property
    def _corner_homes(self) -> tuple[Floats, ...]:
        """What home emits at each pair of energies: (26,)."""
        return tuple(corner.score(self.home[np.newaxis]).means[Metric.CARBON][0] for corner in self._corners)

    @cached_property
    def _home_g(self) -> Floats:
        """What home emits by the problem's own assumptions: (26,)."""
        return np.asarray(super()._score(self.home[np.newaxis]).means[Metric.CARBON][0])

    @cached_property
    def _weights_by_hour(self) -> Floats:
        """The weights (26, C) of the corners in the floors: an ascent from all alike, for all hours at once."""
        bounds = [self._corner_bounds(hour, None) for hour in HOUR_AXIS]
        weights = np.full((len(bounds), len(bounds[0])), 1.0 / len(bounds[0]))
        best = _least(bounds, weights)
        for step in STEPS:
            for towards in np.eye(weights.shape[1]):
                tried = (1 - step) * weights + step * towards
                least = _least(bounds, tried)
                better = least > best
                weights[better], best[better] = tried[better], least[better]
        return weights


def _share(grams: float, home: float) -> float:
    return float(grams / home) if home > 0 else 1.0 + float(grams)


def _least(bounds: list[list[LowerBounds]], weights: Floats) -> Floats:
    """The least floor of all placements (H,), at each hour with its weights of the corners."""
    mixed = [_mixed(of_hour, row) for of_hour, row in zip(bounds, weights, strict=True)]
    return FloorTables.of(mixed).minimum


def _mixed(bounds: list[LowerBounds], weights: Floats) -> LowerBounds:
    """The weighted sum of bounds that differ in numbers only."""
    first = bounds[0]
    constant = sum(float(w) * one.constant for w, one in zip(weights, bounds, strict=True))
    nodes = np.tensordot(weights, np.array([one.nodes for one in bounds]), axes=1)
    joint = np.tensordot(weights, np.array([one.joint for one in bounds]), axes=1)
    return LowerBounds(float(constant), nodes, first.pairs, joint, first.allowed)
