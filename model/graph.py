"""The workflow's DAG: functions, nodes (call sites) and edges (calls)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from caribou.model.canonical import digest_of

GRAPH_SCHEMA = "caribou.graph/1"
CALL_DIGEST_LENGTH = 6
"""Of the digest of a call: each execution notes all of its node's."""


@dataclass(frozen=True, slots=True)
class Function:
    """A Python function registered with the workflow; one Lambda function in each region it is placed in.

    `module` and `handler` say where it stands in the source: `app` and `get_input` for `def get_input` in `app.py`.
    `regions_and_providers` is the decorator's override of the manifest's section, as written, or None. `calls` has, in
    order, a short digest of what each of its calls says in the source: whom it invokes, with what, on what condition.
    """

    name: str
    module: str
    handler: str
    entry_point: bool = False
    sync: bool = False
    regions_and_providers: Mapping[str, Any] | None = None
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A call site of a function: what a placement assigns to regions."""

    name: str
    function: str
    sync: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """One call in a node's function: the `call`-th `invoke_serverless_function` in its source, from 0."""

    source: str
    call: int
    target: str
    conditional: bool = False

    @property
    def id(self) -> str:
        """The edge's name, unique in the graph, since two calls may have the same target."""
        return f"{self.source}#{self.call}"


@dataclass(frozen=True)
class Graph:
    """The DAG of a workflow. Nodes are in topological order, entry first; edges by source, then by call."""

    workflow: str
    version: str
    functions: tuple[Function, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def _functions(self) -> dict[str, Function]:
        return {function.name: function for function in self.functions}

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def _out(self) -> dict[str, tuple[Edge, ...]]:
        return _grouped((edge.source, edge) for edge in self.edges)

    @cached_property
    def _in(self) -> dict[str, tuple[Edge, ...]]:
        return _grouped((edge.target, edge) for edge in self.edges)

    @property
    def entry(self) -> Node:
        """The node at which every run begins."""
        return self.nodes[0]

    @property
    def leaves(self) -> tuple[str, ...]:
        """Names of the nodes that call nothing: a run has ended when each of them ran or was skipped."""
        return tuple(node.name for node in self.nodes if not self.out_edges(node.name))

    def has_node(self, name: str) -> bool:
        """Whether a node of that name is in the graph."""
        return name in self._nodes

    def node(self, name: str) -> Node:
        """The node of that name; KeyError if there is none."""
        return self._nodes[name]

    def function(self, name: str) -> Function:
        """The function of that name; KeyError if there is none."""
        return self._functions[name]

    def out_edges(self, node: str) -> tuple[Edge, ...]:
        """The node's calls, in the order of its source."""
        return self._out.get(node, ())

    def in_edges(self, node: str) -> tuple[Edge, ...]:
        """The calls that lead to the node, in the order of the graph's edges; more than one only at a sync node."""
        return self._in.get(node, ())

    def descendants(self, node: str) -> frozenset[str]:
        """The node itself and everything that can be reached from it."""
        seen: set[str] = set()
        stack = [node]
        while stack:
            current = stack.pop()
            if current not in seen:
                seen.add(current)
                stack.extend(edge.target for edge in self.out_edges(current))
        return frozenset(seen)

    def inputs_digest(self, node: str) -> str:
        """A short digest of the edges into a node: a message of another version fits where it is the same."""
        return digest_of([edge.id for edge in self.in_edges(node)])[:16]

    def onward_digest(self, node: str) -> str:
        """A short digest of the part of the graph that a node begins: all nodes behind it, and all edges into them."""
        behind = self.descendants(node)
        nodes = [[n.name, n.function, n.sync] for n in self.nodes if n.name in behind]
        edges = [[edge.id, edge.target] for edge in self.edges if edge.target in behind or edge.source == node]
        return digest_of([nodes, edges])[:16]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the runtime relies on: nodes and edges, not where functions stand in the source."""
        shape = self.to_json()
        return digest_of({"nodes": shape["nodes"], "edges": shape["edges"]})

    def to_json(self) -> dict[str, Any]:
        """The graph as a JSON object; `from_json` reads it back."""
        return {
            "schema": GRAPH_SCHEMA,
            "workflow": self.workflow,
            "version": self.version,
            "functions": [
                {
                    "name": f.name,
                    "module": f.module,
                    "handler": f.handler,
                    "entry_point": f.entry_point,
                    "sync": f.sync,
                    "regions_and_providers": f.regions_and_providers,
                    "environment_variables": dict(f.environment_variables),
                    "calls": list(f.calls),
                }
                for f in self.functions
            ],
            "nodes": [{"name": n.name, "function": n.function, "sync": n.sync} for n in self.nodes],
            "edges": [
                {"source": e.source, "call": e.call, "target": e.target, "conditional": e.conditional}
                for e in self.edges
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Graph:
        """The graph that `to_json` wrote. Ours alone: it travels in the bundle, users never write it."""
        return cls(
            workflow=data["workflow"],
            version=data["version"],
            functions=tuple(Function(**{**f, "calls": tuple(f.get("calls", ()))}) for f in data["functions"]),
            nodes=tuple(Node(**n) for n in data["nodes"]),
            edges=tuple(Edge(**e) for e in data["edges"]),
        )


def _grouped(pairs: Iterable[tuple[str, Edge]]) -> dict[str, tuple[Edge, ...]]:
    groups: dict[str, list[Edge]] = {}
    for key, edge in pairs:
        groups.setdefault(key, []).append(edge)
    return {key: tuple(edges) for key, edges in groups.items()}
