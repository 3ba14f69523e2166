"""The frontier of carbon, cost and tail latency: what a looser limit would bring, or a tighter one take.

Notation: placement x; mean carbon g(x) and mean cost c(x) of a run at the overall average intensities; tail run time
t(x), the problem's percentile. x is on the frontier if no placement is at least as good in all three, better in one.

Epsilon constraints: minimise g(x) subject to t(x) <= T and c(x) <= C, on a grid of n by n pairs (T, C), and no limit at
all. Each solve is the solver's own, with its certificate: an optimal point is on the frontier of all placements, on the
drawn runs. T runs from the quickest of home, the regions alone and the cheapest placement up to t of the least carbon,
C likewise; both in even steps. A pair whose limits an earlier optimum of looser ones already meets needs no solve.

The problem's own limits do not count, the frontier is what they are chosen from: each point says whether it is within
them, and `chosen` is the best that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from caribou.model.metric import LimitKind, LimitType, Metric
from caribou.model.placement import Placement, PlanStatus
from caribou.model.schema.problem import Objective, Problem, ProblemLimit
from caribou.solver.search.moves import single_region_plans
from caribou.solver.search.objective import Criteria, tails_needed
from caribou.solver.simulation.carbon_and_cost import AVERAGE
from caribou.solver.simulation.checks import place_positions
from caribou.solver.simulation.evaluator import Evaluator, Scores
from caribou.solver.simulation.precision import EPSILON, significant
from caribou.solver.simulation.random_streams import Ints

FRONTIER_SCHEMA = "caribou.frontier/1"
LEVELS = 5
"""How many limits on run time and on cost are tried: at most LEVELS² + 3 solves."""
_LEAST_LIMIT = 1e-300  # a limit has to be above 0

Solve = Callable[[Problem], Placement]
"""From a problem to a placement, with seed, samples and limits on time bound: `caribou.solver.solve`."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a run takes: mean carbon, mean cost, tail run time."""

    carbon_g: float
    cost_usd: float
    runtime_tail_s: float

    def to_json(self) -> dict[str, float]:
        """As in the frontier's file."""
        return {
            "carbon_g": significant(self.carbon_g),
            "cost_usd": significant(self.cost_usd),
            "runtime_tail_s": significant(self.runtime_tail_s),
        }

    def at_most(self, other: Amounts) -> bool:
        """Whether it is no worse in anything."""
        mine, theirs = self._values(), other._values()
        return all(a <= b * (1 + EPSILON) for a, b in zip(mine, theirs, strict=True))

    def _values(self) -> tuple[float, float, float]:
        return self.carbon_g, self.cost_usd, self.runtime_tail_s


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper limits of a solve: on mean cost and on tail run time; infinity for none."""

    cost_usd: float = np.inf
    runtime_tail_s: float = np.inf

    def to_json(self) -> dict[str, float | None]:
        """As in the frontier's file; null for none."""
        values = {"cost_usd": self.cost_usd, "runtime_tail_s": self.runtime_tail_s}
        return {name: significant(value) if np.isfinite(value) else None for name, value in values.items()}

    def met_by(self, amounts: Amounts) -> bool:
        """Whether a run is within them."""
        met_cost = amounts.cost_usd <= self.cost_usd * (1 + EPSILON)
        return met_cost and amounts.runtime_tail_s <= self.runtime_tail_s * (1 + EPSILON)

    def within(self, other: Limits) -> bool:
        """Whether they are as tight in both, or tighter."""
        return self.cost_usd <= other.cost_usd and self.runtime_tail_s <= other.runtime_tail_s


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Point:
    """A placement of the frontier, the limits it is best for, and its certificate: status, bound and gap on carbon."""

    regions: Mapping[str, str]
    amounts: Amounts
    limits: Limits
    certificate: Mapping[str, Any]
    within_limits: bool = False
    chosen: bool = False

    def settles(self, limits: Limits) -> bool:
        """Whether it is the optimum for looser limits and within these: then it is theirs too."""
        return (
            self.certificate["status"] == PlanStatus.OPTIMAL
            and limits.within(self.limits)
            and limits.met_by(self.amounts)
        )

    def to_json(self) -> dict[str, Any]:
        """As in the frontier's file."""
        return {
            "regions": dict(self.regions),
            **self.amounts.to_json(),
            "limits": self.limits.to_json(),
            **self.certificate,
            "within_limits": self.within_limits,
            "chosen": self.chosen,
        }


@dataclass(frozen=True, slots=True)
class Frontier:
    """The points, least carbon first, next to home. `own_limits`: the problem's hard ones, in their metric's unit."""

    problem: Problem
    home: Amounts
    points: tuple[Point, ...]
    own_limits: Mapping[Metric, float]
    solves: int

    def to_json(self) -> dict[str, Any]:
        """The frontier as a JSON object: see docs/solve.md."""
        problem = self.problem
        return {
            "schema": FRONTIER_SCHEMA,
            "workflow": problem.workflow.name,
            "workflow_version": problem.workflow.version,
            "home_region": problem.home_region,
            "tail_percentile": problem.objective.tail_percentile,
            "solves": self.solves,
            "home": self.home.to_json(),
            "own_limits": {name: significant(limit) for name, limit in self.own_limits.items()},
            "points": [point.to_json() for point in self.points],
        }


def frontier(problem: Problem, solve: Solve, *, seed: int, samples: int, levels: int = LEVELS) -> Frontier:
    """The frontier at the overall average intensities. `solve` draws with the same seed and samples."""
    scoring = _Scoring(problem, seed, samples)
    sweep = _Sweep(scoring, solve)
    sweep.best(NO_LIMITS)
    least = sweep.points[0].amounts
    cheapest = sweep.point(_objective(problem, NO_LIMITS, (Metric.COST, Metric.CARBON, Metric.RUNTIME))).amounts
    corners = [*scoring.simple, cheapest]
    runtimes = _levels([corner.runtime_tail_s for corner in corners], least.runtime_tail_s, levels)
    costs = _levels([corner.cost_usd for corner in corners], least.cost_usd, levels)
    for runtime, cost in product(runtimes, costs):
        sweep.best(Limits(cost, runtime))
    return _frontier(scoring, sweep, sweep.point(problem.objective))


class _Scoring:
    """Amounts of placements, and whether they are within the problem's hard limits, at the average intensities."""

    def __init__(self, problem: Problem, seed: int, samples: int) -> None:
        self.problem = problem
        self._evaluator = Evaluator(problem, seed, samples, tails_needed(problem.objective, Metric.RUNTIME))
        home = self._evaluator.score(self._evaluator.home[np.newaxis])
        self._bounds = [b for b in Criteria.of(self._evaluator, home, AVERAGE).bounds if b.kind == LimitKind.HARD]
        self.home = _amounts(home)[0]

    @property
    def own_limits(self) -> dict[Metric, float]:
        """The hard limits by metric, in its unit."""
        return {bound.metric: bound.limit for bound in self._bounds}

    @property
    def simple(self) -> list[Amounts]:
        """Home, and all nodes that may be there in each region, the others at home."""
        places = single_region_plans(self._evaluator, self._evaluator.allowed)
        return [self.home, *_amounts(self._evaluator.score(places))]

    def amounts(self, placements: Sequence[Mapping[str, str]]) -> list[Amounts]:
        """The amounts of placements."""
        return _amounts(self._evaluator.score(self._places(placements)))

    def within_limits(self, placements: Sequence[Mapping[str, str]]) -> list[bool]:
        """Whether placements are within the problem's hard limits."""
        scores = self._evaluator.score(self._places(placements))
        over = sum((bound.excess(scores, AVERAGE) for bound in self._bounds), np.zeros(len(placements)))
        return [bool(excess <= EPSILON) for excess in over]

    def _places(self, placements: Sequence[Mapping[str, str]]) -> Ints:
        return np.array([place_positions(self.problem, regions) for regions in placements])


class _Sweep:
    """The solves of a frontier, and what they found."""

    def __init__(self, scoring: _Scoring, solve: Solve) -> None:
        self._scoring, self._solve = scoring, solve
        self._flat = _at_average(scoring.problem)
        self.points: list[Point] = []
        self.solves = 0

    def best(self, limits: Limits) -> None:
        """Add the point of least carbon within limits, if there is one and it is not known yet."""
        if any(point.settles(limits) for point in self.points):
            return
        point = self.point(
            _objective(self._scoring.problem, limits, (Metric.CARBON, Metric.COST, Metric.RUNTIME)), limits
        )
        if limits.met_by(point.amounts):
            self.points.append(point)

    def point(self, objective: Objective, limits: Limits = NO_LIMITS) -> Point:
        """The best placement for an objective."""
        self.solves += 1
        plan = self._solve(self._flat.model_copy(update={"objective": objective})).plans[0]
        certificate = {key: plan.report[key] for key in ("status", "objective", "bound", "gap")}
        return Point(plan.regions, self._scoring.amounts([plan.regions])[0], limits, certificate)


def _at_average(problem: Problem) -> Problem:
    """The problem with the overall average intensity at every hour: one plan for the day."""
    regions = {}
    for name, facts in problem.regions.items():
        grid = facts.carbon_intensity_g_per_kwh
        flat = grid.model_copy(update={"hourly": (grid.average,) * len(grid.hourly)})
        regions[name] = facts.model_copy(update={"carbon_intensity_g_per_kwh": flat})
    return problem.model_copy(update={"regions": regions})


def _objective(problem: Problem, limits: Limits, priority: tuple[Metric, ...]) -> Objective:
    """Limits as the solver has them: hard ones bound a tail, soft ones a mean, and come before the priority."""
    return Objective(
        priority=priority,
        hard=_limit(Metric.RUNTIME, limits.runtime_tail_s),
        soft=_limit(Metric.COST, limits.cost_usd),
        tail_percentile=problem.objective.tail_percentile,
    )


def _limit(metric: Metric, value: float) -> dict[Metric, ProblemLimit]:
    if not np.isfinite(value):
        return {}
    return {metric: ProblemLimit(type=LimitType.ABSOLUTE, value=max(value * (1 + EPSILON), _LEAST_LIMIT))}


def _levels(corners: Iterable[float], most: float, count: int) -> list[float]:
    """Limits from the least of the corners up to the most, loosest first."""
    least = min(*corners, most)
    return [float(level) for level in np.linspace(most, least, count)]


def _frontier(scoring: _Scoring, sweep: _Sweep, chosen: Point) -> Frontier:
    """The points that no other one is better than, and the chosen one."""
    found = [chosen]
    for point in sweep.points:
        if all(point.regions != other.regions for other in found):
            found.append(point)
    kept = [point for point in found if point is chosen or not any(_beats(other, point) for other in found)]
    within = scoring.within_limits([point.regions for point in kept])
    points = [replace(p, within_limits=w, chosen=p is chosen) for p, w in zip(kept, within, strict=True)]
    points.sort(key=lambda point: (point.amounts.carbon_g, point.amounts.runtime_tail_s, point.amounts.cost_usd))
    return Frontier(scoring.problem, scoring.home, tuple(points), scoring.own_limits, sweep.solves)


def _beats(one: Point, other: Point) -> bool:
    return one.amounts.at_most(other.amounts) and not other.amounts.at_most(one.amounts)


def _amounts(scores: Scores) -> list[Amounts]:
    carbon, tails = scores.mean(Metric.CARBON, AVERAGE), scores.tail(Metric.RUNTIME, AVERAGE)
    rows = zip(carbon, scores.mean(Metric.COST, AVERAGE), tails, strict=True)
    return [Amounts(float(g), float(usd), float(seconds)) for g, usd, seconds in rows]
