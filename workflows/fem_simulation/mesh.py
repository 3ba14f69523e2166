"""The mesh: where its nodes are, and which of them each element joins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from layout import Layout
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

SHAKE = 0.4
"""Width of the square that an inner node is moved in, in sides of a cell: no two elements are alike, none is flat."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """Where the nodes are, and which are on the boundary."""

    x: Floats
    y: Floats
    on_boundary: NDArray[np.bool_]


def nodes_of(layout: Layout, shake: float = SHAKE) -> Nodes:
    """The nodes. Inner ones are moved off the grid, by chance that is the same each time."""
    counts = [layout.node_columns(row) for row in range(layout.cells + 1)]
    column = np.concatenate([np.arange(count) for count in counts])
    row = np.repeat(np.arange(layout.cells + 1), counts)
    inner = _is_inner(layout, column, row)
    side = 1.0 / layout.cells
    x = (column + inner * shake * _chance(column, row)) * side
    y = (row + inner * shake * _chance(row + layout.cells, column)) * side
    return Nodes(x, y, ~inner)


def triangles_in(layout: Layout, rows: Iterable[int]) -> Integers:
    """The nodes of each element in some rows of cells, counter-clockwise: an array of three columns."""
    first = layout.first_nodes()
    found = [np.empty((0, 3), np.int32)]
    for row in rows:
        below = first[row] + np.arange(layout.columns(row), dtype=np.int32)
        above = below - first[row] + first[row + 1]
        corners = np.stack([below, below + 1, above + 1, below, above + 1, above], axis=1)
        found.append(corners.reshape(-1, 3).astype(np.int32))
    return np.concatenate(found)


def sampled(layout: Layout, values: Floats, stride: int) -> Floats:
    """Rows of x, y and value: the first node of each `stride` in every row of each `stride`."""
    nodes, first = nodes_of(layout), layout.first_nodes()
    rows = range(0, layout.cells + 1, stride)
    kept = np.concatenate([first[row] + np.arange(0, layout.node_columns(row), stride) for row in rows])
    return np.stack([nodes.x[kept], nodes.y[kept], values[kept]], axis=1)


def _is_inner(layout: Layout, column: Any, row: Any) -> Any:  # noqa: ANN401 - arrays of whole numbers
    half = layout.cells // 2
    right_end = np.where((row >= half) & (layout.domain == "l_shape"), half, layout.cells)
    return (column > 0) & (column < right_end) & (row > 0) & (row < layout.cells)


def _chance(i: Any, j: Any) -> Any:  # noqa: ANN401 - arrays of whole numbers
    """Numbers from -0.5 to 0.5 that look like chance, out of whole numbers."""
    return (i * 7919 + j * 104_729 + i * j * 31) % 1009 / 1008 - 0.5
