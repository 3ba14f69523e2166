"""Makes the sample PDFs out of the texts beside it: `uv run workflows/rag_data_ingestion/samples/make_document.py`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from fpdf import FPDF

SAMPLES = Path(__file__).parent
NAMES = ("handbook", "leaflet")
CREATED = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
"""When the files say that they were made: fixed, so that the same text gives the same bytes."""
MARGIN_MM = 22
LINE_MM = 6.2


def pages_of(text: str) -> list[tuple[str, list[str]]]:
    """A heading and paragraphs for each page: a line with `# ` begins a page, an empty line ends a paragraph."""
    pages: list[tuple[str, list[str]]] = []
    for block in text.split("\n\n"):
        if block.startswith("# "):
            pages.append((block.removeprefix("# ").strip(), []))
        else:
            pages[-1][1].append(" ".join(block.split()))
    return pages


def made(text: str) -> bytes:
    """A PDF of the text, uncompressed: the bytes then don't depend on how this machine compresses."""
    pages = pages_of(text)
    pdf = FPDF(format="A4")
    pdf.set_compression(False)
    pdf.set_creation_date(CREATED)
    pdf.set_producer("fpdf2")
    pdf.set_title(pages[0][0])
    pdf.set_margin(MARGIN_MM)
    pdf.set_auto_page_break(auto=False)
    for heading, paragraphs in pages:
        pdf.add_page()
        pdf.set_font("Helvetica", style="B", size=15)
        pdf.multi_cell(0, 2 * LINE_MM, heading, align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Helvetica", size=11)
        for paragraph in paragraphs:
            pdf.multi_cell(0, LINE_MM, paragraph, align="L", new_x="LMARGIN", new_y="NEXT")
            pdf.ln(LINE_MM / 2)
        if pdf.get_y() > pdf.h - MARGIN_MM:
            raise ValueError(f"the page {heading!r} does not fit")
    return bytes(pdf.output())


if __name__ == "__main__":
    for name in NAMES:
        text = (SAMPLES / f"{name}.txt").read_text(encoding="utf-8")
        (SAMPLES / f"{name}.pdf").write_bytes(made(text))
