"""Where a text is profane, by better-profanity's list. No cloud in here, and the only module that loads the list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from better_profanity import Profanity

_WORD = re.compile(r"(?:[^\W_]|[@$]|(?<=\w)\*(?=\w))+")
"""Letters and digits, and what stands for a letter: `$` and `@` anywhere, `*` inside a word."""


def spans_of(text: str) -> list[list[int]]:
    """Start and end of each profane word or phrase, in characters of the text from 0, the longest phrase first.

    Written here and not left to the library's `censor`, which gives no places, takes a quotation mark for a part of
    the word, so that "damn" in quotes passes, and joins neighbours into words that nobody hears.
    """
    words = [match.span() for match in _WORD.finditer(text)]
    spans = []
    index = 0
    while index < len(words):
        length = _profane_words(text, words[index : index + _longest_phrase()])
        if length:
            spans.append([words[index][0], words[index + length - 1][1]])
        index += max(length, 1)
    return spans


def _profane_words(text: str, words: Sequence[tuple[int, int]]) -> int:
    """How many of these words are a phrase of the list, from the first one on; 0 if none."""
    start = words[0][0]
    for count in range(len(words), 0, -1):
        phrase = " ".join(text[start : words[count - 1][1]].lower().split())
        if phrase in _profane_phrases():
            return count
    return 0


@cache
def _profane_phrases() -> list[Any]:
    """The library's list: each entry is equal to its own spellings, such as `cr4p`."""
    return Profanity().CENSOR_WORDSET


@cache
def _longest_phrase() -> int:
    return max(len(_WORD.findall(str(phrase))) for phrase in _profane_phrases())
