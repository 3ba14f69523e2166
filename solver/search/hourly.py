"""One of something for each hour of the day, and one for the static plan, which is the same at all hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hourly(Generic[T]):
    """What there is for the hours, in their order, and for the static plan.

    A search by one set of criteria only has no hours: what it is for stands in the static plan's place.
    """

    hours: tuple[T, ...]
    static: T

    @classmethod
    def split(cls, values: Sequence[T]) -> Hourly[T]:
        """From the order of `all`."""
        *hours, static = values
        return cls(tuple(hours), static)

    @property
    def all(self) -> tuple[T, ...]:
        """Those of the hours, then that of the static plan: the order of every array by criteria."""
        return (*self.hours, self.static)
