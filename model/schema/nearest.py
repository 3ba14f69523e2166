"""The remedy for a word that is not known: those that it may have meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST = 3


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """At most three of the known words that look like it, the nearest first."""
    return difflib.get_close_matches(word, known, n=MOST, cutoff=0.6)


def near(word: str, known: Iterable[str]) -> str:
    """A remedy for a word that is not known: the nearest ones, or else all of them."""
    known = tuple(known)
    matches = nearest(word, known)
    return f"perhaps {' or '.join(matches)} is meant" if matches else f"use one of {', '.join(known) or 'none yet'}"
