"""docs/threat-model.md: every threat has its tests, and they are there."""

import re

import pytest
from builders import ROOT

PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| attempt")]
TEST = re.compile(r"`(test_\w+)`")


def names_of_tests():
    """The names of all tests."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


THERE = names_of_tests()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split(" | ")[0][2:60])
def test_threat_when_the_page_names_tests_for_it_then_they_are_there(row):
    """What stops somebody is shown by a test, or stands under what is not covered."""
    named = TEST.findall(row.rpartition(" | ")[2])
    assert named
    assert [name for name in named if name not in THERE] == []
