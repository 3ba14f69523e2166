"""What a run is judged by: its metrics, and the limits on them. Nowhere else is a metric named."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import inf
from typing import NamedTuple


class Metric(StrEnum):
    """A metric of one run; less is better. In the order of priority that counts where none is given."""

    CARBON = "carbon"
    COST = "cost"
    RUNTIME = "runtime"

    @property
    def unit(self) -> str:
        """The unit of its values."""
        return _FACTS[self].unit

    @property
    def field(self) -> str:
        """Its name where its value stands in a file, with the unit: `carbon_g`."""
        return f"{self}_{self.unit.lower()}"

    @property
    def words(self) -> str:
        """What it is called in a sentence."""
        return _FACTS[self].words

    @property
    def heading(self) -> str:
        """What it is called in a table, with the unit."""
        return _FACTS[self].heading

    @property
    def by_hour(self) -> bool:
        """Whether it differs by the hour at which the run starts."""
        return _FACTS[self].by_hour

    @property
    def meaning(self) -> str:
        """What a limit on it bounds, with the unit."""
        return _FACTS[self].meaning

    @property
    def difference(self) -> str:
        """What more of it is called: `2 mg more carbon`; empty where the unit says it."""
        return _FACTS[self].difference

    @property
    def shows_tail(self) -> bool:
        """Whether a change of it is shown in the tail; else in the mean."""
        return _FACTS[self].by_tail

    @property
    def tail_is_of_moved(self) -> bool:
        """Whether a limit on its tail bounds the runs that a placement moves; else all runs, as users see them."""
        return _FACTS[self].tail_is_of_moved

    def shown(self, value: float, digits: int = 3) -> str:
        """A value of it to so many digits, in the unit that suits its size."""
        facts = _FACTS[self]
        if value >= facts.small_below:
            return f"{_number(value, digits)} {facts.unit}"
        return f"{_number(value * facts.small_per_unit, digits)} {facts.small_unit}"


class _Facts(NamedTuple):
    """What is known of a metric; values below `small_below` are shown in the small unit."""

    unit: str
    words: str
    heading: str
    meaning: str
    difference: str
    small_unit: str
    small_per_unit: float
    small_below: float = 0.1
    by_hour: bool = False
    by_tail: bool = False
    tail_is_of_moved: bool = False


_FACTS: Mapping[Metric, _Facts] = {
    Metric.CARBON: _Facts(
        unit="g",
        words="carbon",
        heading="operational carbon, g CO2eq",
        meaning="g CO2eq (operational) of a run.",
        difference="carbon",
        small_unit="mg",
        small_per_unit=1e3,
        by_hour=True,
        tail_is_of_moved=True,
    ),
    Metric.COST: _Facts(
        unit="USD",
        words="cost",
        heading="cost, USD",
        meaning="USD of a run.",
        difference="",
        small_unit="USD a million runs",
        small_per_unit=1e6,
        small_below=inf,
        tail_is_of_moved=True,
    ),
    Metric.RUNTIME: _Facts(
        unit="s",
        words="run time",
        heading="run time, s",
        meaning="Seconds from the start of a run to the end of its last node.",
        difference="tail run time",
        small_unit="ms",
        small_per_unit=1e3,
        by_tail=True,
    ),
}


def _number(value: float, digits: int) -> str:
    """So many digits, without an exponent: 28.21, 1,094."""
    return f"{float(f'{value:.{digits}g}'):,.10g}"


class LimitKind(StrEnum):
    """Hard limits bound the tail and are kept, soft ones bound the mean and are kept if that can be."""

    HARD = "hard"
    SOFT = "soft"

    @property
    def bounds(self) -> str:
        """What of a metric it bounds, in a word."""
        return "tail" if self is LimitKind.HARD else "mean"


class LimitType(StrEnum):
    """What a limit's value counts in: the metric's unit, or per cent of all nodes at home."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"


def limit_name(kind: LimitKind, metric: Metric) -> str:
    """A limit's name in files, its path in the problem's objective: `hard.runtime`."""
    return f"{kind}.{metric}"


def limit_named(name: str) -> tuple[LimitKind, Metric]:
    """The limit of a name. Raises ValueError for what is none."""
    kind, _, metric = name.partition(".")
    return LimitKind(kind), Metric(metric)
