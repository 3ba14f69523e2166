"""Whether a node of a run that failed may be run again by this version of its workflow, and why not.

What a node had handed over before it failed is kept: a receiver that has begun, the first report of an edge. So

    its inputs are gone              ──> refused: it would run on nothing
    the graph from it on is another  ──> refused: what is kept has no place in it
    a call that had been made is     ──> refused: one payload would travel twice, and another one never
    another one now
    anything else has changed        ──> is why people redrive
"""

from __future__ import annotations

from dataclasses import dataclass

from caribou.model.graph import Graph
from caribou.model.run.code import Code, code_note, parse_code
from caribou.model.run.item import RunItem
from caribou.model.run.order import Refusal
from caribou.runtime.progress import Progress

_GO_ON = "deploy the calls as they were, or start a new run"


@dataclass(frozen=True)
class Checks:
    """Looks at the nodes of one run, with this version's graph."""

    graph: Graph
    progress: Progress

    def refusal(self, node: str) -> Refusal | None:
        """Why a node must not run again; None if it may."""
        if not self.graph.has_node(node):
            return self._of_another_graph(node)
        return self._on_nothing(node) or self._of_other_code(node)

    def _on_nothing(self, node: str) -> Refusal | None:
        """A sync node whose state is gone would have no inputs: with its region, which was retired, say."""
        edges = self.graph.in_edges(node)
        if not self.graph.node(node).sync or (reported := self.progress.state(node).reported()) >= len(edges):
            return None
        return Refusal(
            f"what its predecessors had sent to {node} is gone from {self.progress.region(node)}, so it can't go on",
            fix="start a new run",
            found=f"{reported} of {len(edges)} reports",
        )

    def _of_other_code(self, node: str) -> Refusal | None:
        claim, now = self.progress.claim(node), parse_code(code_note(self.graph, node))
        before = None if claim is None else parse_code(claim.code)
        if self._is_another_graph(node, before, now):
            return self._of_another_graph(node)
        changed = () if before is None else before.changed(now)
        edges = self.graph.out_edges(node)
        made = max((i for i, edge in enumerate(edges) if changed and self.progress.is_made(edge)), default=-1)
        wrong = next((edges[i] for i in changed if i <= made), None)
        if wrong is None:
            return None
        return Refusal(
            f"call {wrong.call + 1} of {node}, to {wrong.target}, had been made before it failed, and is another one "
            "now: what it gave then is kept, so payloads would be mixed",
            fix=_GO_ON,
            found=f"version {self.graph.version}",
        )

    def _is_another_graph(self, node: str, before: Code | None, now: Code) -> bool:
        """Whether what is behind the node is not what the run began with, as far as is known."""
        run = self.progress.item.run
        if run.graph == self.graph.digest:
            return False
        if before is None and node == self.graph.entry.name:  # nothing of it has run: its leaves are what counts
            return self.progress.item.leaves != frozenset(self.graph.leaves)
        return before is None or before.onward != now.onward

    def _of_another_graph(self, node: str) -> Refusal:
        return Refusal(
            f"the graph at {node} and behind it is not the one that the run began with",
            fix=_GO_ON,
            found=versions(self.graph.version, self.progress.item.run.workflow_version),
        )


def first_refusal(progress: Progress, nodes: set[str]) -> Refusal | None:
    """Why some nodes must not run again; None if all may."""
    checks = Checks(progress.graph, progress)
    return next((refusal for node in sorted(nodes) if (refusal := checks.refusal(node)) is not None), None)


def of_another_graph(item: RunItem, version: str) -> Refusal:
    """Why a run can't be worked out of its tables: they are of another graph."""
    return Refusal(
        "nothing of it is parked, and the graph is not the one that it began with",
        fix="deploy that graph, or start a new run",
        found=versions(version, item.run.workflow_version),
    )


def versions(deployed: str, of_run: str) -> str:
    """The versions of two graphs that differ: of the one that is deployed, and of a run's."""
    if deployed == of_run:
        return f"another graph under the same version, {deployed}: it was deployed by force, or by the CDK alone"
    return f"version {deployed}, and the run's is {of_run}"
