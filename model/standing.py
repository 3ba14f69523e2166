"""What stands whether runs come or not: functions on schedules, and what a month of each is billed for.

The sweeper is each workflow's own, at home; the collectors are the control plane's, once for all workflows. How often
they run and with how much memory is what the stacks say, a test compares; how long they take is assumed. Tables,
topics, queues and functions that nobody uses cost nothing but the storage of what they keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from caribou.model.bill import LAMBDAS_LINES_BYTES, Place, Priced

HOURS_A_MONTH = 30 * 24
_GB = 1024**3
_MB_A_GB = 1024

COMPUTE = "compute_per_gb_s"
"""Lambda's price of a GB-second, by architecture, in a region's prices."""
SCHEDULER, QUEUE = "scheduled_invocation", "queue_request"
ELSEWHERE_USD = {SCHEDULER: 1.00 / 1e6, QUEUE: 0.40 / 1e6}
"""Prices that are not in the packaged price list, of us-east-1: EventBridge Scheduler's of an invocation, SQS's of a
request ("Amazon EventBridge pricing", "Amazon SQS pricing"). They are taken where a region's own are not known."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A function on a schedule, in some region. `reads`, `writes` are units of tables each time, `looks` into queues.

    `seconds` of each run are assumed; all of them are taken to be at full load.
    """

    name: str
    place: Place
    every_h: float
    memory_mb: int
    seconds: float
    reads: float = 0.0
    writes: float = 0.0
    looks: float = 0.0

    @property
    def times(self) -> float:
        """How often it runs in a month of 30 days."""
        return HOURS_A_MONTH / self.every_h

    @property
    def gb_s(self) -> float:
        """GB-seconds of a month."""
        return self.times * self.seconds * self.memory_mb / _MB_A_GB


@dataclass(frozen=True, slots=True)
class Standing:
    """What is billed in a month: what it is, how much of it, and the name of its price."""

    what: str
    amount: float
    price: str


SWEEPER = Scheduled("the sweeper", Place.HOME, 1 / 60, 256, 0.1, reads=0.5, looks=1.0)
"""It asks for the list of open runs, and looks into the failure queue of the entry: two calls in its own region."""
FACTS = Scheduled("a collector of facts", Place.CONTROL, 24, 512, 2.0, writes=96.0)
"""Starts cold, and writes 32 regions in one transaction, for which each counts two units or four."""
LOG_COLLECTION = Scheduled("log collection", Place.CONTROL, 1, 512, 5.0, reads=18.5, writes=8.0)
"""Starts cold, reads registrations, asks each log group from where it read last: eight groups; and looks how old facts
are, of which it reads 83 KB."""
COLLECTORS = (FACTS, FACTS, FACTS, LOG_COLLECTION)
"""Of carbon, of prices and powers, of latency; and of run records."""


def month_of(one: Scheduled) -> Iterator[Standing]:
    """What is billed of a month of a function on a schedule."""
    rows = (
        Standing("invocations by the scheduler", one.times, SCHEDULER),
        Standing("Lambda requests", one.times, Priced.INVOCATION),
        Standing(f"GB-s of {one.name}", one.gb_s, COMPUTE),
        Standing("looks into the entry's failure queue", one.times * one.looks, QUEUE),
        Standing("read units", one.times * one.reads, Priced.READ),
        Standing("write units", one.times * one.writes, Priced.WRITE),
        Standing("GB of logs", one.times * LAMBDAS_LINES_BYTES / _GB, Priced.LOG),
    )
    yield from (row for row in rows if row.amount)


METRIC_USD, ALARM_USD, COMPOSITE_ALARM_USD = 0.30, 0.10, 0.50
"""Of a month, in us-east-1 ("Amazon CloudWatch pricing"); a metric by the hours in which it is sent."""
WORKFLOW_ALARMS, CONTROL_PLANE_ALARMS = 9, 7
"""Where a topic is named, beside one composite alarm each."""
