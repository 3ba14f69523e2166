"""What a run is judged by: its metrics, and the limits on them. Nowhere else is a metric named."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
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

    def heading(self, scale: Scale) -> str:
        """What it is called in a table whose values are shown on that scale."""
        return _FACTS[self].heading.format(scale.unit)

    def scale(self, *values: float) -> Scale:
        """The scale that suits the largest of some values, all of which are then shown on it."""
        size = max(map(abs, values), default=0.0)
        return next(scale for scale in _FACTS[self].scales if size >= scale.least)

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


class Scale(NamedTuple):
    """How people are shown values from a size on: in a unit, so many of which are one of the metric's own."""

    unit: str
    per_unit: float = 1.0
    least: float = 0.0


class _Facts(NamedTuple):
    """What is known of a metric; of its scales the first one counts for which a value is large enough."""

    unit: str
    words: str
    heading: str
    meaning: str
    difference: str
    scales: tuple[Scale, ...]
    by_hour: bool = False
    by_tail: bool = False
    tail_is_of_moved: bool = False


_FACTS: Mapping[Metric, _Facts] = {
    Metric.CARBON: _Facts(
        unit="g",
        words="carbon",
        heading="operational carbon, {} CO2eq",
        meaning="g CO2eq (operational) of a run.",
        difference="carbon",
        scales=(Scale("g", least=0.1), Scale("mg", 1e3)),
        by_hour=True,
        tail_is_of_moved=True,
    ),
    Metric.COST: _Facts(
        unit="USD",
        words="cost",
        heading="cost, {}",
        meaning="USD of a run.",
        difference="",
        scales=(Scale("USD per million runs", 1e6),),
        tail_is_of_moved=True,
    ),
    Metric.RUNTIME: _Facts(
        unit="s",
        words="run time",
        heading="run time, {}",
        meaning="Seconds from the start of a run to the end of its last node.",
        difference="tail run time",
        scales=(Scale("s"),),
        by_tail=True,
    ),
}


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
