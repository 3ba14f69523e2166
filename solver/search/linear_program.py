"""A linear program that is solved again and again, changed a little each time.

The simplex method is HiGHS's (Huangfu and Hall, "Parallelizing the dual revised simplex method", 2018), which goes on
from where it was. What is proven does not rest on its tolerances: any multipliers y of the rows give a bound,

    c x  >=  sum over rows  min over what row i may be of y_i * row_i  +  sum over columns  min of (c - y A)_j * x_j

and that is worked out here, from the multipliers that HiGHS ends with. So every column has finite bounds. Only that
nothing meets the rows is HiGHS's word: let limits be looser than they are by more than its tolerance of 1e-7.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from caribou.solver.simulation.random_streams import Floats, Ints

if TYPE_CHECKING:
    from highspy import Highs

A_PROGRAM = 40
"""What a program counts as, in iterations, before its first: what is done around it takes as long."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the sum of `values` times `columns` is between `lower` and `upper`, which may be infinite."""

    lower: float
    upper: float
    columns: Ints
    values: Floats

    @classmethod
    def of(cls, lower: float, upper: float, *parts: tuple[Ints, Floats | float]) -> Row:
        """A row of parts, each some columns and a factor for each, or for all; columns below 0 are left out."""
        columns = np.concatenate([np.ravel(part) for part, _ in parts])
        values = np.concatenate([np.broadcast_to(factor, np.shape(part)).ravel() for part, factor in parts])
        kept = (columns >= 0) & (values != 0)
        merged, place = np.unique(columns[kept], return_inverse=True)
        return cls(lower, upper, merged, np.bincount(place, values[kept], len(merged)).astype(np.float64))


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A program solved: `values` (C,), a `bound` that no solution is below, and what each column adds to it.

    `reduced` (C,): the bound grows by so much, times what the column differs from the bound that it is at.
    """

    bound: float
    values: Floats
    reduced: Floats


class LinearProgram:
    """Minimise costs times columns, subject to rows. Both are only ever added; their bounds change.

    `work` is what it took so far: simplex iterations times rows, with something for each program.
    """

    def __init__(self) -> None:
        self._highs = _silent()
        self._lower, self._upper, self._costs, self._constant = np.zeros(0), np.zeros(0), np.zeros(0), 0.0
        self._row_lower, self._row_upper = np.zeros(0), np.zeros(0)
        self._columns, self._rows = np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
        self._factors = np.zeros(0)
        self.work = 0

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return len(self._lower)

    def add_columns(self, lower: Floats, upper: Floats) -> Ints:
        """Columns between finite bounds (n,), of cost 0; their positions."""
        first = len(self._lower)
        self._lower, self._upper = np.append(self._lower, lower), np.append(self._upper, upper)
        self._costs = np.append(self._costs, np.zeros(len(lower)))
        empty, none = np.zeros(0, dtype=np.int32), np.zeros(0)
        self._highs.addCols(len(lower), np.zeros(len(lower)), lower, upper, 0, empty, empty, none)
        return np.arange(first, len(self._lower))

    def add_rows(self, rows: Sequence[Row]) -> Ints:
        """Rows; their positions."""
        first, sizes = len(self._row_lower), [len(row.columns) for row in rows]
        lower, upper = np.array([row.lower for row in rows]), np.array([row.upper for row in rows])
        columns = np.concatenate([row.columns for row in rows])
        factors = np.concatenate([row.values for row in rows])
        starts = np.cumsum([0, *sizes[:-1]]).astype(np.int32)
        self._highs.addRows(len(rows), lower, upper, len(columns), starts, columns.astype(np.int32), factors)
        self._row_lower, self._row_upper = np.append(self._row_lower, lower), np.append(self._row_upper, upper)
        self._columns, self._factors = np.append(self._columns, columns), np.append(self._factors, factors)
        self._rows = np.append(self._rows, np.repeat(np.arange(first, first + len(rows)), sizes))
        return np.arange(first, first + len(rows))

    def set_costs(self, costs: Floats, constant: float) -> None:
        """The costs of all columns (C,), and what is added to their sum."""
        self._costs, self._constant = costs, constant
        self._highs.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)

    def set_upper(self, columns: Ints, upper: Floats) -> None:
        """The upper bounds of some columns."""
        self._upper[columns] = upper
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), self._lower[columns], upper)

    def set_row_upper(self, rows: Iterable[int], upper: float) -> None:
        """The same upper bound for some rows."""
        for row in rows:
            self._row_upper[row] = upper
            self._highs.changeRowBounds(int(row), float(self._row_lower[row]), upper)

    def solve(self, enough: float = np.inf) -> Relaxed | None:
        """The optimum, or what is known once its bound is `enough`; None where nothing meets the rows."""
        self._highs.setOptionValue("objective_bound", enough - self._constant)
        self._highs.run()
        self.work += (A_PROGRAM + int(self._highs.getInfo().simplex_iteration_count)) * len(self._row_lower)
        if self._highs.modelStatusToString(self._highs.getModelStatus()) == "Infeasible":
            return None
        solution = self._highs.getSolution()
        if not (solution.value_valid and solution.dual_valid):
            return Relaxed(-np.inf, self._lower, np.zeros(len(self._lower)))
        bound, reduced = self._bound(self._costs, np.asarray(solution.row_dual))
        return Relaxed(self._constant + bound, np.asarray(solution.col_value), reduced)

    def _bound(self, costs: Floats, multipliers: Floats) -> tuple[float, Floats]:
        """What no solution's cost is below, by multipliers of the rows, and what they leave of the costs."""
        bounds = np.where(multipliers > 0, self._row_lower, self._row_upper)
        used = np.where(np.isfinite(bounds), multipliers, 0.0)
        reduced = costs - np.bincount(self._columns, self._factors * used[self._rows], len(costs))
        columns = reduced * np.where(reduced > 0, self._lower, self._upper)
        return float((used * np.where(np.isfinite(bounds), bounds, 0.0)).sum() + columns.sum()), reduced


def _silent() -> Highs:
    """HiGHS, which says nothing, on one thread, so that the same program takes the same way."""
    from highspy import Highs  # noqa: PLC0415 - most solves end without it, and it takes long to import

    highs: Highs = Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)  # noqa: FBT003 - the option's value
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("presolve", "off")
    highs.setOptionValue("solver", "simplex")
    return highs
