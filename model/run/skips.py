"""What follows from edges that are not taken: which sync nodes must hear of it, and which leaves will never run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from caribou.model.graph import Edge, Graph


class Skips(NamedTuple):
    """The reach of some skipped edges: edges into sync nodes that will not be taken, and leaves that will not run.

    A named tuple, since functions make the class at each cold start: a dataclass takes four times as long.
    """

    sync_edges: tuple[Edge, ...]
    leaves: tuple[str, ...]


def reach_of_skipped(edges: Iterable[Edge], graph: Graph) -> Skips:
    """Follow skipped edges through plain nodes, which have no other way to run, up to sync nodes and leaves."""
    sync_edges: list[Edge] = []
    leaves: list[str] = []
    stack = list(reversed(list(edges)))
    while stack:
        edge = stack.pop()
        if graph.node(edge.target).sync:
            sync_edges.append(edge)
        elif onward := graph.out_edges(edge.target):
            stack.extend(reversed(onward))
        else:
            leaves.append(edge.target)
    return Skips(tuple(sync_edges), tuple(leaves))


def reach_of_skipped_node(node: str, graph: Graph) -> Skips:
    """The same for a sync node that will not run, since none of its edges was taken."""
    onward = graph.out_edges(node)
    return reach_of_skipped(onward, graph) if onward else Skips((), (node,))
