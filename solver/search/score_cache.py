"""The placements that a solve has scored: each once, for all hours. Home is the first."""

from __future__ import annotations

import numpy as np

from caribou.solver.simulation.evaluator import Evaluator, Scores
from caribou.solver.simulation.random_streams import Ints


class ScoreCache:
    """Scored placements, `places` (n, N) and `scores` alike, home first. Only ever grows."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.places: Ints = evaluator.home[np.newaxis]
        self.scores: Scores = evaluator.score(self.places)
        self._position = {self.places[0].tobytes(): 0}

    def __len__(self) -> int:
        return len(self.places)

    def positions(self, places: Ints) -> Ints:
        """Where placements (n, N) are in the cache; scores those that are not."""
        keys = [row.tobytes() for row in places]
        new = {key: i for i, key in enumerate(keys) if key not in self._position}
        if new:
            self._add(places[sorted(new.values())])
        return np.array([self._position[key] for key in keys], dtype=np.intp)

    def subset(self, positions: Ints) -> Scores:
        """The scores of some of the placements."""
        return self.scores.of(positions)

    def _add(self, places: Ints) -> None:
        for i, row in enumerate(places):
            self._position[row.tobytes()] = len(self.places) + i
        self.places = np.concatenate([self.places, places])
        self.scores = Scores.joined([self.scores, self.evaluator.score(places)])
