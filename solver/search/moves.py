"""Placements that a search goes to from another one, and the simple ones that it starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caribou.solver.simulation.evaluator import Evaluator
from caribou.solver.simulation.random_streams import Ints

Nodes = tuple[int, ...]
"""Positions of nodes that move together."""


def groups(evaluator: Evaluator) -> Iterator[Nodes]:
    """Nodes that move together: each one, and the ends of each edge."""
    yield from ((node,) for node in range(len(evaluator.home)))
    yield from evaluator.linked


def moved(places: Ints, nodes: Nodes, regions: Ints) -> Ints:
    """A placement (N,) with these nodes together in each of the regions (r,): (r, N)."""
    candidates = np.repeat(places[np.newaxis], len(regions), axis=0)
    candidates[:, nodes] = regions[:, np.newaxis]
    return candidates


def moves(places: Ints, nodes: Nodes, allowed: Sequence[Ints]) -> Ints:
    """A placement (N,) with these nodes together in each region that all of them are allowed in: (r, N)."""
    regions = allowed[nodes[0]]
    for node in nodes[1:]:
        regions = np.intersect1d(regions, allowed[node])
    return moved(places, nodes, regions)


def single_region_plans(evaluator: Evaluator, allowed: Sequence[Ints]) -> Ints:
    """For each region all nodes that are allowed in it there, the others at home: (R, N)."""
    plans = [
        [region if region in regions else evaluator.home[v] for v, regions in enumerate(allowed)]
        for region in range(len(evaluator.regions))
    ]
    return np.array(plans, dtype=np.intp)
