"""Branch and bound over which runs are given up: for hard limits that couple nearly all nodes.

Notation: at most K of the runs may be above a limit L on a tail. A case says where each node may be, which runs are
held to the limit, and which are given up. All others are left open.

1. Take the case with the lowest bound: that of the linear program with its held runs (`placement_program`).
2. If more runs than may be given up are above a limit in its solution, which may put a node in several regions by
   shares, the one that is most above it is either held or given up: two cases. Every placement that keeps the limit is
   in one of them, and few runs have to be held until the others follow: slow ones are slow wherever their nodes are.
3. Else a node whose region is not decided is in the region that has most of it, or in one of the others: two cases.

A region that adds more to the bound than the incumbent leaves is dropped. A case ends where its bound is not below the
incumbent, nothing meets its rows, or each node has one region: then the placement is scored. Of each solution, the
placement with every node where most of it is is offered to the incumbents of all hours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush

import numpy as np

from caribou.model.metric import LimitKind, Metric
from caribou.solver.search.incumbents import Incumbents
from caribou.solver.search.objective import Bound
from caribou.solver.search.placement_program import LOOSE, Held, PlacementProgram, RunLimit, Shares
from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.lower_bounds import LowerBounds
from caribou.solver.simulation.random_streams import Bools, Floats

MAX_WORK = 700_000_000
"""Simplex iterations times rows of all searches of a solve together: some 20 seconds."""
MAX_COLUMNS = 12_000
"""Of a program that is worth while: one of 50 nodes in 20 regions has 29,000, and its work ends after a few cases."""
DECIDED = 1e-6
"""A share that is nearer to 0 or 1 is taken to be so."""


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """A case: lowest bound first, then the one that was made first."""

    bound: float
    number: int
    places: Bools = field(compare=False)
    held: frozenset[Held] = field(compare=False)
    given_up: frozenset[Held] = field(compare=False)

    def given_up_of(self, limit: int) -> int:
        """How many runs are given up for a limit."""
        return sum(one.limit == limit for one in self.given_up)


class CaseSearch:
    """The search for one of the criteria: `run` improves the incumbents, `rest` bounds what was not looked at.

    `rest` is in the objective's unit, infinite where nothing is left.
    """

    def __init__(
        self,
        incumbents: Incumbents,
        program: PlacementProgram,
        bounds: LowerBounds,
        which: int,
        should_stop: Callable[[], bool],
    ) -> None:
        self.incumbents = incumbents
        self.program = program
        self.bounds = bounds
        self.which = which
        self.should_stop = should_stop
        self._made = 0
        self._offered: set[bytes] = set()
        self._waiting: list[Case] = []
        self._put(Case(-np.inf, 0, program.everywhere, frozenset(), program.hopeless))

    @property
    def rest(self) -> float:
        """No placement that was not looked at has a lower objective."""
        return min((case.bound for case in self._waiting), default=np.inf) * self._unit

    def run(self, most: int) -> None:
        """Until nothing is left, or so much work of the program is done."""
        self.program.minimise(self.bounds, self._unit)
        end = self.program.work + most
        while self._waiting and self.program.work < end and not self.should_stop():
            self._step(heappop(self._waiting))

    @property
    def _unit(self) -> float:
        return self.incumbents.criteria[self.which].scale[0]

    @property
    def _best(self) -> float:
        """The incumbent's objective in units; infinite while it breaks a hard limit."""
        return float(self.incumbents.objectives[self.which]) if self.incumbents.feasible[self.which] else np.inf

    def _put(self, case: Case) -> None:
        self._made += 1
        heappush(self._waiting, replace(case, number=self._made))

    def _beaten(self, bound: float) -> bool:
        return bool(self.incumbents.criteria[self.which].units(np.array(bound * self._unit)) > self._best)

    def _step(self, case: Case) -> None:
        if self._beaten(case.bound):
            return
        shares = self.program.solve(case.places, case.held, self._best + DECIDED)
        if shares is None:
            return
        case = replace(case, bound=max(case.bound, shares.bound))
        if self._beaten(case.bound):
            return
        self._offer(case, shares)
        case = replace(case, places=case.places & ~self._dear(shares))
        if self._beaten(case.bound) or not case.places.any(axis=1).all():
            return
        worst = self._worst(case, shares)
        if worst is not None:
            self._split_by_run(case, worst)
        elif (case.places.sum(axis=1) > 1).any():
            self._split_by_node(case, shares)

    def _offer(self, case: Case, shares: Shares) -> None:
        """Offer the incumbents each node where most of it is, once."""
        places = np.where(case.places, shares.nodes, -1.0).argmax(axis=1)
        if places.tobytes() not in self._offered:
            self._offered.add(places.tobytes())
            self.incumbents.offer(places[np.newaxis])

    def _dear(self, shares: Shares) -> Bools:
        """The regions in which a node makes the bound higher than the incumbent."""
        return np.asarray(shares.bound + np.maximum(shares.reduced, 0.0) > self._best + 2 * DECIDED * abs(self._best))

    def _worst(self, case: Case, shares: Shares) -> Held | None:
        """Of the runs above a limit, if they are more than may be given up, the one that is most above it."""
        found: list[tuple[float, Held]] = []
        for i, limit in enumerate(self.program.limits):
            values = self.program.values(limit, shares)
            values[[one.run for one in case.given_up | case.held if one.limit == i]] = 0.0
            if np.count_nonzero(values > 1 + 2 * LOOSE) > limit.most - case.given_up_of(i):
                found.append((float(values.max()), Held(i, int(values.argmax()))))
        return max(found, key=lambda one: one[0])[1] if found else None

    def _split_by_run(self, case: Case, run: Held) -> None:
        self._put(replace(case, held=case.held | {run}))
        if case.given_up_of(run.limit) < self.program.limits[run.limit].most:
            self._put(replace(case, given_up=case.given_up | {run}))

    def _split_by_node(self, case: Case, shares: Shares) -> None:
        """By the node that matters most of those whose region is not decided; of equals the first."""
        nodes, several = np.where(case.places, shares.nodes, -1.0), case.places.sum(axis=1) > 1
        undecided = several & (nodes.max(axis=1) < 1 - DECIDED)
        node = int(np.where(undecided if undecided.any() else several, self._matter(case.places), -1.0).argmax())
        region = int(nodes[node].argmax())
        here, elsewhere = case.places.copy(), case.places.copy()
        here[node] = False
        here[node, region] = True
        elsewhere[node, region] = False
        self._put(replace(case, places=here))
        self._put(replace(case, places=elsewhere))

    def _matter(self, places: Bools) -> Floats:
        """By how much each node's own part of the objective differs among its regions: (N,)."""
        own = self.bounds.nodes
        return np.asarray(np.where(places, own, -np.inf).max(axis=1) - np.where(places, own, np.inf).min(axis=1))


def searched(
    incumbents: Incumbents, bounds: Sequence[LowerBounds], which: Sequence[int], should_stop: Callable[[], bool]
) -> Floats:
    """Improve some of the incumbents; what no placement that was not looked at is below, by criteria: (H,).

    It is infinite where nothing is left, and -infinite where nothing was done. All have an equal part in the work.
    """
    rest = np.full(len(incumbents.criteria), -np.inf)
    limits = run_limits(incumbents.cache.evaluator, incumbents.criteria[0].bounds)
    if not which or not limits or incumbents.criteria[0].objective == Metric.RUNTIME:
        return rest
    program = PlacementProgram(incumbents.cache.evaluator, incumbents.allowed, limits)
    if program.columns > MAX_COLUMNS:
        return rest
    searches = [CaseSearch(incumbents, program, bounds[i], i, should_stop) for i in which]
    left = [one for one in searches if incumbents.keys[one.which, 1] == 0]
    while left and program.work < MAX_WORK and not should_stop():
        for place, one in enumerate(left):
            one.run((MAX_WORK - program.work) // (len(left) - place))
        left = [one for one in left if one.rest < np.inf]
    for one in searches:
        rest[one.which] = one.rest
    return rest


def run_limits(evaluator: Evaluator, bounds: tuple[Bound, ...]) -> tuple[RunLimit, ...]:
    """The hard limits on the tails of run time and cost."""
    return tuple(
        RunLimit(bound.metric, bound.limit, evaluator.most_above(bound.metric, bound.limit))
        for bound in bounds
        if bound.kind == LimitKind.HARD and not bound.metric.by_hour
    )
