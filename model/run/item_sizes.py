"""How large the runtime's items are in DynamoDB: what its writes and reads are billed by.

An attribute counts its name and its value in UTF-8, a set its members, a number a byte for two digits and one more
(DynamoDB developer guide, "DynamoDB item sizes and formats"). What is in which item: `runtime/run_items.py` and
`runtime/sync_items.py`; a test compares with the items of real runs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence

from caribou.model.run.envelope import Run
from caribou.model.template_contract import OPEN_INDEX, RESULT_ATTRIBUTE

ID_BYTES = 36
"""Of the ids of AWS's messages and requests: UUIDs."""
POINTER_BYTES = 400
"""Where a payload rests, as JSON: below it with names of ordinary length."""
_SHARD_BYTES, _MARK_BYTES = 2, 12
_EXPIRES = len("expires") + 6
_STATES = {"RUNNING": 7, "SUCCEEDED": 9}


def run_item_writes(
    run: Run, leaves: Sequence[str], ends: Iterable[Mapping[str, int]], ended_at: float
) -> tuple[int, ...]:
    """Sizes of a run item at each of its writes, without its map of regions and its input.

    It is written as the run begins, at each of `ends` (leaves, with the sizes of what is kept of their results), and at
    the end. A write counts by the larger of the item before and after.
    """
    texts = {
        "run_id": run.run_id,
        "workflow_version": run.workflow_version,
        "graph": run.graph,
        "placement": run.placement,
    }
    size = sum(len(name) + len(text.encode()) for name, text in texts.items())
    size += len("regions") + len("stays_home") + 1 + len("leaves") + sum(len(leaf.encode()) for leaf in leaves)
    size += len("started_at") + _number(run.started_at) + len("deadline") + _number(run.deadline) + _EXPIRES
    size += len("state") + _STATES["RUNNING"] + len(OPEN_INDEX) + _SHARD_BYTES + len("begun_by") + ID_BYTES
    writes = [size]
    for number, ended in enumerate(ends):
        size += len("ended") if number == 0 else 0
        size += sum(len(leaf.encode()) + _result(leaf, result) for leaf, result in ended.items())
        writes.append(size)
    grown = len("ended_at") + _number(ended_at) + _STATES["SUCCEEDED"] - _STATES["RUNNING"]
    return (*writes, size + max(0, grown - len(OPEN_INDEX) - _SHARD_BYTES))


def region_map_bytes(regions: Mapping[str, str]) -> int:
    """Size of a run's map of nodes that are not at home, as its item has it."""
    return len(json.dumps(dict(regions)).encode())


def claim_bytes(run_id: str, node: str, code: str) -> int:
    """Size of a node's claim, after a first try."""
    return (
        _key(run_id, node, "claim")
        + _EXPIRES
        + len("owner")
        + ID_BYTES
        + len("call")
        + _MARK_BYTES
        + len("attempt")
        + 1
        + len("code")
        + len(code)
        + len("tries_0")
        + 2
    )


def state_bytes(run_id: str, node: str, edges: Iterable[str]) -> int:
    """Size of a sync node's state once some edges have reported, all of them taken."""
    return _key(run_id, node, "state") + _EXPIRES + len("taken") + sum(len(edge.encode()) for edge in edges)


def payload_item_bytes(run_id: str, node: str, edge: str, payload_bytes: int) -> int:
    """Size of the item that keeps an edge's payload, or where that rests."""
    return _key(run_id, node, f"edge#{edge}") + _EXPIRES + len("payload") + payload_bytes


def _key(run_id: str, node: str, part: str) -> int:
    return len("id") + len(f"{run_id}#{node}".encode()) + len("part") + len(part.encode())


def _result(leaf: str, size_bytes: int) -> int:
    return len((RESULT_ATTRIBUTE + leaf).encode()) + size_bytes if size_bytes else 0


def _number(value: float) -> int:
    return math.ceil(len(repr(value).strip("-0.")) / 2) + 1
