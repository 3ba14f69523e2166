"""One word an idea: words that gave way to others stand in no room, no document and no test."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = sorted(path for path in (ROOT / "src" / "caribou").iterdir() if path.is_symlink())
BANNED = {
    re.compile(r"(?<![a-z.])(?:told|tell(?:s|ing)?)(?![a-z])", re.IGNORECASE): (
        "publish, notify, report, raise, print, read, say: whichever it is"
    ),
    re.compile(r"log[ -]sync(?!\w)|sync(?:ing|s|ed)? (?:the |its )?logs", re.IGNORECASE): (
        "log collection; sync is for sync nodes, and the verb is `log_sync`"
    ),
    re.compile(r"\b(?:Purse|Subject)s?\b"): "the field's word",
}
COMMAND = re.compile(r"caribou log-sync")
"""A hyphen is as good as an underscore in a verb's name."""


def written():
    """Our source, tests and docs; no data, no samples, and not this list."""
    for room in ROOMS:
        yield from sorted(room.resolve().rglob("*.py"))
    yield from (path for path in sorted((ROOT / "tests").rglob("*.py")) if path != Path(__file__).resolve())
    yield from sorted((ROOT / "benchmarks").glob("*.py"))
    yield from (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))


PAGES = list(written())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_words_when_a_page_is_written_then_those_that_gave_way_are_not_in_it(page):
    """The glossary has the words that stay."""
    found = [
        f"{number}: {match[0]!r}, better: {better}"
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        for pattern, better in BANNED.items()
        for match in pattern.finditer(COMMAND.sub("", line))
    ]
    assert not found, "\n".join(found)


def test_glossary_when_it_defines_a_word_then_something_uses_it():
    """A word that nothing uses is no word of ours."""
    glossary = ROOT / "docs" / "glossary.md"
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", glossary.read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for row in rows if row != "word" and not row.startswith("-") for word in row.split(", ")]
    texts = [page.read_text(encoding="utf-8").lower() for page in PAGES if page != glossary]
    everything = " ".join(" ".join(texts).replace("_", " ").split())
    assert words
    assert [word for word in words if word.lower() not in everything] == []


def test_contributing_when_it_names_a_file_then_it_is_there():
    """The recipes are true: every path in them exists, but for those with a name to be filled in."""
    text = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)+(?:[\w.]+)?|\.ci/run|CHANGELOG\.md)`", text)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
