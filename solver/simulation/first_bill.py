"""What runs of problems without rows are billed for: the calls of the reference system, not of our runtime.

A message is a request for each 64 KB, in the receiver's region. A report to a sync node is two writes as large as the
table's response, and one of the node's item, which grows with each payload; the sync node reads all of it. What depends
on the order of the writes is counted here in the order that costs least, and what comes on top of it in `timing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from caribou.model.bill import Priced
from caribou.solver.simulation.latency import kb
from caribou.solver.simulation.random_streams import Floats
from caribou.solver.simulation.scenarios import Message, Scenarios

KB_PER_MESSAGE_REQUEST = 64.0  # Amazon SNS bills each 64 KB of a message as one request
KB_PER_READ_UNIT = 4.0  # DynamoDB: a strongly consistent read of up to 4 KB


def message_requests(size_gb: Floats | float) -> Floats:
    """Requests that a message of a size is billed as: one for each 64 KB, at least one."""
    return np.maximum(1.0, np.ceil(kb(size_gb) / KB_PER_MESSAGE_REQUEST))


def least_requests(incoming: Sequence[Message]) -> float:
    """The requests of the smallest of the messages that may start a sync node."""
    return min(float(message_requests(message.start_gb)) for message in incoming)


def least_write_units(incoming: Sequence[Message]) -> Floats:
    """Table units (S,) if what is reported to a sync node comes in from small to large: no order takes fewer."""
    sizes_gb = np.sort(np.array([message.payload_gb for message in incoming]), axis=0)
    return np.asarray((kb(np.cumsum(sizes_gb, axis=0)) * (sizes_gb > 0)).sum(axis=0))


def report_units(message: Message) -> float:
    """Write units of a report: two writes as large as its response."""
    return 2.0 * float(kb(message.response_gb))


def join_usd(scenarios: Scenarios, node: int, usd: Mapping[Priced, Floats]) -> Floats:
    """The least (R, S) that a sync node's message and writes cost, and the read of all that was reported."""
    incoming = scenarios.incoming[node]
    sizes_gb = np.array([message.payload_gb for message in incoming])
    read_units = np.ceil(kb(sizes_gb.sum(axis=0)) / KB_PER_READ_UNIT)
    total = usd[Priced.READ][:, np.newaxis] * read_units
    total = total + usd[Priced.WRITE][:, np.newaxis] * least_write_units(incoming)
    requests = least_requests(incoming) * scenarios.invoked[node]
    return np.asarray(total + usd[Priced.MESSAGE][:, np.newaxis] * requests)
