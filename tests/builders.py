"""What tests of several rooms make: graphs, placements and run records; and where the project is."""

import dataclasses
from pathlib import Path

from caribou.model.graph import Edge, Function, Graph, Node
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.run.record import EndpointRecord, RunRecord

ROOT = Path(__file__).resolve().parents[1]
"""The project's folder."""
HOME = "us-east-1"


def graph_of(calls, sync="", conditional="", functions=None, name="flow"):
    """A graph out of `{"a": "b c", …}`, entry first.

    `sync` has the names of sync nodes, `conditional` the ids of edges, `a#0` for the first out of `a`. `functions` has
    those of nodes whose function is not of their own name.
    """
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
            Edge(source, i, target, conditional=f"{source}#{i}" in conditional.split())
            for source, targets in calls.items()
            for i, target in enumerate(targets.split())
        ),
    )


def placement_of(graph, moved, home=HOME, **fields):
    """A placement for the whole day: some nodes in the regions given, the others at home."""
    plan = Plan(ALL_HOURS, {node.name: moved.get(node.name, home) for node in graph.nodes})
    return Placement(graph.workflow, graph.version, home, (plan,), **fields)


def record_of(node, **changes):
    """A record of a node at home, of a function of its name, that calls nobody."""
    record = RunRecord(
        run_id="run-1",
        workflow="example",
        workflow_version="0.0.1",
        node=node,
        function=node,
        region=HOME,
        placement="digest",
        attempt=1,
        cold_start=False,
        started_at=1_700_000_000.0,
        duration_s=2.0,
        cpu_s=0.5,
        memory_mb=1769,
        bytes_in=1024,
        bytes_out=0,
        external=(EndpointRecord("s3", HOME, "", 1, 1, 1024, 1024, 0.1, 0.1),),
        edge=None,
        sent_at=None,
        redirect=False,
        stays_home=False,
        error=None,
        successors=(),
    )
    return dataclasses.replace(record, **changes)


def topic_in(region):
    """A topic of a region, that alarms may go to."""
    return f"arn:aws:sns:{region}:111122223333:on-call"
