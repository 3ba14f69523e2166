"""What tests of several rooms make: graphs and placements, and where the project is."""

from pathlib import Path

from caribou.model.graph import Edge, Function, Graph, Node
from caribou.model.placement import ALL_HOURS, Placement, Plan

ROOT = Path(__file__).resolve().parents[1]
"""The project's folder."""


def graph_of(calls, sync="", functions=None, name="flow"):
    """A graph out of `{"a": "b c", …}`, entry first; nodes have functions of their own name unless told otherwise."""
    names = list(dict.fromkeys([*calls, *(target for targets in calls.values() for target in targets.split())]))
    function_of = {node: node for node in names} | (functions or {})
    synced = set(sync.split())
    return Graph(
        workflow=name,
        version="0.0.1",
        functions=tuple(
            Function(f, "app", f, entry_point=f == names[0], sync=f in synced)
            for f in dict.fromkeys(function_of.values())
        ),
        nodes=tuple(Node(node, function_of[node], sync=node in synced) for node in names),
        edges=tuple(
            Edge(source, i, target) for source, targets in calls.items() for i, target in enumerate(targets.split())
        ),
    )


def placement_of(graph, moved, home="us-east-1", **fields):
    """A placement for the whole day: some nodes in the regions given, the others at home."""
    plan = Plan(ALL_HOURS, {node.name: moved.get(node.name, home) for node in graph.nodes})
    return Placement(graph.workflow, graph.version, home, (plan,), **fields)
