"""The edges of a problem: how often each is taken, what travels on it and how long, and who hears of a skip.

Latency runs from the call in the sender to the start of the receiver. A sync node is started by one message, which
whoever reported last has sent, so that only this one's latency can be seen; and a sender that was retried may have
sent the message at its first attempt. So:

    the message left during the call   call ─── send, message ────▶ start     latency = start - call
    it did not                         call ── send ──▶  +  [sent ──▶ start]  latency = seconds of the send
                                                                                        + delivery of that message

The second is what the edge would have taken, had its message been the one that started the node; but no more than would
have made the node start later than it did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from caribou.collectors.billed import sent_bytes
from caribou.collectors.observed import TAKEN, Observed, Run, gigabytes, seconds
from caribou.model.graph import Edge, Graph
from caribou.model.run.record import Outcome, RunRecord, SuccessorRecord
from caribou.model.run.skips import reach_of_skipped

Json = dict[str, Any]

SYNC_BYTES = 1024
"""Size of the message that starts a sync node (an envelope without payload) and of the table's answer to a report: not
recorded; both are below 1 KiB for graphs of ordinary size, and DynamoDB counts whole KB."""

_SYNC_SIZES = {"response_gb": gigabytes(SYNC_BYTES), "message_gb": gigabytes(SYNC_BYTES)}

ASSUMED_DELIVERY_S = 0.22
"""A message's delivery inside a region, where none was ever observed: the reference system's figure."""

OUTAGE_S = 900
"""A delivery that took longer was parked, throttled or redriven: it shows an outage, not latency."""

CLOCK_TOLERANCE_S = 0.005
"""How far apart readings of the clocks of two processes may be that mean the same moment."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One observed delivery over an edge; `send_s` is how long its publish, or its report to a sync node, took.

    `sent_bytes` is the size of the message, or of the item in a sync node's table.
    """

    run_id: str
    source_region: str
    target_region: str
    payload_bytes: int
    latency_s: float
    send_s: float
    sent_bytes: int = 0


def edge_key(edge: Edge, graph: Graph) -> str:
    """The edge's name among its source's edges: the target, with the call's number where two have the same target."""
    return f"{edge.target}#{edge.call}" if is_repeated(edge, graph) else edge.target


def is_repeated(edge: Edge, graph: Graph) -> bool:
    """Whether another call of the same node has the same target."""
    return sum(other.target == edge.target for other in graph.out_edges(edge.source)) > 1


def edges(observed: Observed, graph: Graph, home: str) -> list[Json]:
    """The `edges` of a problem."""
    return [_edge(edge, observed, graph, home) for edge in graph.edges]


def probability(edge: Edge, observed: Observed) -> float:
    """Share of its source's executions in which the edge was taken; 0 if the source never ran."""
    outcomes = [found[1].outcome for run in observed.runs if (found := run.successor(edge))]
    return round(sum(outcome in TAKEN for outcome in outcomes) / len(outcomes), 6) if outcomes else 0.0


def hops(edge: Edge, observed: Observed, graph: Graph) -> list[Hop]:
    """Every delivery over an edge that the records show.

    A message that was sent to home for lack of its region, or came after OUTAGE_S, shows an outage: no sample.
    """
    found = (_hop(edge, run, sync=graph.node(edge.target).sync) for run in observed.runs)
    return [hop for hop in found if hop is not None]


def transfers(hops: Iterable[Hop]) -> Json:
    """Deliveries as a problem's `transfers`: "A>B" to aligned payloads (GB) and latencies (s)."""
    by_route: dict[str, Json] = {}
    for hop in hops:
        route = by_route.setdefault(f"{hop.source_region}>{hop.target_region}", {"payload_gb": [], "latency_s": []})
        route["payload_gb"].append(gigabytes(hop.payload_bytes))
        route["latency_s"].append(hop.latency_s)
    return dict(sorted(by_route.items()))


def transfers_of_runs(hops: Iterable[Hop], observed: Observed) -> Json:
    """The same, with the place of each one's run, and what was sent in all."""
    hops = list(hops)
    rows, sent_gb = defaultdict[str, list[int]](list), defaultdict[str, list[float]](list)
    for hop in hops:
        route = f"{hop.source_region}>{hop.target_region}"
        rows[route].append(observed.rows[hop.run_id])
        sent_gb[route].append(gigabytes(hop.sent_bytes))
    return {
        route: {"run": rows[route], **columns, "sent_gb": sent_gb[route]} for route, columns in transfers(hops).items()
    }


def taken_in(edge: Edge, observed: Observed) -> list[int]:
    """The places of the runs in which an edge was taken."""
    found = ((row, run.successor(edge)) for row, run in enumerate(observed.runs))
    return [row for row, successor in found if successor is not None and successor[1].outcome in TAKEN]


def _edge(edge: Edge, observed: Observed, graph: Graph, home: str) -> Json:
    taken = probability(edge, observed)
    skippable = taken < 1 or graph.node(edge.source).sync  # a sync node that does not run passes the skip on
    return {
        "from": edge.source,
        "to": edge.target,
        **({"call": edge_key(edge, graph)} if is_repeated(edge, graph) else {}),
        "probability": taken,
        "taken": taken_in(edge, observed),
        "transfers": transfers_of_runs(hops(edge, observed, graph), observed),
        "sync": dict(_SYNC_SIZES) if graph.node(edge.target).sync else None,
        "on_skip": _notices(edge, observed, graph, home) if skippable else [],
    }


def _hop(edge: Edge, run: Run, *, sync: bool) -> Hop | None:
    found, arrival = run.successor(edge), run.arrivals.get(edge.target)
    if found is None or arrival is None:
        return None
    sender, successor = found
    delivered = (
        successor.outcome == Outcome.JOINED if sync else successor.outcome == Outcome.SENT and arrival.edge == edge.id
    )
    latency_s = _latency_s(sender, successor, arrival) if delivered else None
    if latency_s is None:
        return None
    return Hop(
        run_id=run.run_id,
        source_region=sender.region,
        target_region=arrival.region,
        payload_bytes=successor.payload_bytes,
        latency_s=latency_s,
        send_s=seconds(successor.seconds),
        sent_bytes=sent_bytes(run.run_id, successor, sync=sync),
    )


def _latency_s(sender: RunRecord, successor: SuccessorRecord, arrival: RunRecord) -> float | None:
    """From the call to the start, if the message left during the call; else what the call and the delivery took."""
    if arrival.sent_at is None:
        return None
    call = sender.started_at + successor.offset_s
    sent_in_call = call - CLOCK_TOLERANCE_S <= arrival.sent_at <= call + successor.seconds + CLOCK_TOLERANCE_S
    there_s, as_last_s = arrival.started_at - call, arrival.started_at - arrival.sent_at + successor.seconds
    came_before = 0 < there_s < as_last_s
    latency_s = there_s if sent_in_call or came_before else as_last_s
    return seconds(latency_s) if latency_s <= OUTAGE_S else None


def _notices(edge: Edge, observed: Observed, graph: Graph, home: str) -> list[Json]:
    """Who is notified when the edge is not taken: every edge into a sync node that is reached over plain nodes alone.

    Without samples of its own a notice takes those of the edge that it stands for; where there are none either, since
    no run came so far, a delivery at home is assumed.
    """
    notices = []
    for ended in reach_of_skipped((edge,), graph).sync_edges:
        latencies = _notice_latencies(edge, ended.target, observed)
        if not latencies and not hops(ended, observed, graph):
            latencies = {f"{home}>{home}": {"latency_s": [ASSUMED_DELIVERY_S]}}
        notices.append({"predecessor": ended.source, "sync_node": ended.target, **_SYNC_SIZES, "transfers": latencies})
    return notices


def _notice_latencies(edge: Edge, sync_node: str, observed: Observed) -> dict[str, Json]:
    """Latencies of notices by route. If a skip notifies several sync nodes, its seconds cover all: an upper bound."""
    by_route: dict[str, Json] = {}
    for row, run in enumerate(observed.runs):
        found, arrival = run.successor(edge), run.arrivals.get(sync_node)
        if found is None or arrival is None or found[1].outcome != Outcome.SKIPPED:
            continue
        latency_s = _latency_s(*found, arrival)
        if latency_s is not None:
            route = by_route.setdefault(f"{found[0].region}>{arrival.region}", {"run": [], "latency_s": []})
            route["run"].append(row)
            route["latency_s"].append(latency_s)
    return dict(sorted(by_route.items()))
