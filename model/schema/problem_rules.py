"""The rules of a problem that span several of its fields: names that exist, lists that align, a graph that can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from caribou.model.metric import LimitKind, LimitType, Metric
from caribou.model.schema.flaw import Flaw, misaligned
from caribou.model.schema.problem import Problem, ProblemEdge, ProblemNode, Redirector, Runs, Transfers
from caribou.model.schema.problem_rows import rows

MIN_RELATIVE_LIMIT = 10.0


def flaws(problem: Problem) -> Iterator[Flaw]:
    """Everything wrong with a problem, the basic things first: later rules rely on earlier ones."""
    for rule in (_regions, _pings, _nodes, _edges, _graph, _sizes, _observations, rows, _skips, _entry, _objective):
        yield from rule(problem)


def _unknown(names: Sequence[str] | Mapping[str, object], known: Mapping[str, object], path: str) -> Iterator[Flaw]:
    for name in names:
        if name not in known:
            yield Flaw("names what the problem does not have", path, name, f"use one of: {', '.join(known)}")


def _regions(problem: Problem) -> Iterator[Flaw]:
    yield from _unknown([problem.home_region], problem.regions, "home_region")
    if problem.entry.plan_gb > 0:
        yield from _unknown([problem.control_region], problem.regions, "control_region")
    for name, region in problem.regions.items():
        cpu = region.cpu_kw_per_vcpu
        if cpu.full < cpu.idle:
            yield Flaw(
                "is below the idle power", f"regions.{name}.cpu_kw_per_vcpu.full", cpu.full, "check the two values"
            )


def _pings(problem: Problem) -> Iterator[Flaw]:
    yield from _unknown(problem.ping_s, problem.regions, "ping_s")
    for source in problem.regions:
        to = problem.ping_s.get(source, {})
        yield from _unknown(to, problem.regions, f"ping_s.{source}")
        for target in problem.regions:
            if target not in to:
                yield Flaw("is missing", f"ping_s.{source}.{target}", None, "add the round-trip samples, in seconds")


def _nodes(problem: Problem) -> Iterator[Flaw]:
    for name, node in problem.nodes.items():
        path = f"nodes.{name}"
        yield from _unknown(node.allowed_regions, problem.regions, f"{path}.allowed_regions")
        if len(set(node.allowed_regions)) < len(node.allowed_regions):
            yield Flaw("names a region twice", f"{path}.allowed_regions", list(node.allowed_regions), "name it once")
        if problem.home_region not in node.allowed_regions:
            yield Flaw("lacks the home region", f"{path}.allowed_regions", list(node.allowed_regions), "add it")
        yield from _unknown(node.runs, problem.regions, f"{path}.runs")
        yield from _prices(problem, node)


def _sizes(problem: Problem) -> Iterator[Flaw]:
    """A sync node's state is written once for each of its edges."""
    for name, node in problem.nodes.items():
        edges = [problem.edges[i] for i in problem.in_edges[name] if problem.edges[i].sync is not None]
        if node.report_bytes is not None and len(node.report_bytes) != len(edges):
            yield misaligned(f"nodes.{name}.report_bytes", len(node.report_bytes), "the edges into it", len(edges))


def _prices(problem: Problem, node: ProblemNode) -> Iterator[Flaw]:
    for region in node.allowed_regions:
        if region not in problem.regions:
            continue
        prices = problem.regions[region].price_usd
        for field, by_architecture in (
            ("compute_per_gb_s", prices.compute_per_gb_s),
            ("invocation", prices.invocation),
        ):
            if node.architecture not in by_architecture:
                path = f"regions.{region}.price_usd.{field}.{node.architecture}"
                yield Flaw("is missing", path, None, "add the price, in USD")


def _edges(problem: Problem) -> Iterator[Flaw]:
    calls: set[tuple[str, str]] = set()
    for i, edge in enumerate(problem.edges):
        path = f"edges[{i}]"
        yield from _unknown([edge.source], problem.nodes, f"{path}.from")
        yield from _unknown([edge.target], problem.nodes, f"{path}.to")
        if (edge.source, edge.call_key) in calls:
            yield Flaw("is the same call as an edge before it", path, edge.call_key, "give it a `call` of its own")
        calls.add((edge.source, edge.call_key))
        yield from _transfers(problem, edge.transfers, f"{path}.transfers")
        for j, notice in enumerate(edge.on_skip):
            yield from _pairs(problem, notice.transfers, f"{path}.on_skip[{j}].transfers")


def _pairs(problem: Problem, names: Mapping[str, object], path: str) -> Iterator[Flaw]:
    for name in names:
        ends = name.split(">")
        if len(ends) != 2 or not all(end in problem.regions for end in ends):
            yield Flaw("is not a pair of known regions", f"{path}.{name}", name, "write FROM>TO, two of the regions")


def _transfers(problem: Problem, transfers: Mapping[str, Transfers], path: str) -> Iterator[Flaw]:
    yield from _pairs(problem, transfers, path)
    for pair, seen in transfers.items():
        if len(seen.latency_s) != len(seen.payload_gb):
            yield misaligned(f"{path}.{pair}.latency_s", len(seen.latency_s), "payload_gb", len(seen.payload_gb))
        if seen.sent_gb is not None and len(seen.sent_gb) != len(seen.payload_gb):
            yield misaligned(f"{path}.{pair}.sent_gb", len(seen.sent_gb), "payload_gb", len(seen.payload_gb))


def _graph(problem: Problem) -> Iterator[Flaw]:
    yield from _unknown([problem.entry.node], problem.nodes, "entry.node")
    if _has_loose_edges(problem):
        return
    if len(problem.node_order) < len(problem.nodes):
        rest = [name for name in problem.nodes if name not in problem.node_order]
        yield Flaw("has a cycle", "edges", ", ".join(rest), "a workflow is a DAG: remove an edge")
        return
    if problem.in_edges[problem.entry.node]:
        yield Flaw("is the target of an edge", "entry.node", problem.entry.node, "no edge may lead to the entry node")
    for name in problem.nodes:
        yield from _incoming(problem, name)


def _has_loose_edges(problem: Problem) -> bool:
    return any(edge.source not in problem.nodes or edge.target not in problem.nodes for edge in problem.edges)


def _incoming(problem: Problem, name: str) -> Iterator[Flaw]:
    edges = [problem.edges[i] for i in problem.in_edges[name]]
    if name != problem.entry.node and not edges:
        yield Flaw("can't be reached", f"nodes.{name}", None, "add an edge to it, or remove it")
    joins = [edge.sync is not None for edge in edges]
    if (len(edges) > 1 and not all(joins)) or (any(joins) and not all(joins)):
        index = problem.in_edges[name][joins.index(False)]
        path = f"edges[{index}].sync"
        yield Flaw(f"is null, but {name} has several edges", path, None, "say what its join costs")


def _observations(problem: Problem) -> Iterator[Flaw]:
    for name, node in problem.nodes.items():
        keys = {problem.edges[i].call_key for i in problem.out_edges[name]}
        for region, runs in node.runs.items():
            yield from _aligned_runs(runs, keys, f"nodes.{name}.runs.{region}")
        if not node.runs and name in problem.can_be_invoked:
            yield Flaw("has no observed run", f"nodes.{name}.runs", "{}", "deploy at home and let the workflow run")
    for i, edge in enumerate(problem.edges):
        if not edge.transfers and edge.probability > 0 and edge.source in problem.can_be_invoked:
            yield Flaw("has no observed message", f"edges[{i}].transfers", "{}", "add samples, or probability 0")


def _aligned_runs(runs: Runs, calls: set[str], path: str) -> Iterator[Flaw]:
    expected = len(runs.duration_s)
    if runs.external_data_gb is not None and len(runs.external_data_gb) != expected:
        yield misaligned(f"{path}.external_data_gb", len(runs.external_data_gb), "duration_s", expected)
    for key, offsets in runs.call_offset_s.items():
        if key not in calls:
            yield Flaw("is no call of this node", f"{path}.call_offset_s.{key}", key, "remove it, or add its edge")
        if len(offsets) != expected:
            yield misaligned(f"{path}.call_offset_s.{key}", len(offsets), "duration_s", expected)
    for key in sorted(calls - set(runs.call_offset_s)):
        yield Flaw("is missing", f"{path}.call_offset_s.{key}", None, "say when in each run the call came")


def _skips(problem: Problem) -> Iterator[Flaw]:
    for i, edge in enumerate(problem.edges):
        expected = {(problem.edges[end].source, problem.edges[end].target) for end in problem.edges_ended_by_skip(i)}
        notified = {(notice.predecessor, notice.sync_node) for notice in edge.on_skip}
        if wrong := sorted(notified - expected):
            what = "notifies of an edge that does not end when this one is skipped"
            yield Flaw(what, f"edges[{i}].on_skip", f"{wrong[0][0]} to {wrong[0][1]}", "remove it")
        if edge.probability < 1 and (left := sorted(expected - notified)):
            what = "does not notify a sync node that waits for an edge behind this one"
            yield Flaw(what, f"edges[{i}].on_skip", f"{left[0][0]} to {left[0][1]}", "add the notice")
        yield from _notice_latencies(problem, edge, f"edges[{i}].on_skip")
        yield from _passed_on(problem, i)


def _passed_on(problem: Problem, index: int) -> Iterator[Flaw]:
    """A sync node that is skipped itself passes the skip on: without notices of its own, at its edges' latency."""
    edge = problem.edges[index]
    if edge.on_skip or not _is_sync(problem, edge.source):
        return
    for end in problem.edges_ended_by_skip(index):
        if not problem.edges[end].transfers:
            what = f"has no latency for the skip of {problem.edges[end].source} to {problem.edges[end].target}"
            yield Flaw(what, f"edges[{index}].on_skip", "[]", "add the notice with samples")


def _is_sync(problem: Problem, node: str) -> bool:
    return any(problem.edges[i].sync is not None for i in problem.in_edges[node])


def _notice_latencies(problem: Problem, edge: ProblemEdge, path: str) -> Iterator[Flaw]:
    for j, notice in enumerate(edge.on_skip):
        same = (e for e in problem.edges if (e.source, e.target) == (notice.predecessor, notice.sync_node))
        sent = edge.source in problem.can_be_invoked or _is_sync(problem, edge.source)  # which passes on what skips it
        if sent and not notice.transfers and not any(e.transfers for e in same):
            fix = "add samples of the notice, or of its edge"
            yield Flaw("has no latency to go by", f"{path}[{j}].transfers", "{}", fix)


def _entry(problem: Problem) -> Iterator[Flaw]:
    entry, node = problem.entry, problem.nodes[problem.entry.node]
    moves = set(node.allowed_regions) != {problem.home_region}
    if entry.redirector is not None:
        yield from _redirector(problem, entry.redirector)
    elif entry.plan_read_at_function_probability > 0 and moves:
        yield Flaw(
            "is missing, but the entry node may be moved and runs enter at home",
            "entry.redirector",
            None,
            "add what the hop costs (the entry's no-op duration and the ping), or allow the entry node only at home",
        )


def _redirector(problem: Problem, redirector: Redirector) -> Iterator[Flaw]:
    path = "entry.redirector"
    yield from _unknown(redirector.runs, problem.regions, f"{path}.runs")
    if problem.home_region not in redirector.runs:
        yield Flaw("is missing", f"{path}.runs.{problem.home_region}", None, "add its runs at home, where it runs")
    for region, runs in redirector.runs.items():
        yield from _aligned_runs(runs, {problem.entry.node}, f"{path}.runs.{region}")
    if not redirector.transfers:
        yield Flaw("has no observed message", f"{path}.transfers", "{}", "add samples")
    yield from _transfers(problem, redirector.transfers, f"{path}.transfers")


def _objective(problem: Problem) -> Iterator[Flaw]:
    goal = problem.objective
    if len(set(goal.priority)) < len(goal.priority):
        yield Flaw("names a metric twice", "objective.priority", ", ".join(goal.priority), "name each once")
    if goal.robust and goal.priority[0] != Metric.CARBON:
        what = "is about what is assumed of carbon, which is not the first metric of `priority`"
        yield Flaw(what, "objective.robust", "true", "put carbon first, or write false")
    for kind in LimitKind:
        for metric, limit in goal.limits(kind).items():
            if limit.type == LimitType.RELATIVE and limit.value < MIN_RELATIVE_LIMIT:
                path = f"objective.{kind}.{metric}.value"
                yield Flaw("is a fraction, not per cent of home", path, limit.value, "write 110 for ten per cent more")
