"""What a placement emits, costs and takes over a day, next to all nodes at home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from caribou.model.errors import InvalidInputError, InvalidPlacementError
from caribou.model.metric import Metric
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.schema.problem import Problem
from caribou.solver.simulation.bootstrap import mean_interval
from caribou.solver.simulation.evaluator import Evaluator, RunByRun
from caribou.solver.simulation.precision import significant
from caribou.solver.simulation.random_streams import Floats, Ints
from caribou.solver.simulation.weights import RunWeights, percentile

NORMAL_95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution
MIN_SAMPLES = 20  # for a 95th percentile to say anything

Regions = Mapping[str, str]
"""Node to region."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean and 95th percentile of a metric over the runs, and the 95 % confidence interval of the mean."""

    mean: float
    p95: float
    ci95: tuple[float, float]

    @classmethod
    def of(cls, runs: Floats, weights: RunWeights | None = None) -> Estimate:
        """The estimate from drawn runs (S,), or the same runs at several hours (H, S), each hour as likely.

        Of observed runs, with their weights (S,), the interval is that of the bootstrap: docs/model.md.
        """
        by_run = runs.mean(axis=0) if runs.ndim == 2 else runs
        if weights is not None:
            hours = np.atleast_2d(runs)
            every = np.tile(weights.each, len(hours)) / len(hours)
            tail = float(percentile(hours.reshape(1, -1), 95, every)[0])
            return cls(float(by_run @ weights.each), tail, mean_interval(weights.by_run(by_run)))
        mean = float(by_run.mean())
        half = NORMAL_95 * float(by_run.std(ddof=1)) / float(np.sqrt(len(by_run)))
        return cls(mean, float(np.percentile(runs, 95)), (mean - half, mean + half))

    def to_json(self) -> dict[str, object]:
        """As in a placement's file, rounded to the digits that mean something."""
        return {
            "mean": significant(self.mean),
            "p95": significant(self.p95),
            "ci95": [significant(end) for end in self.ci95],
        }


@dataclass(frozen=True, slots=True)
class Metrics:
    """Each metric of one run, in its unit: `metrics[Metric.CARBON]`."""

    estimates: Mapping[Metric, Estimate]

    @classmethod
    def of(cls, runs: RunByRun, weights: RunWeights | None) -> Metrics:
        """The metrics of drawn runs, or of observed ones with their weights."""
        return cls({metric: Estimate.of(values, weights) for metric, values in runs.items()})

    def __getitem__(self, metric: Metric) -> Estimate:
        return self.estimates[metric]

    def to_json(self) -> dict[str, object]:
        """As in a placement's file."""
        return {metric.field: estimate.to_json() for metric, estimate in self.estimates.items()}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A placement and all-home on the same drawn runs, over the day."""

    placed: Metrics
    home: Metrics

    def to_json(self) -> dict[str, object]:
        """Both as a JSON object."""
        return {"metrics": self.placed.to_json(), "home_metrics": self.home.to_json()}


def evaluate(
    problem: Problem,
    placement: Placement | Regions | Mapping[int, Regions],
    *,
    seed: int = 0,
    samples: int = 2000,
) -> Evaluation:
    """The metrics of a placement (a `Placement`, node -> region, or hour -> node -> region) and of all-home.

    A run is as likely to start at one hour as at another. `samples` runs are drawn, the same for both. Raises
    InvalidPlacementError if a node or hour is missing or unknown, or a node is where the problem doesn't allow it.
    """
    check_sampling(seed, samples)
    evaluator = Evaluator(problem, seed, samples)
    by_hour = [place_positions(problem, regions) for regions in _by_hour(problem, placement)]
    home = [evaluator.home] * len(ALL_HOURS)
    weights = evaluator.weights
    return Evaluation(Metrics.of(_day(evaluator, by_hour), weights), Metrics.of(_day(evaluator, home), weights))


def place_positions(problem: Problem, regions: Regions) -> Ints:
    """Node -> region as a row of region positions, nodes in topological order. Raises InvalidPlacementError."""
    where = f"placement of {problem.workflow.name}"
    if unknown := sorted(set(regions) - set(problem.nodes)):
        known = ", ".join(problem.nodes)
        raise InvalidPlacementError("names an unknown node", where=where, found=unknown[0], fix=f"use {known}")
    for name, node in problem.nodes.items():
        allowed = ", ".join(node.allowed_regions)
        if name not in regions:
            raise InvalidPlacementError("lacks a node", where=where, found=name, fix=f"give it one of {allowed}")
        if regions[name] not in node.allowed_regions:
            raise InvalidPlacementError(
                f"puts {name} where it is not allowed", where=where, found=regions[name], fix=f"use one of {allowed}"
            )
    names = list(problem.regions)
    return np.array([names.index(regions[name]) for name in problem.node_order], dtype=np.intp)


def check_sampling(seed: int, samples: int) -> None:
    """Raise InvalidInputError unless the seed is not negative and the samples are enough."""
    if seed < 0:
        raise InvalidInputError("is negative", where="seed", found=seed, fix="use 0 or more")
    if samples < MIN_SAMPLES:
        raise InvalidInputError("is too small for a tail", where="samples", found=samples, fix=f"use {MIN_SAMPLES}")


def _by_hour(problem: Problem, placement: Placement | Regions | Mapping[int, Regions]) -> list[Regions]:
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


def check_origin(problem: Problem, placement: Placement) -> None:
    """Raise InvalidPlacementError unless the placement is for the problem's workflow, version and home."""
    for what, mine, theirs in (
        ("is for another workflow", placement.workflow, problem.workflow.name),
        ("is for another version of the workflow", placement.workflow_version, problem.workflow.version),
        ("has another home region", placement.home_region, problem.home_region),
    ):
        if mine != theirs:
            found = f"{mine}, expected {theirs}"
            raise InvalidPlacementError(what, where="placement", found=found, fix="use it with its own problem")


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
