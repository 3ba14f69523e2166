"""Numbers that options take: within a range, and numbers at all."""

from __future__ import annotations

import math
from typing import Any

import click


class Finite(click.FloatRange):
    """A number in a range; NaN is in none, though it is neither too small nor too large."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's
        """The number. Fails as click does."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


class PerCent(click.ParamType[float]):
    """A share that is written in per cent, with its sign: `5%` is 0.05."""

    name = "per cent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's
        """The share. Fails as click does."""
        text = str(value).strip()
        try:
            number = float(text.removesuffix("%"))
        except ValueError:
            number = math.nan
        if not text.endswith("%") or not 0 <= number < math.inf:
            self.fail(f"{value!r} is no share in per cent. Write 5% for a twentieth.", param, ctx)
        return number / 100
