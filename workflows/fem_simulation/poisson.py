"""A problem whose solution is known: the conductivity and the solution are polynomials, and the source follows.

    -div(k grad u) = f in the domain, and u is given on its boundary.

Polynomials need nothing but sums and products, which are the same to the last bit on every processor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from layout import DOMAINS

MAX_DEGREE = 8
MAX_TERMS = 40


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A sum of terms: coefficient times a power of x times a power of y, by the two powers."""

    terms: Mapping[tuple[int, int], float]

    @classmethod
    def of(cls, value: object, name: str) -> Polynomial:
        """The polynomial in a list of `[power of x, power of y, coefficient]`. ValueError says what is wrong."""
        if not isinstance(value, list) or not 0 < len(value) <= MAX_TERMS or not all(map(_is_term, value)):
            raise ValueError(
                f"{name} must be a list of up to {MAX_TERMS} terms [power of x, power of y, coefficient], powers from "
                f"0 to {MAX_DEGREE}, not {value!r}"
            )
        terms = {(i, j): float(coefficient) for i, j, coefficient in value}
        if len(terms) != len(value):
            raise ValueError(f"{name} must have each pair of powers once, not {value!r}")
        return cls(terms)

    def to_json(self) -> list[list[float]]:
        """The list that `of` reads."""
        return [[i, j, coefficient] for (i, j), coefficient in self.terms.items()]

    def dx(self) -> Polynomial:
        """The derivative by x."""
        return Polynomial({(i - 1, j): i * c for (i, j), c in self.terms.items() if i})

    def dy(self) -> Polynomial:
        """The derivative by y."""
        return Polynomial({(i, j - 1): j * c for (i, j), c in self.terms.items() if j})

    def __add__(self, other: Polynomial) -> Polynomial:
        powers = sorted({*self.terms, *other.terms})
        return Polynomial({p: self.terms.get(p, 0.0) + other.terms.get(p, 0.0) for p in powers})

    def __mul__(self, other: Polynomial) -> Polynomial:
        product: dict[tuple[int, int], float] = {}
        for (i, j), a in self.terms.items():
            for (k, m), b in other.terms.items():
                product[i + k, j + m] = product.get((i + k, j + m), 0.0) + a * b
        return Polynomial(product)

    def __neg__(self) -> Polynomial:
        return Polynomial({powers: -c for powers, c in self.terms.items()})

    def at(self, x: Any, y: Any) -> Any:  # noqa: ANN401 - numbers, or arrays of them
        """The value at a point, or at each of many."""
        value = 0.0 * x
        xs, ys = (_powers(base, max((p[axis] for p in self.terms), default=0)) for axis, base in enumerate((x, y)))
        for (i, j), coefficient in self.terms.items():
            value = value + coefficient * xs[i] * ys[j]
        return value


@dataclass(frozen=True, slots=True)
class Problem:
    """A domain, the conductivity k in it, and the solution u that is known."""

    domain: str
    conductivity: Polynomial
    solution: Polynomial

    @classmethod
    def of(cls, value: object) -> Problem:
        """The problem in a JSON value. ValueError says what is wrong with it."""
        if not isinstance(value, Mapping):
            raise ValueError(f'a problem must be an object such as {{"domain": "square", …}}, not {value!r}')  # noqa: TRY004 - a value of the input
        domain = value.get("domain")
        if domain not in DOMAINS:
            raise ValueError(f"domain must be one of {', '.join(DOMAINS)}, not {domain!r}")
        k, u = (Polynomial.of(value.get(name), name) for name in ("conductivity", "solution"))
        return cls(domain, k, u)

    def to_json(self) -> dict[str, Any]:
        """The JSON value that `of` reads."""
        k, u = self.conductivity.to_json(), self.solution.to_json()
        return {"domain": self.domain, "conductivity": k, "solution": u}

    @property
    def source(self) -> Polynomial:
        """The source f, out of the equation."""
        k, u = self.conductivity, self.solution
        return -((k * u.dx()).dx() + (k * u.dy()).dy())


def _is_term(term: object) -> bool:
    if not isinstance(term, list) or len(term) != 3 or any(isinstance(n, bool) for n in term):
        return False
    *powers, coefficient = term
    is_number = isinstance(coefficient, int | float) and math.isfinite(coefficient)
    return is_number and all(isinstance(p, int) and 0 <= p <= MAX_DEGREE for p in powers)


def _powers(base: Any, highest: int) -> list[Any]:  # noqa: ANN401 - numbers, or arrays of them
    """The powers from 0 up, by products: `**` may differ in its last bit from one processor to another."""
    powers = [1.0]
    for _ in range(highest):
        powers.append(powers[-1] * base)
    return powers
