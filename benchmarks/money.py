"""What runs cost in USD, and what a workflow costs that nobody runs: the tables of docs/cost.md, out of list prices.

And what is billed of a run, event by event: the table of docs/cost.md and docs/model.md, out of `caribou.model.bill`.

    uv run python benchmarks/money.py

How often a run of a chain calls which service is read in docs/cost.md, where `runtime_cost.py` has counted it. A test
compares what is printed with the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from caribou.collectors.bodies import Prices
from caribou.collectors.sources.snapshot import packaged_facts
from caribou.model.bill import EVENTS, KB, LAMBDAS_LINES_BYTES, LOG_USD_PER_GB, Call, Priced
from caribou.model.standing import (
    ALARM_USD,
    COLLECTORS,
    COMPOSITE_ALARM_USD,
    COMPUTE,
    CONTROL_PLANE_ALARMS,
    ELSEWHERE_USD,
    METRIC_USD,
    SWEEPER,
    WORKFLOW_ALARMS,
    Scheduled,
    month_of,
)

DOCS = Path(__file__).resolve().parents[1] / "docs"
REGION, MILLION, GB = "us-east-1", 1_000_000, 1e9
RECORD_BYTES = 600
"""The run record of a node of a chain, whose item is below 1 KB."""
PLAIN = "chain of 3"
STATE_TRANSITION_USD, EXPRESS_REQUEST_USD, EXPRESS_GB_S_USD = 25 / MILLION, 1 / MILLION, 0.00001667
DURABLE_OPERATION_USD, DURABLE_WRITTEN_USD_PER_GB, DURABLE_KEPT_USD_PER_GB_MONTH = 8 / MILLION, 0.25, 0.15
"""Of us-east-1. The page says where each was read."""


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


def idle(prices: Prices, *scheduled: Scheduled) -> list[Row]:
    """A month of functions on schedules, whether runs come or not; what has one price is one row."""
    rows: dict[str, Row] = {}
    for row in (row for one in scheduled for row in month_of(one)):
        amount = row.amount + (rows[row.what].amount if row.what in rows else 0.0)
        rows[row.what] = Row(row.what, amount, _price_of(row.price, prices))
    return list(rows.values())


def alarmed(alarms: int) -> list[Row]:
    """A month of alarms to a topic."""
    return [Row("alarms", alarms, ALARM_USD), Row("the composite alarm", 1, COMPOSITE_ALARM_USD)]


def elsewhere(prices: Prices) -> Mapping[str, list[Row]]:
    """The same million runs on AWS's own orchestrators, without what user code takes."""
    request, written_gb = prices.invocation["x86_64"], 4 * MILLION * KB / 1024**3
    return {
        "Caribou": [Row("the table above", 1, sum(row.usd for row in runs(prices)))],
        "Step Functions Standard": [
            Row("state transitions", 3 * MILLION, STATE_TRANSITION_USD),
            Row("Lambda requests", 3 * MILLION, request),
        ],
        "Step Functions Express": [
            Row("requests", MILLION, EXPRESS_REQUEST_USD),
            Row("GB-s of a second a run, 64 MB", MILLION * 64 / 1024, EXPRESS_GB_S_USD),
            Row("Lambda requests", 3 * MILLION, request),
        ],
        "Lambda durable function": [
            Row("durable operations: the start and three steps", 4 * MILLION, DURABLE_OPERATION_USD),
            Row("GB written: the input and three results", written_gb, DURABLE_WRITTEN_USD_PER_GB),
            Row("GB-months kept, 14 days", written_gb * 14 / 30, DURABLE_KEPT_USD_PER_GB_MONTH),
            Row("Lambda requests", MILLION, request),
        ],
    }


def beside_others(prices: Prices) -> str:
    """What they cost, as Markdown."""
    lines = []
    for name, rows in elsewhere(prices).items():
        lines += [
            f"| {name} | {row.what} | {_amount(row.amount)} | {_price(row.price)} | {row.usd:.2f} |" for row in rows
        ]
        lines.append(f"| | | | | **{sum(row.usd for row in rows):.2f}** |")
    head = ["| a million runs with | what is billed | how many | list price, USD | USD |", "|---|---|---|---|---|"]
    return "\n".join([*head, *lines])


def _price_of(name: str, prices: Prices) -> float:
    if name in ELSEWHERE_USD:
        return ELSEWHERE_USD[name]
    if name == Priced.LOG:
        return LOG_USD_PER_GB
    price = getattr(prices, name)
    return float(price["x86_64"] if name in (COMPUTE, Priced.INVOCATION) else price)


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
    money = (
        table("a million runs", runs(prices)),
        table("a month without a run", idle(prices, SWEEPER)),
        table("a month of the control plane", idle(prices, *COLLECTORS)),
        table("a month of a workflow whose runs begin in each hour", [Row("the metric RunStarted", 1, METRIC_USD)]),
        table("a month of a workflow's alarms", alarmed(WORKFLOW_ALARMS)),
        table("a month of the control plane's alarms", alarmed(CONTROL_PLANE_ALARMS)),
        beside_others(prices),
    )
    print(events(), *money, sep="\n\n")


if __name__ == "__main__":
    main()
