"""Why each node is where it is: what moving it alone would change, which limit forbids that, and which edges pull.

Notation: placement x, node v in region a = x_v, another region b; x[v→b] is x with v moved to b and nothing else.

    change(v, b) = metrics of x[v→b] - metrics of x            on the same drawn runs, averaged over the hours
    pull(v, b, u) = term of the pair (u, v) in x[v→b] - the same in x    of the metric of first priority

A node keeps its region because each move would make the objective worse, or break a limit, or gain nothing. Moves are
ranked by the lower bound of the objective that needs no timing; the `MOVES` best of each node, and the move home, are
scored in full. Nodes that would have to move together are not looked into.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from caribou.model.metric import LimitKind, Metric
from caribou.model.placement import Placement
from caribou.model.schema.problem import Problem
from caribou.solver.search.moves import moved
from caribou.solver.search.objective import Criteria, tails_needed
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.simulation.checks import check_sampling, place_positions
from caribou.solver.simulation.evaluator import Evaluator, Scores
from caribou.solver.simulation.lower_bounds import LowerBounds
from caribou.solver.simulation.precision import EPSILON
from caribou.solver.simulation.random_streams import Ints
from caribou.solver.simulation.worst_corner import candidates, evaluator_of

MOVES = 3
"""How many moves of a node are scored, besides the one home."""


class MoveVerdict(StrEnum):
    """Why a node is not in another region: the objective is worse, or equal, or a limit forbids it; or nothing."""

    WORSE = "worse"
    EQUAL = "equal"
    FORBIDDEN = "forbidden"
    BETTER = "better"


Change = Mapping[Metric, float]
"""What a run takes more, by metric; less if negative. Of a metric that `shows_tail` it is the tail, else the mean."""


@dataclass(frozen=True, slots=True)
class Move:
    """A node moved alone to `region`. `objective` is the change of the metric of first priority, a share of home's.

    `breaks` names the limits that it would not meet (`hard.runtime`), with the highest value and its limit; of soft
    ones those that are met now.
    """

    region: str
    change: Change
    objective: float
    breaks: Mapping[str, tuple[float, float]]

    @property
    def verdict(self) -> MoveVerdict:
        """Why the node is not there."""
        if abs(self.objective) <= EPSILON:
            return MoveVerdict.EQUAL
        if self.objective > 0:
            return MoveVerdict.WORSE
        return MoveVerdict.FORBIDDEN if self.breaks else MoveVerdict.BETTER


@dataclass(frozen=True, slots=True)
class Pull:
    """What traffic with another node adds to the objective if only this node moves to the best other region.

    In the objective's unit; above 0 it keeps the node here, below 0 it draws it there.
    """

    node: str
    amount: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a node is in a region during some hours.

    `moves` are the best ones, in order of the objective. `not_allowed` are regions of the problem that it may not run
    in, `cleaner` those of them whose grid times PUE emits less than the node's region, on average. `pulls` are about
    the first of the moves, strongest first; `hop` is what runs pay for entering at home, of an entry node elsewhere.
    """

    node: str
    region: str
    hours: tuple[int, ...]
    moves: tuple[Move, ...]
    not_allowed: tuple[str, ...]
    cleaner: tuple[str, ...]
    pulls: tuple[Pull, ...]
    hop: Change | None


def explain(problem: Problem, placement: Placement, *, seed: int = 0, samples: int = 2000) -> tuple[Reason, ...]:
    """The reasons, one a node and region that it is in, nodes as in the problem. Raises InvalidPlacementError."""
    check_sampling(seed, samples)
    explainer = _Explainer(candidates(problem), placement, seed, samples)
    return tuple(reason for node in problem.nodes for reason in explainer.reasons(node, problem.node_order.index(node)))


@dataclass(frozen=True)
class _Stay:
    """A node's stay in a region: the hours, and the whole placement (N,) at each."""

    node: int
    region: int
    hours: tuple[int, ...]
    places: tuple[Ints, ...]


@dataclass(frozen=True)
class _Explainer:
    problem: Problem
    placement: Placement
    seed: int
    samples: int

    def reasons(self, name: str, node: int) -> list[Reason]:
        """The reasons of a node, in order of their first hour."""
        return [self._reason(name, stay) for stay in self._stays(node)]

    def _reason(self, name: str, stay: _Stay) -> Reason:
        allowed = self.problem.nodes[name].allowed_regions
        regions = self._evaluator.regions
        not_allowed = tuple(region for region in regions if region not in allowed)
        here = _dirt(self.problem, regions[stay.region])
        before = self._scored(stay.places)
        moves = [self._move(stay, before, target) for target in self._targets(stay)]
        moves.sort(key=lambda move: move.objective)
        return Reason(
            node=name,
            region=regions[stay.region],
            hours=stay.hours,
            moves=tuple(moves),
            not_allowed=not_allowed,
            cleaner=tuple(region for region in not_allowed if _dirt(self.problem, region) < here),
            pulls=self._pulls(stay, moves),
            hop=self._hop(stay),
        )

    @cached_property
    def _evaluator(self) -> Evaluator:
        tails = tails_needed(self.problem.objective, Metric.RUNTIME)
        return evaluator_of(self.problem, self.seed, self.samples, tails)

    @cached_property
    def _without_hop(self) -> Evaluator:
        entry = self.problem.entry.model_copy(update={"plan_read_at_function_probability": 0.0})
        problem = self.problem.model_copy(update={"entry": entry})
        return evaluator_of(problem, self.seed, self.samples, (Metric.RUNTIME,))

    @cached_property
    def _criteria(self) -> dict[int, Criteria]:
        home = self._evaluator.score(self._evaluator.home[np.newaxis])
        return {hour: Criteria.of(self._evaluator, home, hour) for plan in self.placement.plans for hour in plan.hours}

    @cached_property
    def _bounds_by_hour(self) -> dict[int, LowerBounds]:
        return {hour: self._evaluator.lower_bounds(self._objective, hour) for hour in self._criteria}

    @property
    def _objective(self) -> Metric:
        return self.problem.objective.priority[0]

    def _stays(self, node: int) -> list[_Stay]:
        hours: dict[int, list[tuple[int, Ints]]] = {}
        for plan in self.placement.plans:
            places = place_positions(self.problem, plan.regions)
            hours.setdefault(int(places[node]), []).extend((hour, places) for hour in plan.hours)
        by_hour = {region: sorted(pairs, key=lambda pair: pair[0]) for region, pairs in hours.items()}
        return [
            _Stay(node, region, tuple(hour for hour, _ in pairs), tuple(places for _, places in pairs))
            for region, pairs in sorted(by_hour.items(), key=lambda item: item[1][0][0])
        ]

    def _targets(self, stay: _Stay) -> list[int]:
        """The regions whose moves are scored: those of the lowest bounds, and home."""
        regions = [int(region) for region in self._evaluator.allowed[stay.node] if region != stay.region]
        floors = [self._floor(stay, region) for region in regions]
        best = [regions[i] for i in np.argsort(floors, kind="stable")[:MOVES]]
        home = int(self._evaluator.home[stay.node])
        return best if home in best or home == stay.region else [*best, home]

    def _floor(self, stay: _Stay, region: int) -> float:
        floors = [
            self._bounds_by_hour[hour].floor(_moved(places, stay.node, region)[np.newaxis])[0]
            for hour, places in zip(stay.hours, stay.places, strict=True)
        ]
        return float(np.mean(floors))

    def _move(self, stay: _Stay, before: Scores, target: int) -> Move:
        after = self._scored([_moved(places, stay.node, target) for places in stay.places])
        rows = list(enumerate(stay.hours))
        return Move(
            region=self._evaluator.regions[target],
            change=_change(before, after, rows),
            objective=float(np.mean([self._worse(before, after, i, hour) for i, hour in rows])),
            breaks=self._broken(before, after, rows),
        )

    def _worse(self, before: Scores, after: Scores, row: int, hour: int) -> float:
        """The change of the objective at an hour, in units of home's."""
        criteria = self._criteria[hour]
        return float(
            np.subtract(*(criteria.units(scores.mean(self._objective, hour)[row]) for scores in (after, before)))
        )

    def _broken(self, before: Scores, after: Scores, rows: Iterable[tuple[int, int]]) -> dict[str, tuple[float, float]]:
        """The limits that rule the move out at any hour, with the value furthest beyond its limit.

        Hard ones that it does not meet, and soft ones that are met before and not after.
        """
        broken: dict[str, tuple[float, float]] = {}
        for row, hour in rows:
            for bound in self._criteria[hour].bounds:
                counts = bound.kind == LimitKind.HARD or bound.excess(before, hour)[row] == 0
                if counts and bound.excess(after, hour)[row] > 0:
                    found = float(bound.values(after, hour)[row]), bound.limit
                    broken[bound.name] = max(found, broken.get(bound.name, found), key=lambda pair: pair[0] - pair[1])
        return broken

    def _pulls(self, stay: _Stay, moves: Sequence[Move]) -> tuple[Pull, ...]:
        """By neighbour; none of what only timing shows: run time, and who starts a sync node."""
        if not moves:
            return ()
        target, amounts = self._evaluator.regions.index(moves[0].region), dict[str, float]()
        for pair, (source, end) in enumerate(self._evaluator.linked):
            if stay.node in (source, end):
                other = self.problem.node_order[end if source == stay.node else source]
                amounts[other] = amounts.get(other, 0.0) + self._pair_change(stay, target, pair)
        pulls = [Pull(other, amount) for other, amount in amounts.items() if amount]
        return tuple(sorted(pulls, key=lambda pull: -abs(pull.amount)))

    def _pair_change(self, stay: _Stay, target: int, pair: int) -> float:
        source, end = self._evaluator.linked[pair]
        changes = []
        for hour, places in zip(stay.hours, stay.places, strict=True):
            table, there = self._bounds_by_hour[hour].joint[pair], _moved(places, stay.node, target)
            changes.append(table[there[source], there[end]] - table[places[source], places[end]])
        return float(np.mean(changes))

    def _hop(self, stay: _Stay) -> Change | None:
        """The redirect, if the node is the entry and elsewhere: next to the same runs entering where it is."""
        entry = self.problem.entry
        forwarded = entry.redirector is not None and entry.plan_read_at_function_probability > 0
        is_entry = self.problem.node_order[stay.node] == entry.node
        if not (forwarded and is_entry) or stay.region == self._evaluator.home[stay.node]:
            return None
        places = np.array(stay.places)
        return _change(self._without_hop.score(places), self._evaluator.score(places), list(enumerate(stay.hours)))

    @cached_property
    def _cache(self) -> ScoreCache:
        return ScoreCache(self._evaluator)

    def _scored(self, places: Sequence[Ints]) -> Scores:
        """The scores of placements (H, N), each different one scored once."""
        return self._cache.subset(self._cache.positions(np.array(places)))


def _moved(places: Ints, node: int, region: int) -> Ints:
    return np.asarray(moved(places, (node,), np.array([region]))[0])


def _change(before: Scores, after: Scores, rows: Sequence[tuple[int, int]]) -> Change:
    """The mean change over (row, hour)."""
    return {metric: _mean_change(metric, before, after, rows) for metric in Metric}


def _mean_change(metric: Metric, before: Scores, after: Scores, rows: Sequence[tuple[int, int]]) -> float:
    old, new = (scores.tail if metric.shows_tail else scores.mean for scores in (before, after))
    return float(np.mean([new(metric, hour)[row] - old(metric, hour)[row] for row, hour in rows]))


def _dirt(problem: Problem, region: str) -> float:
    """What a kWh of a region's servers emits, g: average intensity times PUE."""
    facts = problem.regions[region]
    return facts.carbon_intensity_g_per_kwh.average * facts.pue
