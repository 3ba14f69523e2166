"""What is left to do of a run of which nothing is parked, as far as its tables say: AWS may lose an event.

Its entry can begin again, if the run's input is kept; so can a sync node that has heard of all its edges, since its
inputs are in its table. A plain node gets what it needs in its message: if that is lost after the node was claimed,
nothing has it any more. Before that, its predecessor's work is not done, and is done again if that can be.
"""

from __future__ import annotations

from typing import NamedTuple

from caribou.model.run.envelope import Envelope, StoredPayload
from caribou.runtime.progress import Progress


class Remains(NamedTuple):
    """Messages that can be sent again, as of the last attempt; and the nodes whose messages are nowhere."""

    again: tuple[Envelope, ...]
    lost: tuple[str, ...]


def remains(progress: Progress, now_s: float) -> Remains:
    """What a run waits for, if nothing of it is under way any more: none of both if it has ended."""
    graph, item = progress.graph, progress.item
    again: list[Envelope] = []
    lost: list[str] = []
    for node in (node for node in graph.nodes if node.name not in progress.passed):
        if node.sync:
            if progress.is_ready(node.name):
                again.append(_message(progress, node.name, StoredPayload(), now_s))
        elif node == graph.entry:
            if item.input is None:
                lost.append(node.name)
            else:
                again.append(_message(progress, node.name, item.input, now_s))
        elif progress.claim(node.name):
            lost.append(node.name)
    return Remains(tuple(again), tuple(lost))


def _message(progress: Progress, node: str, payload: StoredPayload, now_s: float) -> Envelope:
    claim, graph = progress.claim(node), progress.graph
    return Envelope(
        run=progress.item.run.as_needed_by(node, graph),
        node=node,
        edge=None,
        inputs=graph.inputs_digest(node),
        hop=1,
        sent_at=now_s,
        payload=payload.text,
        pointer=payload.pointer,
        attempt=0 if claim is None else claim.attempt,
    )
