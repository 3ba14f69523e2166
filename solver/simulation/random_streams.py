"""The chance in a solve: uniform numbers in [0, 1) that depend on the seed and on what they are for, nothing else.

Every placement is scored on the same numbers (common random numbers), so that two placements differ by what they do
and not by luck. Another region, another order of search or more samples do not change the first ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


class Purpose(IntEnum):
    """What a list of numbers decides. The values are part of the solver's results: never reuse one."""

    ENTRY_PAYLOAD = 0
    PLAN_READ_AT_FUNCTION = 1
    REDIRECTOR_RUN = 2
    REDIRECTOR_PAYLOAD = 3
    REDIRECTOR_LATENCY = 4
    NODE_RUN = 5
    EDGE_TAKEN = 6
    EDGE_PAYLOAD = 7
    EDGE_LATENCY = 8
    NOTICE_LATENCY = 9
    COLD_START = 10


@dataclass(frozen=True, slots=True)
class RandomStreams:
    """Samples `first` up to, not including, `end` of a seed's numbers."""

    seed: int
    first: int
    end: int

    @property
    def count(self) -> int:
        """How many samples there are."""
        return self.end - self.first

    def uniform(self, purpose: Purpose, *index: int) -> Floats:
        """One number a sample for a purpose; `index` says which node, edge or notice of the problem, by position."""
        generator = np.random.default_rng([self.seed, int(purpose), *index])
        return generator.random(self.end)[self.first :]

    def pick(self, count: int, purpose: Purpose, *index: int) -> Ints:
        """One position in a list of `count` a sample, each equally likely."""
        return (self.uniform(purpose, *index) * count).astype(np.intp)
