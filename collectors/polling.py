"""Asking again until there is an answer: of queries that AWS works on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait between two questions, at first and at most, and for how long in all (s).

    A collector in Lambda ends a minute before its time is up, so that no query may take as long.
    """

    first_s: float = 0.25
    longest_s: float = 5.0
    most_s: float = 50.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def until(self, ask: Callable[[], Found | None]) -> Found | None:
        """The first answer that is one, asked for ever more seldom; None if there is none in time."""
        pause_s, end_s = self.first_s, self.clock() + self.most_s
        while (found := ask()) is None and self.clock() + pause_s < end_s:
            self.sleep(pause_s)
            pause_s = min(2 * pause_s, self.longest_s)
        return found
