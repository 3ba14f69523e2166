"""A document's text: the bytes of a PDF in, overlapping chunks of its words out. No cloud in here; loads pypdf."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

CHUNKS_WORTH_A_PART = 4
"""What each part has at least, if there are two: for less, no second copy of the model is loaded."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some words in a row, one space between them, and the pages of the first and the last word, from 1."""

    text: str
    pages: tuple[int, int]


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page; empty for one without. ValueError if the file can't be read, or has no text at all."""
    try:
        pages = [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]
    except (PyPdfError, DependencyError) as error:
        raise ValueError(f"the document must be a PDF that opens without a password: {error}") from error
    if not any(page.split() for page in pages):
        raise ValueError(f"the document must have text, not only pictures: none found on {len(pages)} pages")
    return pages


def chunks_of(pages: Sequence[str], size: int, overlap: int) -> list[Chunk]:
    """The words of all pages, in order, in chunks of `size` words; the first `overlap` of them end the chunk before."""
    words = [(word, number) for number, page in enumerate(pages, start=1) for word in page.split()]
    starts = range(0, max(1, len(words) - overlap), size - overlap)
    return [_chunk(words[start : start + size]) for start in starts]


def parts_of(chunks: int, parts: int) -> list[range]:
    """The numbers of the chunks, shared out evenly among `parts` parts, or fewer if there are few chunks."""
    count = max(1, min(parts, chunks // CHUNKS_WORTH_A_PART))
    return [range(chunks * i // count, chunks * (i + 1) // count) for i in range(count)]


def _chunk(words: Sequence[tuple[str, int]]) -> Chunk:
    return Chunk(" ".join(word for word, _ in words), (words[0][1], words[-1][1]))
