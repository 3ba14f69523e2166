"""What the observed runs say of a placement, in a word, and what speaks against applying it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from caribou.model.placement import Placement

ENOUGH_RUNS = 30
"""To say that something saves. What happens in none of n runs may happen in 3 / n of them (95 % sure, the rule of
three): a branch, an input or a cold start of every tenth run should have been seen."""


class Verdict(StrEnum):
    """Whether a placement saves carbon."""

    SAVES = "saves"
    """Under every assumption, and the runs are enough to say so."""
    LOSES = "loses"
    """Under every assumption, and the runs are enough to say so."""
    DEPENDS = "depends on what is assumed"
    """It saves under one assumption and loses under another, and the runs are enough to say so."""
    TOO_FEW = "too few runs to say"
    """They are fewer than thirty, or under one of the assumptions the interval of the saving has zero in it."""
    STAYS = "stays home"
    """Nothing moves, so nothing is saved or lost."""


_DOUBTS: Mapping[Verdict, str] = {
    Verdict.LOSES: "it emits more carbon than home, whatever is assumed",
    Verdict.DEPENDS: "whether it saves carbon depends on what is assumed",
    Verdict.TOO_FEW: "its runs are too few to say whether it saves carbon",
    Verdict.STAYS: "it saves no carbon",
}


def verdict_of(placement: Placement) -> Verdict | None:
    """What its solve said; None if it was written by hand, or by a version that gave no verdict."""
    found = placement.origin.get("sensitivity")
    try:
        return Verdict(found["verdict"]) if isinstance(found, Mapping) and "verdict" in found else None
    except ValueError:
        return None


def moves_anything(placement: Placement) -> bool:
    """Whether any node is elsewhere than at home, at any hour."""
    return placement.regions != {placement.home_region}


def is_unchecked(placement: Placement) -> bool:
    """Whether it moves something, and nobody has said whether that saves carbon."""
    return moves_anything(placement) and verdict_of(placement) is None


def doubt_of(placement: Placement) -> str:
    """Why to think again before it is applied; empty for one that saves, or is all at home, or has no verdict."""
    verdict = verdict_of(placement)
    return _DOUBTS.get(verdict, "") if verdict is not None and moves_anything(placement) else ""
