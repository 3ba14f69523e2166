"""What the docs say of money is what the list prices and the counted calls give."""

import re
import subprocess
import sys
from collections import Counter

from builders import ROOT

from caribou.model.bill import Event, Priced, units


def test_money_when_the_table_is_computed_again_then_it_is_what_the_docs_say():
    """What is billed of a run, which docs/model.md has too; a million runs, a month without any, and others' prices."""
    command = [sys.executable, str(ROOT / "benchmarks" / "money.py")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
    tables = printed.strip().split("\n\n")
    assert len(tables) == 8
    assert tables[0] in (ROOT / "docs" / "model.md").read_text(encoding="utf-8")
    assert all(table in page for table in tables)


def test_page_when_its_counted_units_are_compared_with_the_table_of_what_is_billed_then_they_are_equal():
    """Each shape of a run: how often its calls were counted, times what the table says of one with payloads of 1 KB."""
    page = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if re.search(r"\d begin the run item", line)]
    assert len(rows) == 4
    for _, shape, _, purposes, writes, reads, *_ in rows:
        times = {purpose: int(count) for count, purpose in re.findall(r"(\d+) ([^,|]+?)(?=,| *$)", purposes)}
        counted = Counter()
        for purpose, count in times.items():
            event, size_bytes = EVENT_OF[purpose]
            counted.update({priced: one * count for priced, one in units(event, size_bytes).items()})
        assert (counted[Priced.WRITE], counted[Priced.READ]) == (int(writes), int(reads)), shape


EVENT_OF = {
    "begin the run item": (Event.BEGUN, 500),
    "claim a node": (Event.CLAIMED, 250),
    "publish a message": (Event.SENT, 2000),
    "report a leaf to the run item": (Event.LEAVES_ENDED, 500),
    "set the run item's state": (Event.ENDED, 500),
    "keep a payload for a sync node": (Event.KEPT, 1150),
    "report an edge to a sync node": (Event.REPORTED, 150),
    "read a sync node's inputs": (Event.READ, 2500),
}
"""What a call that was counted is for, and about which size it has with payloads of 1 KB."""
