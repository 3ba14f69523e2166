"""Manifests, and the records of whole runs as the runtime writes them."""

import dataclasses

import pytest
from builders import HOME, graph_of, record_of

from caribou.model.manifest import FunctionSettings, Manifest, RegionRules
from caribou.model.run.record import Outcome, SuccessorRecord

AWAY = "ca-central-1"
SEND_S = 0.02
DELIVERY_S = 0.1
DURATION_S = record_of("A").duration_s
START = record_of("A").started_at


def manifest_of(graph, regions=(HOME, AWAY), **changes):
    """A manifest for a graph, every function with 1769 MB in the same regions."""
    settings = FunctionSettings(timeout_s=60, memory_mb=1769, regions=RegionRules(allowed=tuple(regions)))
    manifest = Manifest(
        workflow_name=graph.workflow,
        workflow_version=graph.version,
        home_region=HOME,
        functions={function.name: settings for function in graph.functions},
    )
    return dataclasses.replace(manifest, **changes)


def simulate(graph, run_id="run-1", *, skipped=(), regions=None, started_at=START):
    """The records of one run: calls one second after a node's start, and 0.1 s after each other.

    A sync node starts when the last of its edges has reported; reports take SEND_S, deliveries DELIVERY_S.
    """
    regions = regions or {}
    starts = {graph.entry.name: (started_at, None, None)}  # node to start, sent_at, edge
    reports = {}
    records = []
    for node in graph.nodes:
        for edge in graph.in_edges(node.name):
            if node.sync and edge.id not in reports:
                reports[edge.id] = (started_at, False)  # notified by a skip further up
        if node.sync:
            taken = [reports[edge.id] for edge in graph.in_edges(node.name)]
            if any(was_taken for _, was_taken in taken):
                last = max(at for at, _ in taken)
                starts[node.name] = (last + DELIVERY_S, last, None)
        if node.name not in starts:
            continue
        at, sent_at, by = starts[node.name]
        successors = []
        for i, edge in enumerate(graph.out_edges(node.name)):
            offset_s = 1 + i / 10
            call = at + offset_s
            if edge.id in skipped:
                outcome = Outcome.SKIPPED
                reports[edge.id] = (call + SEND_S, False)
            elif graph.node(edge.target).sync:
                outcome = Outcome.JOINED
                reports[edge.id] = (call + SEND_S, True)
            else:
                outcome = Outcome.SENT
                starts[edge.target] = (call + DELIVERY_S, call, edge.id)
            size = 0 if outcome == Outcome.SKIPPED else 512
            region = None if outcome == Outcome.SKIPPED else regions.get(edge.target, HOME)
            successors.append(SuccessorRecord(edge.id, edge.target, region, outcome, size, offset_s, SEND_S))
        records.append(
            record_of(
                node.name,
                run_id=run_id,
                region=regions.get(node.name, HOME),
                started_at=at,
                edge=by,
                sent_at=sent_at,
                successors=tuple(successors),
            )
        )
    return records


class Runs:
    """The factories above, and that of single records."""

    HOME, AWAY, START = HOME, AWAY, START
    SEND_S, DELIVERY_S, DURATION_S = SEND_S, DELIVERY_S, DURATION_S
    manifest_of = staticmethod(manifest_of)
    record_of = staticmethod(record_of)
    simulate = staticmethod(simulate)
    changed = staticmethod(dataclasses.replace)

    @staticmethod
    def groups(logs):
        """Names of the log groups that a client sees."""
        return {group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]}


@pytest.fixture
def make():
    """Factories of manifests and records."""
    return Runs


@pytest.fixture
def diamond():
    """A → B → D and A → C → D, A → B conditional, D a sync node."""
    return graph_of({"A": "B C", "B": "D", "C": "D"}, sync="D", conditional="A#0", name="example")
