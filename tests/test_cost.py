"""What the docs say of money is what the list prices and the counted calls give."""

import subprocess
import sys

from builders import ROOT


def test_money_when_the_table_is_computed_again_then_it_is_what_the_docs_say():
    """What is billed of a run, which docs/model.md has too; a million runs, and a month without any."""
    command = [sys.executable, str(ROOT / "benchmarks" / "money.py")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
    tables = printed.strip().split("\n\n")
    assert len(tables) == 3
    assert tables[0] in (ROOT / "docs" / "model.md").read_text(encoding="utf-8")
    assert all(table in page for table in tables)
