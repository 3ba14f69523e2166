"""Which cells, elements and nodes a mesh has, without making them: a few sums, for which numpy need not be loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

DOMAINS = ("square", "l_shape")


@dataclass(frozen=True, slots=True)
class Layout:
    """The unit square, or the L-shape that is left without its upper right quarter, cut into cells.

    `cells` is their number along a side, even for an L-shape. Each cell is two triangles, the elements. Nodes are the
    corners of cells. All are numbered row by row from below, each row from the left.
    """

    domain: str
    cells: int

    @property
    def elements(self) -> int:
        """How many triangles there are."""
        return self.elements_in(range(self.cells))

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return self.first_nodes()[-1]

    def columns(self, row: int) -> int:
        """How many cells a row of cells has."""
        return self.cells // 2 if self.domain == "l_shape" and row >= self.cells // 2 else self.cells

    def node_columns(self, row: int) -> int:
        """How many nodes a row of nodes has: the lines between cells, those below row 0 and above the last too."""
        return self.columns(max(row - 1, 0)) + 1

    def first_nodes(self) -> list[int]:
        """The number of each row's first node; at the end, of the one after the last."""
        return list(accumulate(map(self.node_columns, range(self.cells + 1)), initial=0))

    def elements_in(self, rows: Iterable[int]) -> int:
        """How many triangles are in some rows of cells."""
        return sum(2 * self.columns(row) for row in rows)

    def cut(self, parts: int) -> list[range]:
        """The rows of cells in so many parts, one above the other, each with about as many elements."""
        ends = list(accumulate(2 * self.columns(row) for row in range(self.cells)))
        cuts = [sum(end * parts < part * ends[-1] for end in ends) + 1 for part in range(1, parts)]
        return [range(start, stop) for start, stop in zip([0, *cuts], [*cuts, self.cells], strict=True)]
