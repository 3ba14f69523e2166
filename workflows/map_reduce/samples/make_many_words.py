"""Makes many_words.txt, a text with very many different words: `python make_many_words.py`. The same one each time."""

from __future__ import annotations

import random
from itertools import accumulate
from pathlib import Path

FILE = Path(__file__).parent / "many_words.txt"
SEED = 2026
VOCABULARY = 60_000
WORDS = 70_000
FREQUENCY_EXPONENT = 0.5
"""The word of rank r occurs in proportion to r ** -exponent: Zipf's law, flatter than a real text's, for more words."""
SYLLABLES = (
    *("an", "bo", "cal", "dre", "en", "fir", "go", "hu", "in", "ka", "lem", "mo", "nu", "os", "pa", "qui", "ro", "sha"),
    *("té", "ür", "ño", "ça", "ß", "ло", "ми", "жи", "το", "λη"),
)


def word(rank: int) -> str:
    """A word for each rank, short ones for the frequent: the rank's digits, to the base of the number of syllables."""
    rest, syllables = rank, []
    while rest or not syllables:
        rest, digit = divmod(rest, len(SYLLABLES))
        syllables.append(SYLLABLES[digit])
    return "".join(syllables)


def text() -> str:
    """Sentences of eight words a line, the first of each with a capital letter."""
    words = [word(rank) for rank in range(VOCABULARY)]
    cumulated = list(accumulate((rank + 1) ** -FREQUENCY_EXPONENT for rank in range(VOCABULARY)))
    drawn = random.Random(SEED).choices(words, cum_weights=cumulated, k=WORDS)  # noqa: S311 - no secret
    lines = (drawn[i : i + 8] for i in range(0, WORDS, 8))
    return "".join(f"{' '.join(line).capitalize()}.\n" for line in lines)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
