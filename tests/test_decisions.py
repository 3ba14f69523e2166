"""The decisions in docs/adr: each has a date, a status and its three parts, and the index lists it."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "adr"
DECISIONS = sorted(FOLDER.glob("0*.md"))
HEAD = re.compile(
    r"# (?P<number>\d+)\. (?P<title>.+)\n\n(?P<date>\d{4}-\d\d-\d\d) · (?P<status>accepted|superseded by \d+)\n\n"
)


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_decision_when_written_then_it_says_when_and_why_and_what_follows(path):
    """Number and title, date and status, then context, decision, consequences."""
    text = path.read_text(encoding="utf-8")
    head = HEAD.match(text)
    assert head, "begin with `# N. Title`, an empty line, and `2026-01-31 · accepted`"
    assert int(head["number"]) == int(path.name[:4])
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_index_when_a_decision_is_there_then_it_has_its_row():
    """docs/adr/README.md has them all, in order, with the title, date and status that they carry themselves."""
    rows = []
    for path in DECISIONS:
        head = HEAD.match(path.read_text(encoding="utf-8"))
        rows.append(f"| {head['number']} | [{head['title']}]({path.name}) | {head['date']} | {head['status']} |")
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [line for line in index.splitlines() if re.match(r"\| \d", line)] == rows
