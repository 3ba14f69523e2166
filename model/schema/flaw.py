"""What a rule of a problem finds."""

from __future__ import annotations

from typing import NamedTuple


class Flaw(NamedTuple):
    """One thing that is wrong: what, the path in the file, the value found, and how to put it right."""

    what: str
    path: str
    found: object
    fix: str


def misaligned(path: str, found: int, other: str, expected: int) -> Flaw:
    """A list that is not as long as another one."""
    return Flaw(
        f"is not aligned with {other}",
        path,
        f"{found} samples, not {expected}",
        "give each run one place in every list",
    )
