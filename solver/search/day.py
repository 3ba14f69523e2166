"""What couples the hours of a day: few regions, few moves from one hour to the next, and shares of the day.

**Few regions.** Notation: at most k regions besides home over the day. Branch and bound over sets of regions: solve
with all that are allowed; if more than k are used, the best with k lacks at least one of the used ones, r1, r2, ...:
either it lacks r1, or it has r1 and lacks r2, and so on. Each case is a solve of its own with fewer regions. The case
with the lowest value is next, so the first one that uses at most k is the best of all.

**Few moves.** Among the plans that are best at some hour, and the best static one, the shortest way through the hours
of the day, round to the first again: an hour costs its objective, a node that moves the penalty. Exact among these.

**The day as a whole.** A share of home's carbon in the worst corner is not a mean over hours: what is best in its worst
corner at each hour may be beaten over the day by one plan for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

import numpy as np

from caribou.solver.search.hourly import Hourly
from caribou.solver.search.hours import Choice, DayChoices, DayCriteria, choose
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.simulation.precision import EPSILON
from caribou.solver.simulation.random_streams import Floats, Ints

Value = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Case:
    """Regions that a case lacks and has for sure, and what is best in it."""

    without: frozenset[int]
    having: frozenset[int]
    choices: DayChoices
    value: Value


@dataclass(frozen=True, slots=True)
class _Cases:
    cache: ScoreCache
    criteria: DayCriteria
    most: int
    should_stop: Callable[[], bool]

    def solved(self, without: frozenset[int], having: frozenset[int]) -> _Case:
        left = tuple(np.array([r for r in one if r not in without]) for one in self.cache.evaluator.allowed)
        choices = choose(self.cache, self.criteria, allowed=left, should_stop=self.should_stop)
        return _Case(without, having, choices, self._value(choices.hours))

    def _value(self, hours: Sequence[Choice]) -> Value:
        """Of the hours: how many have no feasible placement, broken soft limits, and the objective, summed up."""
        infeasible = broken = total = 0.0
        for one, choice in zip(self.criteria.hours, hours, strict=True):
            scores = self.cache.subset(self.cache.positions(choice.places[np.newaxis]))
            infeasible += not choice.feasible
            broken += float(one.keys(scores, choice.places[np.newaxis])[0, 1])
            total += float(scores.mean(one.objective, one.hour)[0])
        return infeasible, broken, total

    def used(self, case: _Case) -> frozenset[int]:
        home = int(self.cache.evaluator.home[0])
        return frozenset(int(r) for choice in case.choices.hours for r in choice.places) - {home}

    def accepted(self, case: _Case) -> DayChoices:
        """The choices of a case, whose static plan has to make do with the same regions as the hours."""
        static = frozenset(int(r) for r in case.choices.static.places) - {int(self.cache.evaluator.home[0])}
        if len(static | self.used(case)) <= self.most:
            return case.choices
        return replace(case.choices, static=self.solved(self._all_but(self.used(case)), frozenset()).choices.static)

    def _all_but(self, regions: frozenset[int]) -> frozenset[int]:
        evaluator = self.cache.evaluator
        return frozenset(range(len(evaluator.regions))) - regions - {int(evaluator.home[0])}

    def children(self, case: _Case) -> Iterator[_Case]:
        others = sorted(self.used(case) - case.having)
        for i, region in enumerate(others):
            having = case.having | set(others[:i])
            if len(having) > self.most:
                return
            without = case.without | {region}
            if len(having) == self.most:
                without = self._all_but(having)
            yield self.solved(without, having)


def choose_with_few_regions(
    cache: ScoreCache, criteria: DayCriteria, most: int | None, should_stop: Callable[[], bool]
) -> DayChoices:
    """The best placement by each of the criteria, with at most `most` regions besides home in all of them."""
    cases = _Cases(cache, criteria, len(cache.evaluator.regions) if most is None else most, should_stop)
    root = cases.solved(frozenset(), frozenset())
    waiting, solved = [(root.value, 0, root)], [root]
    while True:
        _, _, case = heappop(waiting)
        if len(cases.used(case)) <= cases.most:
            return _certified(cases.accepted(case), solved)
        for child in cases.children(case):
            solved.append(child)
            heappush(waiting, (child.value, len(solved), child))


def _certified(choices: DayChoices, solved: Sequence[_Case]) -> DayChoices:
    """The choices; if some case was cut short, none is proven, and what bounds all cases is the bound of the first."""
    if len(solved) == 1 or all(choice.proven for case in solved for choice in case.choices.all):
        return choices
    return Hourly.split(
        [
            replace(choice, proven=False, bound=min(choice.bound, first.bound))
            for choice, first in zip(choices.all, solved[0].choices.all, strict=True)
        ]
    )


def with_fewer_moves(cache: ScoreCache, criteria: DayCriteria, choices: DayChoices, penalty: float) -> DayChoices:
    """The hours' choices weighed against moves from hour to hour; the static plan is one of those that may be used."""
    plans = np.unique(np.array([choice.places for choice in choices.all]), axis=0)
    scores = cache.subset(cache.positions(plans))
    keys = np.array([one.keys(scores, plans)[:, :3] for one in criteria.hours])
    broken = keys[:, :, 0] + keys[:, :, 1]
    cost = np.where(broken > broken.min(axis=1, keepdims=True), np.inf, keys[:, :, 2])
    at_home = (plans == cache.evaluator.home).all(axis=1)
    for hour, choice in enumerate(choices.hours):
        if not choice.feasible:
            cost[hour] = np.where(at_home, 0.0, np.inf)
    moves = penalty * (plans[:, np.newaxis] != plans[np.newaxis]).sum(axis=2)
    way = _shortest_round(cost, moves)
    hours = tuple(_moved(choice, plans[i]) for choice, i in zip(choices.hours, way, strict=True))
    return replace(choices, hours=hours)


def with_better_static(
    cache: ScoreCache, criteria: DayCriteria, choices: DayChoices, share: Callable[[Sequence[Ints]], float]
) -> DayChoices:
    """The static plan at all hours, if it is feasible at each, breaks no more soft limits, and its share is lower.

    `share` is of what a placement (N,) an hour counts over the day: what is best at each hour need not be best in it.
    """
    static = choices.static.places
    scores = cache.subset(cache.positions(static[np.newaxis]))
    for one, choice in zip(criteria.hours, choices.hours, strict=True):
        at_hour = cache.subset(cache.positions(choice.places[np.newaxis]))
        excess, violated = one.keys(scores, static[np.newaxis])[0, :2]
        if not choice.feasible or excess > 0 or violated > one.keys(at_hour, choice.places[np.newaxis])[0, 1]:
            return choices
    if share([static] * len(choices.hours)) >= share([choice.places for choice in choices.hours]) - EPSILON:
        return choices
    return replace(choices, hours=tuple(_moved(choice, static) for choice in choices.hours))


def _shortest_round(cost: Floats, moves: Floats) -> Ints:
    """For each hour the plan on the shortest way round: `cost` (H, P), `moves` (P, P)."""
    rounds = [_shortest_from(first, cost, moves) for first in range(cost.shape[1]) if np.isfinite(cost[0, first])]
    return min(rounds, key=lambda one: one[0])[1]


def _shortest_from(first: int, cost: Floats, moves: Floats) -> tuple[float, Ints]:
    least = np.full(cost.shape[1], np.inf)
    least[first] = cost[0, first]
    back = []
    for hour in range(1, len(cost)):
        step = least[:, np.newaxis] + moves
        back.append(step.argmin(axis=0))
        least = step.min(axis=0) + cost[hour]
    closing = least + moves[:, first]
    way = [int(closing.argmin())]
    for pointer in reversed(back):
        way.append(int(pointer[way[-1]]))
    return float(closing.min()), np.array(way[::-1])


def _moved(choice: Choice, places: Ints) -> Choice:
    same = bool((places == choice.places).all())
    return replace(choice, places=places, proven=choice.proven and same)
