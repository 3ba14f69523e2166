"""The table of what reviews found names tests that are there, and leaves no row without a word on it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "reviewed.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<test>\w+)`")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| found", "| |"))]


@pytest.mark.parametrize("named", sorted({match[0] for match in NAMED.finditer(PAGE)}))
def test_review_when_it_names_a_test_then_that_is_there(named):
    """A test that is renamed is renamed there."""
    match = NAMED.fullmatch(named)
    assert f"\ndef {match['test']}(" in (ROOT / match["file"]).read_text(encoding="utf-8")


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_review_when_it_has_a_row_then_a_test_shows_it_or_it_says_why_not(row):
    """`pending` is for what is in work."""
    assert NAMED.search(row) or "*open*: " in row or "*pending*" in row
