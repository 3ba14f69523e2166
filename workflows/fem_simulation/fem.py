"""Linear finite elements on triangles: the equations of a mesh, their solution, and its errors.

Notation: φ_i is the function that is linear on each triangle, 1 at node i and 0 at the other nodes. The solution
u_h = sum_j u_j φ_j solves  sum_j K_ij u_j = F_i  at inner nodes, and is u at the others, with

    K_ij = ∫ k grad φ_i · grad φ_j,    F_i = ∫ f φ_i.

Sums are in an order of their own, so that a run's result does not depend on how the mesh was cut. A node lies between
an even and an odd row of cells. What even rows give and what odd rows give is added up apart, and as parts are whole
rows, each entry of K and F is in the end a sum of two numbers, whichever parts they come from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from layout import Layout
from mesh import Floats, Integers, nodes_of, triangles_in
from poisson import Polynomial, Problem
from scipy.sparse import coo_array, csr_array, triu
from scipy.sparse.linalg import splu

_ROOT = math.sqrt(15)
_NEAR, _FAR = (6 - _ROOT) / 21, (6 + _ROOT) / 21
QUADRATURE = (
    (9 / 40, (1 / 3, 1 / 3, 1 / 3)),
    ((155 - _ROOT) / 1200, (_NEAR, _NEAR, 1 - 2 * _NEAR)),
    ((155 - _ROOT) / 1200, (_NEAR, 1 - 2 * _NEAR, _NEAR)),
    ((155 - _ROOT) / 1200, (1 - 2 * _NEAR, _NEAR, _NEAR)),
    ((155 + _ROOT) / 1200, (_FAR, _FAR, 1 - 2 * _FAR)),
    ((155 + _ROOT) / 1200, (_FAR, 1 - 2 * _FAR, _FAR)),
    ((155 + _ROOT) / 1200, (1 - 2 * _FAR, _FAR, _FAR)),
)
"""Weights and barycentric coordinates of 7 points; exact up to degree 5 (J. Radon, Zur mechanischen Kubatur, 1948)."""
_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))
"""Corners whose entry of an element's matrix is kept: the others are the same by symmetry."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What some of the elements give to K, of which the upper triangle is kept, and to F.

    Rows and columns count from `first_node`.
    """

    first_node: int
    matrix: csr_array
    load: Floats


@dataclass(frozen=True, slots=True)
class Solution:
    """The values at all nodes, and facts about the equations and the values."""

    values: Floats
    facts: dict[str, Any]


def assembled(layout: Layout, problem: Problem, rows: range) -> Contribution:
    """What the elements in some rows of cells give to K and F. ValueError if the conductivity is not positive there."""
    first = layout.first_nodes()
    start, stop = first[rows.start], first[rows.stop + 1]
    nodes, size = nodes_of(layout), stop - start
    matrix, load = csr_array((size, size)), np.zeros(size)
    for parity in (0, 1):
        triangles = triangles_in(layout, [row for row in rows if row % 2 == parity])
        x, y = nodes.x[triangles], nodes.y[triangles]
        matrix = matrix + _matrix(triangles - start, _stiffness(problem.conductivity, x, y), size)
        load = load + _vector(triangles - start, _loads(problem.source, x, y), size)
    return Contribution(start, matrix, load)


def solved(layout: Layout, problem: Problem, contributions: Sequence[Contribution]) -> Solution:
    """The solution: contributions summed, boundary values set, and the inner nodes' equations solved."""
    matrix, load = summed(layout, contributions)
    nodes = nodes_of(layout)
    inner = np.flatnonzero(~nodes.on_boundary)
    values = np.where(nodes.on_boundary, problem.solution.at(nodes.x, nodes.y), 0.0)
    right_side = (load - matrix @ values)[inner]
    unknown = matrix[inner][:, inner].tocsc()
    # Symmetric and positive definite: no pivoting is needed, and the order is one for symmetric matrices.
    factors = splu(unknown, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    values[inner] = factors.solve(right_side)
    residual = unknown @ values[inner] - right_side
    facts = {
        "nodes": layout.nodes,
        "elements": layout.elements,
        "unknowns": len(inner),
        "nonzeros": int(unknown.nnz),
        "total_load": math.fsum(load),
        "energy": math.fsum(values * (matrix @ values)) / 2,
        "least": float(values.min()),
        "largest": float(values.max()),
        "residual": _norm(residual) / (_norm(right_side) or 1.0),
    }
    return Solution(values, facts)


def summed(layout: Layout, contributions: Sequence[Contribution]) -> tuple[csr_array, Floats]:
    """K, both its triangles, and F, with the rows of boundary nodes. The order of the contributions is of no effect."""
    size = layout.nodes
    parts = [part.matrix.tocoo() for part in contributions]
    row, column = (
        np.concatenate([one.coords[axis] + part.first_node for one, part in zip(parts, contributions, strict=True)])
        for axis in (0, 1)
    )
    upper = coo_array((np.concatenate([one.data for one in parts]), (row, column)), shape=(size, size)).tocsr()
    upper.eliminate_zeros()
    load = np.zeros(size)
    for part in contributions:
        load[part.first_node : part.first_node + len(part.load)] += part.load
    return upper + triu(upper, k=1).T.tocsr(), load


def errors_of(layout: Layout, problem: Problem, values: Floats) -> dict[str, float]:
    """How far u_h is from u: the L2 norm of u - u_h, its energy norm (the root of ∫ k |grad|²), and the worst node."""
    nodes, u = nodes_of(layout), problem.solution
    triangles = triangles_in(layout, range(layout.cells))
    x, y, at_corners = nodes.x[triangles], nodes.y[triangles], values[triangles]
    by_x, by_y, area = _slopes(x, y)
    slope_x, slope_y = (_dot(at_corners, by_x), _dot(at_corners, by_y))
    squares, energies = np.zeros(len(area)), np.zeros(len(area))
    for weight, corners in QUADRATURE:
        px, py = _dot(x, corners), _dot(y, corners)
        off = u.at(px, py) - _dot(at_corners, corners)
        off_x, off_y = u.dx().at(px, py) - slope_x, u.dy().at(px, py) - slope_y
        squares += weight * area * off * off
        energies += weight * area * problem.conductivity.at(px, py) * (off_x * off_x + off_y * off_y)
    return {
        "l2_error": math.sqrt(math.fsum(squares)),
        "energy_error": math.sqrt(math.fsum(energies)),
        "largest_error": _norm(values - u.at(nodes.x, nodes.y)),
    }


def _stiffness(conductivity: Polynomial, x: Floats, y: Floats) -> Floats:
    """The entries of the elements' matrices, an array with a column for each of `_PAIRS`."""
    by_x, by_y, area = _slopes(x, y)
    integral = np.zeros(len(area))
    for weight, _, values in _at_points(conductivity, x, y):
        if values.size and values.min() <= 0:
            raise ValueError(f"conductivity must be positive in the whole domain, but is {values.min():.3g} somewhere")
        integral += weight * area * values
    return np.stack([integral * (by_x[:, i] * by_x[:, j] + by_y[:, i] * by_y[:, j]) for i, j in _PAIRS], axis=1)


def _loads(source: Polynomial, x: Floats, y: Floats) -> Floats:
    """The entries of the elements' load vectors, an array with a column for each corner."""
    _, _, area = _slopes(x, y)
    loads = np.zeros(x.shape)
    for weight, corners, values in _at_points(source, x, y):
        loads += (weight * area * values)[:, None] * np.array(corners)
    return loads


def _matrix(triangles: Integers, entries: Floats, size: int) -> csr_array:
    """The upper triangle of the sum of elements' matrices."""
    ends = np.stack([triangles[:, pair] for pair in _PAIRS], axis=1)
    row, column = ends.min(axis=2).ravel(), ends.max(axis=2).ravel()
    return coo_array((entries.ravel(), (row, column)), shape=(size, size)).tocsr()


def _vector(triangles: Integers, entries: Floats, size: int) -> Floats:
    """The sum of elements' load vectors."""
    return np.bincount(triangles.ravel(), weights=entries.ravel(), minlength=size)


def _at_points(
    function: Polynomial, x: Floats, y: Floats
) -> Iterator[tuple[float, tuple[float, float, float], Floats]]:
    """For each point of the quadrature its weight, its coordinates, and the function's values there, by element."""
    for weight, corners in QUADRATURE:
        yield weight, corners, function.at(_dot(x, corners), _dot(y, corners))


def _slopes(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """The gradients of each element's three φ, by x and by y, and its area."""
    by_x = np.stack([y[:, 1] - y[:, 2], y[:, 2] - y[:, 0], y[:, 0] - y[:, 1]], axis=1)
    by_y = np.stack([x[:, 2] - x[:, 1], x[:, 0] - x[:, 2], x[:, 1] - x[:, 0]], axis=1)
    twice = by_x[:, 0] * by_y[:, 1] - by_y[:, 0] * by_x[:, 1]
    return by_x / twice[:, None], by_y / twice[:, None], twice / 2


def _dot(corners: Floats, factors: Any) -> Floats:  # noqa: ANN401 - an array of the same shape, or three numbers
    """Three numbers an element, times factors, added up. Not BLAS, which may differ from processor to processor."""
    product = corners * factors
    return product[:, 0] + product[:, 1] + product[:, 2]


def _norm(values: Floats) -> float:
    """The largest magnitude."""
    return float(np.abs(values).max())
