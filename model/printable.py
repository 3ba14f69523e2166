"""Text from outside (names, run ids, errors, what leaves return) as text that only stands on a terminal.

A terminal obeys what it is sent: escape codes set its title, clear it and write the clipboard; others turn the reading
order, so that a line reads as what it is not. Half a character (a lone surrogate) can't be written at all.
"""

from __future__ import annotations

from unicodedata import category

_KEPT = frozenset("\n\t")
_SPACES = "Zs"
"""Unicode's category of spaces: the wide one of a Japanese folder's name is as harmless as ours."""


def printable(text: str) -> str:
    r"""The text with everything that is no visible character, space, line feed or tab, escaped as in repr.

    >>> print(printable("\x1b]0;owned\x07 \u202e \ud800 café"))
    \x1b]0;owned\x07 \u202e \ud800 café
    """
    if text.isprintable():
        return text
    return "".join(one if _is_harmless(one) else one.encode("unicode_escape").decode("ascii") for one in text)


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character in _KEPT or category(character) == _SPACES
