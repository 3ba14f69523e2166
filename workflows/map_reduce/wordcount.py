"""The words of a text: which part of it owns them, what they are, how often they occur. No cloud in here."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

Read = Callable[[int, int], bytes]
"""Reads the text's bytes from one offset up to another."""

BLOCK_BYTES = 4096
"""How much is read at a time behind a part, to come to the end of its last token."""
_WHITE_SPACE = re.compile(rb"[ \t\n\r\v\f]")


def parts_needed(size: int, part_bytes: int, most: int) -> int:
    """How many parts a text of so many bytes is cut into: one for each `part_bytes`, one at least, `most` at most."""
    return max(1, min(most, -(-size // part_bytes)))


def part(size: int, index: int, parts: int) -> tuple[int, int]:
    """Where a part begins and where it ends: offsets into the text's bytes. Parts differ by a byte at most."""
    return size * index // parts, size * (index + 1) // parts


def owned(read: Read, size: int, begin: int, end: int) -> bytes:
    """The tokens whose first byte lies in the part from `begin` up to `end`, whole and in their order.

    A token is what stands between white space of ASCII. So each belongs to exactly one part, however the text is cut,
    and no character of UTF-8 is cut in two. The byte before the part tells whether a token begins with the part.
    """
    if begin == end:
        return b""
    data = read(max(begin - 1, 0), end)
    if begin > 0:
        gap = _WHITE_SPACE.search(data)
        if gap is None:  # within a token that began before
            return b""
        data = data[gap.start() :]
    return data if _WHITE_SPACE.match(data[-1:]) else data + _rest_of_token(read, end, size)


def _rest_of_token(read: Read, position: int, size: int) -> bytes:
    """What is between a position and the next white space, or the text's end."""
    rest = b""
    while position < size:
        block = read(position, min(position + BLOCK_BYTES, size))
        gap = _WHITE_SPACE.search(block)
        if gap is not None:
            return rest + block[: gap.start()]
        rest += block
        position += len(block)
    return rest


def words_in(text: str) -> list[str]:
    """The words of a text: runs of letters, digits and marks, with single apostrophes inside, in no case.

    They are compared by Unicode's rules: casefolded, and in the composed form (NFC).
    """
    alike = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    alike = alike.replace("_", " ").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return _pattern(alike).findall(alike)


def _pattern(text: str) -> re.Pattern[str]:
    r"""The pattern of a word. `\w` lacks marks, such as the vowel signs of Hindi: those that the text has are added."""
    marks = "" if text.isascii() else "".join(sorted(c for c in set(text) if unicodedata.category(c).startswith("M")))
    return re.compile(rf"\w[\w{marks}]*(?:'\w[\w{marks}]*)*")


def counted(text: str, copies: int) -> dict[str, int]:
    """How often each word occurs in so many copies of a text."""
    counts: Counter[str] = Counter()
    for _ in range(copies):
        counts.update(words_in(text))
    return counts


def shared_out(counts: Mapping[str, int], shares: int) -> list[dict[str, int]]:
    """The counts in so many shares. A word's share is the same in every process, and so in every mapper."""
    shared: list[dict[str, int]] = [{} for _ in range(shares)]
    for word, count in counts.items():
        shared[zlib.crc32(word.encode()) % shares][word] = count
    return shared


def merged(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sums of several counts."""
    total: Counter[str] = Counter()
    for counts in several:
        total.update(counts)
    return total


def ranked(several: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """All counts, the most frequent words first, and equally frequent ones in the order of their code points."""
    return dict(sorted(merged(several).items(), key=lambda entry: (-entry[1], entry[0])))
