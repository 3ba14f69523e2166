"""From functions and their calls to nodes and edges: the call tree unfolds, and meets again at sync nodes.

A function that is called from several places gets a node for each call site and for each node of the caller, but a
sync function has one node, whoever calls it. Nodes are numbered in topological order: Kahn's algorithm, and where
several nodes are ready, the one that was found first goes first. Found means breadth first from the entry, calls in
the order of the source. So the same source always gives the same names.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from caribou.model.errors import InvalidWorkflowError
from caribou.model.graph import Edge, Node

MAX_NODES = 500
"""A larger DAG is refused: a function that is called twice at each of n levels has 2^n nodes."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One `invoke_serverless_function` in a function's source: whom it calls, and where it stands (`app.py:12`).

    `digest` is a short one of its text, without comments and layout; and of the calls of helpers that lead to it.
    """

    target: str
    conditional: bool
    where: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """What a registered function does to the DAG. `where` is its definition's file and line."""

    name: str
    where: str
    calls: tuple[Invocation, ...] = ()
    entry_point: bool = False
    sync: bool = False


@dataclass(frozen=True, slots=True)
class _Site:
    """A node before it has a name: found as the `call`-th call of the site number `caller` (None for the entry)."""

    function: str
    caller: int | None = None
    call: int = 0


@dataclass(frozen=True, slots=True)
class _Link:
    """An edge between two sites, by their numbers."""

    source: int
    call: int
    target: int
    conditional: bool


def unfold(bodies: Sequence[Body]) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """The nodes, in topological order, and the edges, by source and call, of the DAG that the functions span.

    Raises InvalidWorkflowError unless there is one entry point from which every function is reached, without a cycle
    and with at most MAX_NODES nodes.
    """
    by_name = {body.name: body for body in bodies}
    entry = _entry(bodies)
    _check_entry_is_first(bodies, entry)
    _check_acyclic(by_name)
    _check_reached(by_name, entry)
    sites, links = _sites(by_name, entry)
    return _named(sites, links, by_name)


def _entry(bodies: Sequence[Body]) -> Body:
    entries = [body for body in bodies if body.entry_point]
    if len(entries) == 1:
        return entries[0]
    if entries:
        raise InvalidWorkflowError(
            "the workflow has two entry points",
            where=entries[1].where,
            found=" and ".join(body.name for body in entries),
            fix="keep `entry_point=True` at the one function that starts a run",
        )
    raise InvalidWorkflowError(
        "the workflow has no entry point",
        where=bodies[0].where,
        fix="add `entry_point=True` to the decorator of the function that starts a run",
    )


def _check_entry_is_first(bodies: Sequence[Body], entry: Body) -> None:
    if entry.sync:
        raise InvalidWorkflowError(
            "the entry point calls `get_predecessor_data()`, but nothing comes before it",
            where=entry.where,
            found=entry.name,
            fix="use the function's argument, which is the run's payload",
        )
    for call in (call for body in bodies for call in body.calls if call.target == entry.name):
        raise InvalidWorkflowError(
            "the entry point is invoked, so the DAG would have a cycle",
            where=call.where,
            found=entry.name,
            fix="move the shared work into a further function and invoke that",
        )


def _check_acyclic(by_name: Mapping[str, Body]) -> None:
    done: set[str] = set()
    for name in by_name:
        _visit(name, by_name, done)


def _visit(name: str, by_name: Mapping[str, Body], done: set[str]) -> None:
    """Depth first, with an explicit stack of iterators: a long chain must not meet Python's recursion limit."""
    stack = [(name, iter(by_name[name].calls))] if name not in done else []
    path = [name]
    while stack:
        current, calls = stack[-1]
        call = next(calls, None)
        if call is None:
            done.add(current)
            stack.pop()
            path.pop()
        elif call.target in path:
            raise _cycle([*path[path.index(call.target) :], call.target], call.where)
        elif call.target not in done:
            stack.append((call.target, iter(by_name[call.target].calls)))
            path.append(call.target)


def _cycle(names: Iterable[str], where: str) -> InvalidWorkflowError:
    return InvalidWorkflowError(
        "this call closes a cycle",
        where=where,
        found=" -> ".join(names),
        fix="remove one of these calls: a workflow is a DAG, so a run can't come back to a function it came from",
    )


def _check_reached(by_name: Mapping[str, Body], entry: Body) -> None:
    reached, stack = {entry.name}, [entry.name]
    while stack:
        targets = {call.target for call in by_name[stack.pop()].calls} - reached
        reached |= targets
        stack.extend(targets)
    for body in by_name.values():
        if body.name not in reached:
            raise InvalidWorkflowError(
                "the function is registered, but no call leads to it from the entry point",
                where=body.where,
                found=body.name,
                fix="invoke it from a function of the workflow, or remove its decorator",
            )


def _sites(by_name: Mapping[str, Body], entry: Body) -> tuple[list[_Site], list[_Link]]:
    """All nodes and edges, breadth first from the entry."""
    sites, links = [_Site(entry.name)], list[_Link]()
    sync_sites: dict[str, int] = {}
    queue = deque([0])
    while queue:
        source = queue.popleft()
        for number, call in enumerate(by_name[sites[source].function].calls):
            target = sync_sites.get(call.target)
            if target is None:
                target = len(sites)
                _check_size(target, call)
                sites.append(_Site(call.target, source, number))
                queue.append(target)
                if by_name[call.target].sync:
                    sync_sites[call.target] = target
            links.append(_Link(source, number, target, call.conditional))
    return sites, links


def _check_size(count: int, call: Invocation) -> None:
    if count >= MAX_NODES:
        raise InvalidWorkflowError(
            f"the DAG unfolds to more than {MAX_NODES} nodes: a function gets a node for each call and each caller",
            where=call.where,
            found=call.target,
            fix="call it from fewer places, or let it read `workflow.get_predecessor_data()`, which makes it one node",
        )


def _topological(sites: Sequence[_Site], links: Sequence[_Link]) -> list[int]:
    """The sites' numbers by Kahn's algorithm; of those that are ready, the lowest number first."""
    waits, out = [0] * len(sites), [list[int]() for _ in sites]
    for link in links:
        waits[link.target] += 1
        out[link.source].append(link.target)
    ready, order = [0], list[int]()
    while ready:
        current = heapq.heappop(ready)
        order.append(current)
        for target in out[current]:
            waits[target] -= 1
            if not waits[target]:
                heapq.heappush(ready, target)
    return order


def _named(
    sites: Sequence[_Site], links: Sequence[_Link], by_name: Mapping[str, Body]
) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    order = _topological(sites, links)
    position = {site: n for n, site in enumerate(order)}
    names = {site: _name(sites[site], sites, position, by_name) + f":{position[site]}" for site in order}
    nodes = tuple(Node(names[site], sites[site].function, by_name[sites[site].function].sync) for site in order)
    ordered = sorted(links, key=lambda link: (position[link.source], link.call))
    return nodes, tuple(Edge(names[x.source], x.call, names[x.target], x.conditional) for x in ordered)


def _name(site: _Site, sites: Sequence[_Site], position: Mapping[int, int], by_name: Mapping[str, Body]) -> str:
    """The node's name but for its own position."""
    if site.caller is None:
        return f"{site.function}:entry_point"
    if by_name[site.function].sync:
        return f"{site.function}:sync"
    return f"{site.function}:{sites[site.caller].function}_{position[site.caller]}_{site.call}"
