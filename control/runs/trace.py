"""What became of each node of a run, out of what the runtime left behind. Pure: evidence in, a trace out.

A node's state follows from the first of these that says something:

    a record without an error          ran
    every edge into it was skipped     skipped
    the run failed at it               failed
    its message is parked              parked
    it is claimed, or its record has   running, or retrying after an error; stopped if its run was cancelled
    an error
    otherwise                          waiting, or stopped; `no record` if the run has succeeded: its log is on its way

The critical path goes back from the node that ended last (or failed), each time to the edge that reported last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from caribou.model.graph import Edge, Graph, Node
from caribou.model.run.item import START_NODE, Parked, RunItem, RunState, SyncState
from caribou.model.run.record import Outcome, RunRecord, SuccessorRecord

TRACE_SCHEMA = "caribou.trace/1"


class NodeState(StrEnum):
    """What became of a node."""

    RAN = "ran"
    SKIPPED = "skipped"
    FAILED = "failed"
    PARKED = "parked"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    STOPPED = "stopped"
    UNKNOWN = "no record"


@dataclass(frozen=True, slots=True)
class Notes:
    """What the tables say of a node: how often deliveries that own it were tried, and which edges have reported."""

    tries: int = 0
    reports: SyncState = field(default_factory=SyncState)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a run: its item, the records in its functions' logs, notes by node, and parked messages.

    Of the regions `unseen`, which did not answer, nothing is known.
    """

    graph: Graph
    home_region: str
    item: RunItem
    records: tuple[RunRecord, ...] = ()
    notes: Mapping[str, Notes] = field(default_factory=dict)
    parked: tuple[Parked, ...] = ()
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EdgeTrace:
    """An edge out of a node: what became of it (None: nothing is known), how large its payload was (bytes)."""

    id: str
    node: str
    outcome: str | None
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class NodeTrace:
    """A node. `region` is where it ran, else where it is to run; `planned_region` what the run's map says.

    `began_s` counts from the run's start; times and sizes are None where there is no record. `reported` says of how
    many edges a waiting sync node has heard. `is_parked` says that a message for it waits for a redrive.
    """

    node: str
    function: str
    state: NodeState
    region: str
    planned_region: str
    attempts: int = 0
    began_s: float | None = None
    duration_s: float | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    cold_start: bool | None = None
    error: str | None = None
    reported: int | None = None
    is_parked: bool = False
    is_critical: bool = False
    edges: tuple[EdgeTrace, ...] = ()

    @property
    def is_rerouted(self) -> bool:
        """Whether it ran elsewhere than the run's map says: its region could not be reached."""
        return self.region != self.planned_region


@dataclass(frozen=True, slots=True)
class Trace:
    """A run and all its nodes, in topological order. `parents` has the edge below which a tree shows each node.

    `forwarded_s` is how long the home entry took to forward a run whose entry node is elsewhere. `remark` says what
    keeps the trace from being right, if anything does.
    """

    item: RunItem
    workflow: str
    nodes: tuple[NodeTrace, ...]
    parents: Mapping[str, str]
    forwarded_s: float | None = None
    remark: str | None = None
    unseen: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether every node's end is known that has one: logs come a moment later than the run's end.

        Those of a region that does not answer are not waited for.
        """
        return bool(self.unseen) or not any(node.state is NodeState.UNKNOWN for node in self.nodes)

    def node(self, name: str) -> NodeTrace:
        """The node of that name; KeyError if there is none."""
        return {node.node: node for node in self.nodes}[name]

    def to_json(self) -> dict[str, Any]:
        """The trace as a JSON object."""
        run = self.item.run
        return {
            "schema": TRACE_SCHEMA,
            "run_id": run.run_id,
            "workflow": self.workflow,
            "workflow_version": run.workflow_version,
            "state": self.item.state,
            "started_at": run.started_at,
            "deadline": run.deadline,
            "seconds": self.item.seconds,
            "placement": run.placement,
            "stays_home": run.stays_home,
            "failed_node": self.item.failed_node,
            "error": self.item.error,
            "results": {leaf: _value(text) for leaf, text in self.item.results.items()},
            "forwarded_s": self.forwarded_s,
            "remark": self.remark,
            "unseen_regions": list(self.unseen),
            "nodes": [asdict(node) for node in self.nodes],
        }


def _value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """What a leaf returned; the text itself if a function has written something else into the run item."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def trace_of(evidence: Evidence) -> Trace:
    """What became of each node."""
    return _Tracer(evidence).trace()


@dataclass(frozen=True)
class _Tracer:
    evidence: Evidence

    def trace(self) -> Trace:
        graph, item = self.evidence.graph, self.evidence.item
        critical = self._critical_path()
        nodes = tuple(replace(self._node(node), is_critical=node.name in critical) for node in graph.nodes)
        redirects = [record.duration_s for record in self.evidence.records if record.redirect]
        other = item.run.graph != graph.digest
        return Trace(
            item=item,
            workflow=graph.workflow,
            nodes=nodes,
            parents={node.name: self._parent(node.name, critical) for node in graph.nodes[1:]},
            forwarded_s=redirects[0] if redirects else None,
            remark=self._remark(is_of_another_graph=other),
            unseen=self.evidence.unseen,
        )

    def _remark(self, *, is_of_another_graph: bool) -> str | None:
        version, unseen = self.evidence.item.run.workflow_version, self.evidence.unseen
        said = [f"it began with another graph, of version {version}"] if is_of_another_graph else []
        said += [f"{', '.join(unseen)} did not answer"] if unseen else []
        return "; ".join(said) or None

    @cached_property
    def _records(self) -> dict[str, tuple[RunRecord, ...]]:
        """A node's records, the earliest attempt first."""
        found: dict[str, list[RunRecord]] = {}
        for record in sorted(self.evidence.records, key=lambda record: (record.attempt, record.started_at)):
            if not record.redirect:
                found.setdefault(record.node, []).append(record)
        return {node: tuple(records) for node, records in found.items()}

    @cached_property
    def _ends(self) -> dict[str, RunRecord]:
        """The record that counts of each node that ran: of several, that of the latest attempt, which owns the node."""
        good = {node: [one for one in records if one.error is None] for node, records in self._records.items()}
        return {node: records[-1] for node, records in good.items() if records}

    @cached_property
    def _recorded(self) -> dict[str, tuple[RunRecord, SuccessorRecord]]:
        """What was recorded of each edge, by the first attempt that came so far."""
        recorded: dict[str, tuple[RunRecord, SuccessorRecord]] = {}
        for records in self._records.values():
            for record in records:
                for successor in record.successors:
                    recorded.setdefault(successor.edge, (record, successor))
        return recorded

    @cached_property
    def _skipped_nodes(self) -> frozenset[str]:
        skipped: set[str] = set()
        for node in self.evidence.graph.nodes[1:]:
            edges = self.evidence.graph.in_edges(node.name)
            if node.name not in self._ends and all(self._is_skipped(edge, skipped) for edge in edges):
                skipped.add(node.name)
        return frozenset(skipped)

    def _is_skipped(self, edge: Edge, skipped_nodes: Iterable[str]) -> bool:
        recorded = self._recorded.get(edge.id)
        noted = edge.id in self._notes(edge.target).reports.skipped
        return (
            noted or edge.source in skipped_nodes or (recorded is not None and recorded[1].outcome == Outcome.SKIPPED)
        )

    def _notes(self, node: str) -> Notes:
        return self.evidence.notes.get(node, Notes())

    def _node(self, node: Node) -> NodeTrace:
        run, records = self.evidence.item.run, self._records.get(node.name, ())
        planned = run.region_of(node.name, self.evidence.home_region)
        last = self._ends.get(node.name, records[-1] if records else None)
        names = {node.name, START_NODE} if node == self.evidence.graph.entry else {node.name}
        parked = next((parked for parked in self.evidence.parked if parked.node in names), None)
        trace = NodeTrace(
            node=node.name,
            function=node.function,
            state=self._state(node, is_parked=parked is not None),
            region=last.region if last else planned,
            planned_region=planned,
            attempts=max([self._notes(node.name).tries, *(record.attempt for record in records)]),
            error=self._error(node, parked),
            reported=self._notes(node.name).reports.reported() if node.sync and last is None else None,
            is_parked=parked is not None,
            edges=tuple(self._edge(edge) for edge in self.evidence.graph.out_edges(node.name)),
        )
        if last is None:
            return trace
        return replace(
            trace,
            began_s=last.started_at - run.started_at,
            duration_s=last.duration_s,
            bytes_in=last.bytes_in,
            bytes_out=last.bytes_out,
            cold_start=last.cold_start,
        )

    def _state(self, node: Node, *, is_parked: bool) -> NodeState:
        item, records, tries = self.evidence.item, self._records.get(node.name, ()), self._notes(node.name).tries
        is_between = bool(records) and tries <= records[-1].attempt
        signs = (
            (node.name in self._ends, NodeState.RAN),
            (node.name in self._skipped_nodes, NodeState.SKIPPED),
            (item.state is RunState.FAILED and item.failed_node == node.name, NodeState.FAILED),
            (is_parked, NodeState.PARKED),
            (item.state is RunState.SUCCEEDED, NodeState.UNKNOWN),
            (is_between and item.state is RunState.CANCELLED, NodeState.STOPPED),
            (is_between, NodeState.RETRYING),
            (tries > 0, NodeState.RUNNING),
            (item.state is RunState.CANCELLED, NodeState.STOPPED),
        )
        return next((state for is_so, state in signs if is_so), NodeState.WAITING)

    def _error(self, node: Node, parked: Parked | None) -> str | None:
        """What the node's last try raised; of one that was killed, what Lambda said of it."""
        item, records = self.evidence.item, self._records.get(node.name, ())
        if node.name in self._ends:
            return None
        if item.state is RunState.FAILED and item.failed_node == node.name:
            return item.error
        if parked is not None:
            return parked.reason
        return records[-1].error if records else None

    def _edge(self, edge: Edge) -> EdgeTrace:
        recorded = self._recorded.get(edge.id)
        if recorded is not None:
            return EdgeTrace(edge.id, edge.target, recorded[1].outcome, recorded[1].payload_bytes)
        outcome = Outcome.SKIPPED if self._is_skipped(edge, self._skipped_nodes) else None
        return EdgeTrace(edge.id, edge.target, outcome, 0)

    def _critical_path(self) -> frozenset[str]:
        path: set[str] = set()
        node = self._last()
        while node is not None and node not in path:
            path.add(node)
            node = self._trigger(node)
        return frozenset(path)

    def _last(self) -> str | None:
        """The node that failed, else the one that ended last."""
        item = self.evidence.item
        if item.state is RunState.FAILED and item.failed_node and self.evidence.graph.has_node(item.failed_node):
            return item.failed_node
        known = [node for node in self._ends if self.evidence.graph.has_node(node)]
        return max(known, key=lambda node: _end_s(self._ends[node]), default=None)

    def _trigger(self, node: str) -> str | None:
        """The node whose edge into this one reported last."""
        found = [at for edge in self.evidence.graph.in_edges(node) if (at := self._reported_at(edge)) is not None]
        return max(found)[1] if found else None

    def _reported_at(self, edge: Edge) -> tuple[float, str] | None:
        """When an edge was reported, and by which node: for one out of a skipped node, the one that skipped that."""
        recorded = self._recorded.get(edge.id)
        if recorded is not None:
            record, successor = recorded
            return record.started_at + successor.offset_s + successor.seconds, record.node
        if edge.source not in self._skipped_nodes:
            return None
        found = [at for before in self.evidence.graph.in_edges(edge.source) if (at := self._reported_at(before))]
        return max(found, default=None)

    def _parent(self, node: str, critical: frozenset[str]) -> str:
        """The edge below which a tree shows the node: the one on the critical path, else the first."""
        edges = self.evidence.graph.in_edges(node)
        trigger = self._trigger(node) if node in critical else None
        return next((edge.id for edge in edges if edge.source == trigger), edges[0].id)


def _end_s(record: RunRecord) -> float:
    return record.started_at + record.duration_s
