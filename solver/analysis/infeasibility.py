"""Where no placement meets the hard limits: which limits to relax, as few as can be, and by how much.

Notation: D is a set of limits to relax. Among placements that meet the others, the one that exceeds D's limits least,
in shares of the limits, says what D's limits have to become. Sets are tried from small to large, and the first size
that has an answer has the smallest number of limits; of several of that size the one with the least excess is taken.
For each set a local search (one node, or both ends of an edge, to another region) goes on from all that was scored. So
the limits named are enough, since a placement is known that meets them; that less would not do is not proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from caribou.model.metric import LimitKind
from caribou.solver.search.moves import groups, moves
from caribou.solver.search.objective import Bound, Criteria
from caribou.solver.search.score_cache import ScoreCache
from caribou.solver.simulation.precision import significant
from caribou.solver.simulation.random_streams import Floats, Ints


def limits_to_relax(cache: ScoreCache, criteria: Sequence[Criteria]) -> list[dict[str, Any]]:
    """The limits of a plan for some hours, each with its `limit` and what is `needed`; of all hours the most."""
    needed: dict[str, tuple[float, float]] = {}
    known: dict[tuple[int, tuple[Bound, ...]], dict[Bound, float]] = {}
    for one in criteria:
        hard = tuple(bound for bound in one.bounds if bound.kind == LimitKind.HARD)
        case = (one.hour if any(bound.metric.by_hour for bound in hard) else 0, hard)
        if case not in known:
            known[case] = _needed(cache, hard, one.hour)
        for bound, value in known[case].items():
            worst = needed.get(bound.name, (bound.limit, 0.0))
            needed[bound.name] = max(worst, (bound.limit, value), key=lambda pair: pair[1] - pair[0])
    return [
        {"name": name, "limit": significant(limit), "needed": significant(value)}
        for name, (limit, value) in needed.items()
    ]


def _needed(cache: ScoreCache, hard: Sequence[Bound], hour: int) -> dict[Bound, float]:
    for size in range(1, len(hard) + 1):
        tried = [(dropped, _least(cache, hard, dropped, hour)) for dropped in combinations(hard, size)]
        able = [(key[1], dropped, position) for dropped, (key, position) in tried if key[0] == 0]
        if able:
            _, dropped, position = min(able, key=lambda entry: entry[0])
            scores = cache.subset(np.array([position]))
            values = {bound: float(bound.values(scores, hour)[0]) for bound in dropped}
            return {bound: value for bound, value in values.items() if value > bound.limit}
    return {}


def _least(
    cache: ScoreCache, hard: Sequence[Bound], dropped: Sequence[Bound], hour: int
) -> tuple[tuple[float, float], int]:
    """The least key (excess over the other limits, over the dropped ones) found, and where it is in the cache."""
    best = -1
    while True:
        keys = _keys(cache, hard, dropped, hour)
        order = np.lexsort(keys.T[::-1])
        if best >= 0 and tuple(keys[order[0]]) >= tuple(keys[best]):
            return (float(keys[best, 0]), float(keys[best, 1])), best
        best = int(order[0])
        cache.positions(_neighbours(cache, cache.places[best]))


def _keys(cache: ScoreCache, hard: Sequence[Bound], dropped: Sequence[Bound], hour: int) -> Floats:
    nothing = np.zeros(len(cache))
    kept = sum((b.excess(cache.scores, hour) for b in hard if b not in dropped), nothing)
    return np.stack([kept, sum((b.excess(cache.scores, hour) for b in dropped), nothing)], axis=1)


def _neighbours(cache: ScoreCache, places: Ints) -> Ints:
    """All placements with one node, or both ends of an edge, in another region."""
    evaluator = cache.evaluator
    found = [moves(places, nodes, evaluator.allowed) for nodes in groups(evaluator)]
    return np.unique(np.concatenate([places[np.newaxis], *found]), axis=0)
