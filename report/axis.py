"""An axis of a picture: where a value lies, which ticks it has, and that it does not begin at 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from caribou.model.metric import Metric, Scale
from caribou.report.units import number

FEWEST_TICKS = 3


@dataclass(frozen=True, slots=True)
class Axis:
    """From a metric's values to pixels: `low` lies at `start`, `high` at `end`, both on a scale for people."""

    low: float
    high: float
    start: float
    end: float
    scale: Scale

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, metric: Metric) -> Axis:
        """An axis over values, with some room at both ends."""
        scale = metric.scale(*values)
        low, high = min(values) * scale.per_unit, max(values) * scale.per_unit
        room = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
        return cls(max(0.0, low - room), high + room, start, end, scale)

    def at(self, value: float) -> float:
        """The pixel of a value in the metric's own unit."""
        return self.pixel(value * self.scale.per_unit)

    def pixel(self, shown: float) -> float:
        """The pixel of a value on the scale."""
        return self.start + (shown - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def step(self) -> float:
        """Between ticks: the largest of 1, 2 or 5 times a power of ten that leaves at least three of them."""
        power = 10.0 ** floor(log10(self.high - self.low))
        steps = (power * factor for factor in (5, 2, 1, 0.5, 0.2, 0.1))
        return next(step for step in steps if floor(self.high / step) - ceil(self.low / step) >= FEWEST_TICKS - 1)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Round values with their texts, all with as many decimals."""
        step = self.step
        decimals = max(0, -floor(log10(step)))
        numbers = range(ceil(self.low / step), floor(self.high / step) + 1)
        return [(step * number, f"{step * number:,.{decimals}f}") for number in numbers]

    @property
    def note(self) -> str:
        """That it does not begin at 0, where it does not."""
        return f" (from {number(self.low, 4)}, not 0)" if self.low > 0 else ""
