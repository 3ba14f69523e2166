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

    @property
    def heading(self) -> str:
        """What it is called in a table, with the unit."""
        return _FACTS[self].heading

    @property
    def by_hour(self) -> bool:
        """Whether it differs by the hour at which the run starts."""
        return _FACTS[self].by_hour


class _Facts(NamedTuple):
    unit: str
    words: str
    heading: str
    by_hour: bool


_FACTS: Mapping[Metric, _Facts] = {
    Metric.CARBON: _Facts("g", "carbon", "operational carbon, g CO2eq", by_hour=True),
    Metric.COST: _Facts("USD", "cost", "cost, USD", by_hour=False),
    Metric.RUNTIME: _Facts("s", "run time", "run time, s", by_hour=False),
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
