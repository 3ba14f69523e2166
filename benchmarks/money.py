"""What runs cost in USD, and what a workflow costs that nobody runs: the tables of docs/cost.md, out of list prices.

And what is billed of a run, event by event: the table of docs/cost.md and docs/model.md, out of `caribou.model.bill`.

    uv run python benchmarks/money.py

How often a run of a chain calls which service is read in docs/cost.md, where `runtime_cost.py` has counted it. A test
compares what is printed with the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from caribou.collectors.bodies import Prices
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.model.bill import EVENTS, KB, LAMBDAS_LINES_BYTES, LOG_USD_PER_GB, Call

DOCS = Path(__file__).resolve().parents[1] / "docs"
REGION, MILLION, GB = "us-east-1", 1_000_000, 1e9
SWEEPS_A_MONTH = 30 * 24 * 60
SCHEDULER_USD, QUEUE_USD = 1.00 / MILLION, 0.40 / MILLION
"""EventBridge Scheduler's and SQS's requests."""
RECORD_BYTES = 600
"""The run record of a node of a chain, whose item is below 1 KB."""
SWEEP_GB_S = 0.25 * 0.1
"""256 MB for a tenth of a second: two calls to services in the same region."""
PLAIN = "chain of 3"


@dataclass(frozen=True, slots=True)
class Row:
    """What is paid for: how much of it, at which price."""

    what: str
    amount: float
    price: float

    @property
    def usd(self) -> float:
        """The product."""
        return self.amount * self.price


def runs(prices: Prices) -> list[Row]:
    """A million runs of a chain of 3, payloads of 1 KB, without what user code takes."""
    writes, sends, nodes = *counted(), 3
    return [
        Row("write units of run items and claims", writes * MILLION, prices.table_write_unit),
        Row("messages: the start, and those between nodes", (sends + 1) * MILLION, prices.message_request),
        Row("Lambda requests", nodes * MILLION, prices.invocation["x86_64"]),
        Row(
            "GB of logs: run records, Lambda's own lines",
            nodes * (RECORD_BYTES + LAMBDAS_LINES_BYTES) * MILLION / GB,
            LOG_USD_PER_GB,
        ),
        Row("write units of log collection, a run record each", nodes * MILLION, prices.table_write_unit),
    ]


def idle(prices: Prices) -> list[Row]:
    """A month of a workflow that nobody runs: the sweeper at home."""
    return [
        Row("invocations by the scheduler", SWEEPS_A_MONTH, SCHEDULER_USD),
        Row("Lambda requests", SWEEPS_A_MONTH, prices.invocation["x86_64"]),
        Row("GB-s of the sweeper", SWEEPS_A_MONTH * SWEEP_GB_S, prices.compute_per_gb_s["x86_64"]),
        Row("looks into the entry's failure queue", SWEEPS_A_MONTH, QUEUE_USD),
        Row("read units of the list of open runs", SWEEPS_A_MONTH / 2, prices.table_read_unit),
        Row("GB of logs", SWEEPS_A_MONTH * LAMBDAS_LINES_BYTES / GB, LOG_USD_PER_GB),
    ]


def events() -> str:
    """What is billed of a run, event by event, as Markdown."""
    lines = [
        f"| {event.value} | `{call.operation}` | {call.place.value} | {_billed(call)} |"
        for event, calls in EVENTS.items()
        for call in calls
    ]
    return "\n".join(["| what happens | call | region | billed as |", "|---|---|---|---|", *lines])


def _billed(call: Call) -> str:
    unit = f", a unit for {call.bytes_a_unit // KB} KB" if call.bytes_a_unit else ""
    return f"`{call.priced.value}`{unit}" + (f", {call.times} times" if call.times > 1 else "")


def counted() -> tuple[int, int]:
    """Write units and messages between nodes of a run of the chain, as the page has them."""
    row = re.search(rf"^\| {PLAIN} \|.*$", (DOCS / "cost.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    cells = row[0].split("|")
    sends = re.search(r"(\d+) publish a message", cells[3])
    assert sends is not None
    return int(cells[4]), int(sends[1])


def table(head: str, rows: Iterable[Row]) -> str:
    """The rows as Markdown, with their sum."""
    rows = list(rows)
    lines = [f"| {row.what} | {_amount(row.amount)} | {_price(row.price)} | {row.usd:.3f} |" for row in rows]
    total = sum(row.usd for row in rows)
    return "\n".join(
        [f"| {head} | how many | list price, USD | USD |", "|---|---|---|---|", *lines, f"| | | | **{total:.2f}** |"]
    )


def _amount(amount: float) -> str:
    return f"{amount / MILLION:g} million" if amount >= MILLION else f"{amount:,.5g}"


def _price(price: float) -> str:
    return f"{price * MILLION:.4g} a million" if price < 1 / 1000 else f"{price:g}"


def main() -> None:
    """Print all tables."""
    prices = packaged_facts(datetime(2025, 10, 1, tzinfo=UTC)).provider[REGION].body.price_usd
    money = (table("a million runs", runs(prices)), table("a month without a run", idle(prices)))
    print(events(), *money, sep="\n\n")


if __name__ == "__main__":
    main()
