"""What a problem says of sizes that are billed: items, messages and log lines of the observed runs.

Sizes follow from what the runtime writes (`model.run.item_sizes`); what no record says is taken as the runtime's own
limits have it: a client's payload travels in its message as long as it is below the message's limit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from caribou.collectors.observed import Observed, Run, gigabytes
from caribou.collectors.records import record_item
from caribou.model.bill import LAMBDAS_LINES_BYTES, Event, Priced, units
from caribou.model.graph import Graph
from caribou.model.manifest import Manifest
from caribou.model.run import envelope
from caribou.model.run.code import code_note
from caribou.model.run.item import ITEM_PAYLOAD_LIMIT_BYTES, NOTED_DIGEST_BYTES, largest_input_bytes
from caribou.model.run.item_sizes import (
    POINTER_BYTES,
    claim_bytes,
    payload_item_bytes,
    region_map_bytes,
    run_item_writes,
    state_bytes,
)
from caribou.model.run.record import RECORD_KEY, Outcome, RunRecord, SuccessorRecord
from caribou.model.run.skips import reach_of_skipped, reach_of_skipped_node

Json = dict[str, Any]

ENVELOPE_BYTES = 1024
"""What an envelope has around its payload, where no record says how large the message was."""


def run_columns(observed: Observed, graph: Graph, manifest: Manifest) -> Json:
    """The sizes of each run's item at its writes, and what its input takes while there is room for it."""
    columns: Json = {"item_bytes": [], "input_bytes": [], "input_room_bytes": []}
    for run in observed.runs:
        begun = _begun(run, graph, manifest)
        ended_at = max(r.started_at + r.duration_s for r in run.executions.values())
        payload = entry_bytes(run, graph)
        kept = payload if payload <= manifest.runs.message_limit_bytes else POINTER_BYTES
        room = largest_input_bytes(begun, graph.leaves) + region_map_bytes({}) - kept
        fits = room >= region_map_bytes({})
        writes = run_item_writes(begun, graph.leaves, _ends(run, graph), ended_at)
        columns["item_bytes"].append([size if fits else size + NOTED_DIGEST_BYTES for size in writes])
        columns["input_bytes"].append(len("input") + kept if fits else 0)
        columns["input_room_bytes"].append(room if fits else 0)
    return columns


def entry_columns(observed: Observed, graph: Graph, manifest: Manifest) -> Json:
    """What each client published, and what the home entry would send on: smaller than the payload if that rests."""
    payloads = [entry_bytes(run, graph) for run in observed.runs]
    limit = manifest.runs.message_limit_bytes
    return {
        "sent_gb": [gigabytes(size if size <= limit else POINTER_BYTES) for size in payloads],
        "forwarded_gb": [
            gigabytes(ENVELOPE_BYTES + (size if size + ENVELOPE_BYTES <= limit else POINTER_BYTES)) for size in payloads
        ],
    }


def node_sizes(name: str, records: Sequence[RunRecord], observed: Observed, graph: Graph, manifest: Manifest) -> Json:
    """Sizes of a node's claim and state, and what an execution of it logs, on average."""
    node = graph.node(name)
    run_id = max((run.run_id for run in observed.runs), key=len)
    claimed = manifest.runs.deduplicate or node.sync
    edges = [edge.id for edge in graph.in_edges(name)] if node.sync else []
    return {
        "claim_bytes": claim_bytes(run_id, name, code_note(graph, name)) if claimed else 0,
        **({"report_bytes": [state_bytes(run_id, name, edges[: i + 1]) for i in range(len(edges))]} if edges else {}),
        "log_bytes": _mean([logged_bytes(record) for record in records]),
        "collected_units": _mean([collected_units(record, manifest) for record in records]),
    }


def sent_bytes(run_id: str, successor: SuccessorRecord, *, sync: bool) -> int:
    """Size of what was sent along an edge: the message, or the item in a sync node's table."""
    payload = successor.payload_bytes
    if sync:
        resting = payload if payload <= ITEM_PAYLOAD_LIMIT_BYTES else POINTER_BYTES
        return payload_item_bytes(run_id, successor.node, successor.edge, resting)
    return ENVELOPE_BYTES + payload if successor.message_bytes is None else successor.message_bytes


def logged_bytes(record: RunRecord) -> int:
    """What an execution logs: its record, without texts that only its own log has, and Lambda's own lines."""
    line = json.dumps({RECORD_KEY: record.to_json()}, separators=(",", ":"))
    return len(line) + 1 + LAMBDAS_LINES_BYTES


def collected_units(record: RunRecord, manifest: Manifest) -> int:
    """Write units of keeping a record."""
    item = record_item(record, manifest.log_retention_days)
    return units(Event.COLLECTED, sum(len(name) + len(str(value).encode()) for name, value in item.items()))[
        Priced.WRITE
    ]


def entry_bytes(run: Run, graph: Graph) -> int:
    """Size of the payload that a run began with."""
    return run.executions[graph.entry.name].bytes_in


def _begun(run: Run, graph: Graph, manifest: Manifest) -> envelope.Run:
    """The run as it began, its map left out."""
    first = run.redirects[0] if run.redirects else run.arrivals[graph.entry.name]
    return envelope.Run(
        run_id=run.run_id,
        workflow_version=first.workflow_version,
        graph=graph.digest,
        placement=first.placement,
        regions={},
        started_at=first.started_at,
        deadline=first.started_at + manifest.runs.run_deadline_s,
    )


def _ends(run: Run, graph: Graph) -> list[dict[str, int]]:
    """What was noted in the run item, in the order of time: leaves that ended with their results, or will not run."""
    ends: list[tuple[float, dict[str, int]]] = []
    for node in graph.nodes:
        record = run.executions.get(node.name)
        if record is None:
            if node.sync:  # what it passes on comes with the last of its notices
                ends.append((float("inf"), dict.fromkeys(reach_of_skipped_node(node.name, graph).leaves, 0)))
        elif not graph.out_edges(node.name):
            ends.append((record.started_at + record.duration_s, {node.name: record.result_bytes or 0}))
        else:
            ends += [
                (record.started_at + s.offset_s, dict.fromkeys(_behind(s, graph), 0))
                for s in record.successors
                if s.outcome == Outcome.SKIPPED
            ]
    return [leaves for _, leaves in sorted(ends, key=lambda end: end[0]) if leaves]


def _behind(successor: SuccessorRecord, graph: Graph) -> tuple[str, ...]:
    edge = next(edge for edge in graph.edges if edge.id == successor.edge)
    return reach_of_skipped((edge,), graph).leaves


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 3) if values else 0.0
