"""What a run is billed for: the calls that the runtime makes, event by event, where, and in which units.

One table for all who need it: the solver's cost (`solver.simulation.billed`), the page on costs, and the tests that
count the calls of real runs. Of a run in which nothing fails; what a failure adds is Lambda's retries and the sweeper's
calls.

Sources: DynamoDB bills a write by started KB and a strongly consistent read by started 4 KB of an item, an item in an
index is written once more ("Read and write operations" in its developer guide); SNS bills each started 64 KB of a
message as a request ("Amazon SNS pricing"); S3 each request, and Lambda each invocation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

KB = 1024


class Priced(StrEnum):
    """What there is a price for: its name in a region's prices."""

    MESSAGE = "message_request"
    WRITE = "table_write_unit"
    READ = "table_read_unit"
    PUT = "object_put"
    GET = "object_get"
    INVOCATION = "invocation"
    LOG = "log_per_gb"


class Place(StrEnum):
    """In whose region something is billed."""

    HOME = "home"
    NODE = "the node's"
    CONTROL = "the control region"


class Event(StrEnum):
    """What happens in a run, as far as it is billed."""

    STARTED = "a client starts a run"
    BEGUN = "the home entry begins it"
    FORWARDED = "… and sends it on to where the entry is placed"
    EXECUTED = "a function is invoked"
    CLAIMED = "a delivery claims its node"
    SENT = "a call of a plain node"
    STORED = "a payload that is too large for its message or item"
    KEPT = "a call of a sync node: its payload"
    REPORTED = "a call of a sync node, taken or skipped: its report"
    FIRED = "the last report to a sync node, if one was taken"
    READ = "a sync node reads what was reported"
    LEAVES_ENDED = "a leaf has ended; leaves that will not run"
    ENDED = "the last of them: the run has ended"
    COLLECTED = "log collection keeps a run record"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is billed: one unit for each started `bytes_a_unit` of its size, `times` over; 0 is one a call."""

    operation: str
    priced: Priced
    place: Place
    bytes_a_unit: int = 0
    times: int = 1

    def units(self, size_bytes: float) -> int:
        """What a call of a size counts."""
        started = math.ceil(size_bytes / self.bytes_a_unit) if self.bytes_a_unit else 1
        return max(1, started) * self.times


def _message(place: Place) -> Call:
    return Call("Publish", Priced.MESSAGE, place, 64 * KB)


def _written(operation: str, place: Place, times: int = 1) -> Call:
    return Call(operation, Priced.WRITE, place, KB, times)


INDEXED = 2
"""An open run stands in the table of runs and in its index."""

EVENTS: Mapping[Event, tuple[Call, ...]] = {
    Event.STARTED: (_message(Place.HOME),),
    Event.BEGUN: (_written("PutItem", Place.HOME, INDEXED),),
    Event.FORWARDED: (_message(Place.NODE),),
    Event.EXECUTED: (Call("Invoke", Priced.INVOCATION, Place.NODE),),
    Event.CLAIMED: (_written("UpdateItem", Place.NODE),),
    Event.SENT: (_message(Place.NODE),),
    Event.STORED: (Call("PutObject", Priced.PUT, Place.NODE), Call("GetObject", Priced.GET, Place.NODE)),
    Event.KEPT: (_written("PutItem", Place.NODE),),
    Event.REPORTED: (_written("UpdateItem", Place.NODE),),
    Event.FIRED: (_message(Place.NODE),),
    Event.READ: (Call("Query", Priced.READ, Place.NODE, 4 * KB),),
    Event.LEAVES_ENDED: (_written("UpdateItem", Place.HOME, INDEXED),),
    Event.ENDED: (_written("UpdateItem", Place.HOME, INDEXED),),
    Event.COLLECTED: (_written("BatchWriteItem", Place.CONTROL),),
}
"""A node's region is that of the node that is called, which has its topic, its table and its bucket."""

LAMBDAS_LINES_BYTES = 300
"""START, END and REPORT of an execution, which Lambda writes beside the run record."""

LOG_USD_PER_GB = 0.50
"""Ingestion into CloudWatch Logs, us-east-1 ("Amazon CloudWatch pricing"). It is taken for regions whose own is not
known, as it is not in the packaged price list: some are higher, 0.76 in ap-northeast-1."""


def units(event: Event, size_bytes: float = 0.0) -> dict[Priced, int]:
    """What an event counts, by what is priced; of two calls both have the same size."""
    counted: dict[Priced, int] = {}
    for call in EVENTS[event]:
        counted[call.priced] = counted.get(call.priced, 0) + call.units(size_bytes)
    return counted
