"""How exact the numbers are taken to be: one place for every tolerance of the solver.

Sums of many 64-bit numbers differ by machine and by order in the last few of their 15 digits. So nine digits count:
what differs by less is equal, and reports show no more.
"""

from __future__ import annotations

DIGITS = 9
"""Decimals that count of a mean in units of home's, and significant digits in reports."""
EPSILON = 10.0**-DIGITS
"""What differs by less, as a share, is equal."""
SINGLE_EPSILON = 1e-5
"""The same of sums of 32-bit numbers, which are only ever bounds: more than their rounding."""


def significant(value: float) -> float:
    """The value to the digits that reports give."""
    return float(f"{value:.{DIGITS}g}")
