"""Better placements where branch and bound does not end soon: tight limits, for which a local search alone gets stuck.

1. **Guided starts.** The least of objective + w * mean cost over all placements is found along the tree of the floors,
   for some weights w; a local search starts from each. A limit on the tail of cost is nearly one on its mean, and
   what is dear is mostly what is slow.
2. **Neighbourhoods.** Some nodes are free, the others stay where the incumbent has them: a branch and bound of its own,
   small enough to end. Free nodes are neighbours in topological order, or drawn. It ends when as many neighbourhoods as
   there are nodes have brought nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from caribou.model.metric import Metric
from caribou.solver.search.branch_and_bound import Bounding, BranchAndBound
from caribou.solver.search.hourly import Hourly
from caribou.solver.search.incumbents import Incumbents
from caribou.solver.search.local_search import LocalSearch
from caribou.solver.simulation.lower_bounds import FloorTables, LowerBounds
from caribou.solver.simulation.random_streams import Ints

WEIGHTS = (2.0, 4.0, 8.0)
"""How much mean cost counts in a guided start, both in units of home's."""
FREE = 6
"""Nodes of a neighbourhood that are free."""
WORK = 200_000
"""Of the branch and bound in a neighbourhood."""
MOST = 4
"""Neighbourhoods at most, as a multiple of the nodes."""


@dataclass(frozen=True, slots=True)
class LargeNeighbourhood:
    """The improvement of all incumbents; that of the static plan leads: starts and neighbourhoods are its own."""

    incumbents: Incumbents
    bounds: Sequence[LowerBounds]
    bounding: Callable[[tuple[Ints, ...]], Bounding]
    should_stop: Callable[[], bool]

    def run(self) -> None:
        """Until nothing brings anything, or it is time to stop."""
        for start in self._starts():
            if self.should_stop():
                return
            self._local_from(start)
        self._neighbourhoods()

    def _starts(self) -> Iterator[Ints]:
        evaluator, static = self.incumbents.cache.evaluator, self.incumbents.static
        objective = self.bounds[static]
        cost = evaluator.lower_bounds(Metric.COST, self.incumbents.criteria[static].hour, objective.allowed)
        home = evaluator.home[np.newaxis]
        unit = float(objective.floor(home)[0] / max(cost.floor(home)[0], 1e-30))
        for weight in WEIGHTS:
            both = replace(
                objective,
                nodes=objective.nodes + weight * unit * cost.nodes,
                joint=objective.joint + weight * unit * cost.joint,
            )
            yield FloorTables.of([both]).least

    def _local_from(self, start: Ints) -> None:
        """A local search of its own for the static plan; what it finds is offered to all."""
        static = Hourly((), self.incumbents.criteria[self.incumbents.static])
        own = Incumbents(self.incumbents.cache, static, self.incumbents.allowed, start)
        LocalSearch(own, self.bounds[self.incumbents.static], own.static).run()
        self.incumbents.offer(own.places)

    def _neighbourhoods(self) -> None:
        nodes = self.incumbents.places.shape[1]
        rng = np.random.default_rng([self.incumbents.cache.evaluator.seed, nodes])
        nothing = 0
        for turn in range(MOST * nodes):
            if nothing > nodes or self.should_stop():
                return
            free = self._window(turn // 2) if turn % 2 else rng.choice(nodes, min(FREE, nodes), replace=False)
            nothing = 0 if self._branched(free) else nothing + 1

    def _window(self, first: int) -> Ints:
        nodes = self.incumbents.places.shape[1]
        return np.asarray(np.arange(first, first + min(FREE, nodes)) % nodes)

    def _branched(self, free: Ints) -> bool:
        """Whether some nodes, the others held, can be better placed."""
        before = self.incumbents.keys.copy()
        held = self.incumbents.places[self.incumbents.static]
        allowed = tuple(
            regions if node in free else held[node : node + 1] for node, regions in enumerate(self.incumbents.allowed)
        )
        BranchAndBound(self.incumbents, self.bounding(allowed), self.should_stop).run(WORK)
        return bool((self.incumbents.keys != before).any())
