"""Figures for people, the same everywhere: how many digits, in which unit, per cent, and from where to where.

Carbon of a run is in mg or g by its size, money of it per million runs, time in s. JSON keeps the metrics' own units.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from caribou.model.metric import Metric, Scale


def number(value: float, digits: int = 3) -> str:
    """So many digits, without an exponent: 28.2, 1,090, 0.0000037."""
    text = f"{Decimal(f'{value + 0.0:.{digits}g}'):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def on(scale: Scale, digits: int = 3) -> Callable[[float], str]:
    """How values of a metric are shown on a scale, without their unit: for columns and rows that name it."""
    return lambda value: number(value * scale.per_unit, digits)


def amount(metric: Metric, value: float, digits: int = 3) -> str:
    """A value of a metric with its unit: 1.2 mg, 5 USD per million runs, 0.418 s."""
    scale = metric.scale(value)
    return f"{on(scale, digits)(value)} {scale.unit}"


def amounts(metric: Metric, values: tuple[float, ...], digits: int = 3) -> list[str]:
    """Values of a metric in one unit, each with it, to be compared."""
    scale = metric.scale(*values)
    return [f"{on(scale, digits)(value)} {scale.unit}" for value in values]


def change(value: float, home: float) -> str:
    """A value against home's, per cent; `-` if home's is 0."""
    return per_cent(value / home - 1) if home else "-"


def per_cent(share: float, digits: int = 1) -> str:
    """A share as a change, with its sign: -5.5%."""
    return f"{round(share, digits + 2) + 0.0:+.{digits}%}"


def span(low: float, high: float | None, shown: Callable[[float], str]) -> str:
    """An interval, whose upper end may be unknown: `1.2 to 1.4`."""
    return f"{shown(low)} to {'?' if high is None else shown(high)}"
