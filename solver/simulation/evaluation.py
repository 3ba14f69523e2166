"""What a placement emits, costs and takes over a day, next to all nodes at home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from caribou.model.errors import InvalidPlacementError
from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.schema.problem import Problem
from caribou.solver.simulation.bootstrap import interval
from caribou.solver.simulation.checks import Regions, check_origin, check_sampling, place_positions
from caribou.solver.simulation.ensemble import Day, Ensemble
from caribou.solver.simulation.evaluator import Evaluator, RunByRun
from caribou.solver.simulation.precision import significant
from caribou.solver.simulation.random_streams import Floats, Ints
from caribou.solver.simulation.weights import RunWeights, percentile

NORMAL_95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution

TAIL = 95.0

Bounds = tuple[float, float | None]
"""From and to; None is not known."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean and 95th percentile of a metric over the runs, and their 95 % confidence intervals.

    The percentile's is None where runs are drawn, and of a metric that differs by hour; its upper end is None where the
    runs are too few to bound it.
    """

    mean: float
    p95: float
    ci95: tuple[float, float]
    p95_ci95: Bounds | None = None

    @classmethod
    def of_drawn(cls, runs: Floats) -> Estimate:
        """From drawn runs (S,), or the same runs at several hours (H, S), each hour as likely."""
        by_run = runs.mean(axis=0) if runs.ndim == 2 else runs
        mean = float(by_run.mean())
        half = NORMAL_95 * float(by_run.std(ddof=1)) / float(np.sqrt(len(by_run)))
        return cls(mean, float(np.percentile(runs, TAIL)), (mean - half, mean + half))

    @classmethod
    def of_observed(cls, runs: Floats, weights: RunWeights, metric: Metric, day: Day) -> Estimate:
        """From observed runs (S,), or (H, S), with their weights; `day` says what they may come to."""
        hours = np.atleast_2d(runs)
        every = np.tile(weights.each, len(hours)) / len(hours)
        tail = float(percentile(hours.reshape(1, -1), TAIL, every)[0])
        mean = float(hours.mean(axis=0) @ weights.each)
        return cls(
            mean,
            tail,
            interval(day.mean(metric), day.ensemble.runs),
            None if metric.by_hour else tail_bounds(metric, day, TAIL),
        )

    def to_json(self) -> dict[str, object]:
        """As in a placement's file, rounded to the digits that mean something."""
        return {
            "mean": significant(self.mean),
            "p95": significant(self.p95),
            "ci95": _rounded(self.ci95),
            **({} if self.p95_ci95 is None else {"p95_ci95": _rounded(self.p95_ci95)}),
        }


def tail_bounds(metric: Metric, day: Day, percent: float) -> Bounds:
    """Between what a percentile is: the bootstrap's interval, whose upper end is no less than what is sure.

    The bootstrap knows no run worse than the worst that was observed, so it alone would not do above.
    """
    low, high = interval(day.tail(metric, percent), day.ensemble.runs)
    sure = day.sure_tail(metric, percent)
    return low, None if sure is None else max(high, sure)


def _rounded(bounds: Bounds) -> list[float | None]:
    return [None if end is None else significant(end) for end in bounds]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Each metric of one run, in its unit: `metrics[Metric.CARBON]`."""

    estimates: Mapping[Metric, Estimate]

    @classmethod
    def of(cls, runs: RunByRun, weights: RunWeights | None, day: Day | None) -> Metrics:
        """The metrics of drawn runs, or of observed ones with their weights and what they may come to."""
        if weights is None or day is None:
            return cls({metric: Estimate.of_drawn(values) for metric, values in runs.items()})
        return cls({m: Estimate.of_observed(values, weights, m, day) for m, values in runs.items()})

    def __getitem__(self, metric: Metric) -> Estimate:
        return self.estimates[metric]

    def to_json(self) -> dict[str, object]:
        """As in a placement's file."""
        return {metric.field: estimate.to_json() for metric, estimate in self.estimates.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """Between what a mean and a percentile change, as shares of home's; the percentile's None if it differs by hour."""

    mean: Bounds
    p95: Bounds | None

    def to_json(self) -> dict[str, object]:
        """Both as a JSON object, rounded; null is not known."""
        return {"mean": _rounded(self.mean), "p95": None if self.p95 is None else _rounded(self.p95)}

    @classmethod
    def of(cls, metric: Metric, placed: Day, home: Day) -> Change:
        """Of the same runs as placed and at home."""
        runs = placed.ensemble.runs
        mean = interval(_beyond(placed.mean(metric), home.mean(metric)), runs)
        if metric.by_hour:
            return cls(mean, None)
        return cls(mean, interval(_beyond(placed.tail(metric, TAIL), home.tail(metric, TAIL)), runs))


def _beyond(placed: Floats, home: Floats) -> Floats:
    return np.divide(placed, home, out=np.ones_like(placed), where=home > 0) - 1


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A placement and all-home on the same runs, over the day; of observed ones, so many, how sure the changes are."""

    placed: Metrics
    home: Metrics
    changes: Mapping[Metric, Change] = field(default_factory=dict)
    runs: int | None = None

    def to_json(self) -> dict[str, object]:
        """Both as a JSON object."""
        both: dict[str, object] = {"metrics": self.placed.to_json(), "home_metrics": self.home.to_json()}
        changes = {metric.field: change.to_json() for metric, change in self.changes.items()}
        return both | {"changes": changes} if changes else both


@dataclass(frozen=True, slots=True)
class Comparison:
    """Placements on the same runs, each next to all-home; of observed runs, between what each later one differs.

    `differences` are against the first placement, as shares of what that has: run by run, so that what two placements
    share does not widen them.
    """

    evaluations: tuple[Evaluation, ...]
    differences: tuple[Mapping[Metric, Change], ...]


Placed = Placement | Regions | Mapping[int, Regions]
"""A placement as it may be given: a `Placement`, node -> region, or hour -> node -> region."""


def evaluate(problem: Problem, placement: Placed, *, seed: int = 0, samples: int = 2000) -> Evaluation:
    """The metrics of a placement (a `Placement`, node -> region, or hour -> node -> region) and of all-home.

    A run is as likely to start at one hour as at another. `samples` runs are drawn, the same for both. Raises
    InvalidPlacementError if a node or hour is missing or unknown, or a node is where the problem doesn't allow it.
    """
    return compare(problem, [placement], seed=seed, samples=samples).evaluations[0]


def compare(problem: Problem, placements: Sequence[Placed], *, seed: int = 0, samples: int = 2000) -> Comparison:
    """Placements beside each other, as `evaluate` has each of them."""
    check_sampling(seed, samples)
    evaluator = Evaluator(problem, seed, samples)
    days = [_by_hour(problem, placement) for placement in placements]
    placed = [_day(evaluator, [place_positions(problem, one) for one in regions]) for regions in days]
    home = _day(evaluator, [evaluator.home] * len(ALL_HOURS))
    if evaluator.weights is None:
        at_home = Metrics.of(home, None, None)
        return Comparison(tuple(Evaluation(Metrics.of(one, None, None), at_home) for one in placed), ())
    ensemble = Ensemble.among(problem, {region for regions in days for one in regions for region in one.values()})
    observed = [ensemble.day(_parts(regions)) for regions in days]
    home_day = ensemble.home(ALL_HOURS)
    at_home = Metrics.of(home, evaluator.weights, home_day)
    return Comparison(
        tuple(
            Evaluation(Metrics.of(one, evaluator.weights, day), at_home, _changes(day, home_day), ensemble.runs)
            for one, day in zip(placed, observed, strict=True)
        ),
        tuple(_changes(day, observed[0]) for day in observed[1:]),
    )


def _changes(placed: Day, against: Day) -> dict[Metric, Change]:
    return {metric: Change.of(metric, placed, against) for metric in Metric}


def _parts(regions: Sequence[Regions]) -> list[tuple[Regions, list[int]]]:
    """The plans of a day, each with its hours."""
    return [(one, [hour for hour in ALL_HOURS if regions[hour] == one]) for one in _distinct(regions)]


def _distinct(regions: Sequence[Regions]) -> list[Regions]:
    return [one for place, one in enumerate(regions) if one not in regions[:place]]


def _by_hour(problem: Problem, placement: Placed) -> list[Regions]:
    if isinstance(placement, Placement):
        check_origin(problem, placement)
        return [placement.regions_at(hour) for hour in ALL_HOURS]
    if not any(isinstance(key, int) for key in placement):
        return [cast("Regions", placement)] * len(ALL_HOURS)
    by_hour = cast("Mapping[int, Regions]", placement)
    if sorted(by_hour) != list(ALL_HOURS):
        where = f"placement of {problem.workflow.name}"
        raise InvalidPlacementError("lacks an hour", where=where, found=sorted(by_hour), fix="give all hours 0 to 23")
    return [by_hour[hour] for hour in ALL_HOURS]


def _day(evaluator: Evaluator, by_hour: Sequence[Ints]) -> RunByRun:
    """The runs (H, S) of all metrics over a day whose hours may be placed differently."""
    hours: dict[bytes, list[int]] = {}
    for hour, places in enumerate(by_hour):
        hours.setdefault(places.tobytes(), []).append(hour)
    parts = [(len(same), evaluator.details(by_hour[same[0]], same)) for same in hours.values()]
    return {
        metric: np.concatenate(
            [np.broadcast_to(part[metric], (count, part[metric].shape[-1])) for count, part in parts]
        )
        for metric in Metric
    }
