"""The rules of a problem whose rows are runs: lists name runs by their place, and say the same of each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from caribou.model.schema.flaw import Flaw, misaligned
from caribou.model.schema.problem import Exchanges, Problem, Runs, Transfers

SECOND_SCHEMA = "caribou.problem/2"
_RUN_SIZES = ("item_bytes", "input_bytes", "input_room_bytes")
_ENTRY_SIZES = ("sent_gb", "forwarded_gb")
_NODE_SIZES = ("claim_bytes", "report_bytes", "log_bytes", "collected_units")


def rows(problem: Problem) -> Iterator[Flaw]:
    """What is wrong with the rows, the basic things first; of a problem of the first schema, that it has any."""
    if problem.schema_version != SECOND_SCHEMA:
        yield from _without_rows(problem)
        return
    yield from _with_rows(problem)
    if problem.runs is None:
        return
    for rule in (_ids, _executions, _messages, _graph_rows):
        yield from rule(problem, len(problem.runs.id))


def _without_rows(problem: Problem) -> Iterator[Flaw]:
    model, fix = problem.carbon_model, f"remove it, or write a problem of {SECOND_SCHEMA}"
    for name in ("intra_region_transmission_free", "external_data_home_share"):
        if getattr(model, name) is None:
            yield Flaw("is missing", f"carbon_model.{name}", None, "add it")
    if model.intra_region_kwh_per_gb is not None:
        yield Flaw("is of another schema", "carbon_model.intra_region_kwh_per_gb", model.intra_region_kwh_per_gb, fix)
    if problem.runs is not None:
        yield Flaw("is of another schema", "runs", f"{len(problem.runs.id)} runs", fix)
    yield from (Flaw("is of another schema", path, size, fix) for path, size in _billed(problem) if size is not None)
    for name, node in problem.nodes.items():
        for region, runs in node.runs.items():
            path = f"nodes.{name}.runs.{region}"
            if runs.external_data_gb is None:
                yield Flaw("is missing", f"{path}.external_data_gb", None, "add it, 0 where nothing was exchanged")
            if runs.run is not None or runs.external is not None:
                yield Flaw("is of another schema", path, "run, external", fix)


def _billed(problem: Problem) -> Iterator[tuple[str, object]]:
    """What says how large things are that are billed."""
    yield from ((f"entry.{name}", getattr(problem.entry, name)) for name in _ENTRY_SIZES)
    for name, node in problem.nodes.items():
        yield from ((f"nodes.{name}.{size}", getattr(node, size)) for size in _NODE_SIZES)
    for i, edge in enumerate(problem.edges):
        yield from ((f"edges[{i}].transfers.{pair}.sent_gb", seen.sent_gb) for pair, seen in edge.transfers.items())


def _with_rows(problem: Problem) -> Iterator[Flaw]:
    model = problem.carbon_model
    if problem.runs is None:
        yield Flaw("is missing", "runs", None, "add the ids of the observed runs and when they started")
    if model.intra_region_kwh_per_gb is None:
        yield Flaw("is missing", "carbon_model.intra_region_kwh_per_gb", None, "add it; 0 is the usual assumption")
    for name in ("intra_region_transmission_free", "external_data_home_share"):
        if getattr(model, name) is not None:
            yield Flaw("is of another schema", f"carbon_model.{name}", getattr(model, name), "remove it")


def _ids(problem: Problem, count: int) -> Iterator[Flaw]:
    assert problem.runs is not None
    if len(set(problem.runs.id)) < count:
        yield Flaw("names a run twice", "runs.id", f"{count} ids", "name each once")
    for name in ("started_at", *_RUN_SIZES):
        values = getattr(problem.runs, name)
        if values is not None and len(values) != count:
            yield misaligned(f"runs.{name}", len(values), "id", count)
    for name in _ENTRY_SIZES:
        values = getattr(problem.entry, name)
        if values is not None and len(values) != count:
            yield misaligned(f"entry.{name}", len(values), "runs.id", count)
    if len(problem.entry.payload_gb) != count:
        yield misaligned("entry.payload_gb", len(problem.entry.payload_gb), "runs.id", count)


def _executions(problem: Problem, count: int) -> Iterator[Flaw]:
    for name, node in problem.nodes.items():
        seen: set[int] = set()
        for region, runs in node.runs.items():
            path = f"nodes.{name}.runs.{region}"
            yield from _named(runs.run, len(runs.duration_s), "duration_s", seen, count, f"{path}.run")
            yield from _exchanges(problem, runs, path)


def _exchanges(problem: Problem, runs: Runs, path: str) -> Iterator[Flaw]:
    if runs.external_data_gb is not None:
        yield Flaw("is of another schema", f"{path}.external_data_gb", len(runs.external_data_gb), "write `external`")
    expected = len(runs.duration_s)
    if runs.init_s is not None and len(runs.init_s) != expected:
        yield misaligned(f"{path}.init_s", len(runs.init_s), "duration_s", expected)
    for name, exchanged in (runs.external or {}).items():
        if name not in problem.endpoints:
            known = ", ".join(problem.endpoints) or "none"
            yield Flaw("names an unknown endpoint", f"{path}.external.{name}", name, f"use one of: {known}")
        for field in ("calls", "gb_out", "gb_in", "seconds", "puts", "round_trips"):
            if (values := getattr(exchanged, field)) is not None and len(values) != expected:
                yield misaligned(f"{path}.external.{name}.{field}", len(values), "duration_s", expected)
        yield from _more_puts_than_calls(exchanged, f"{path}.external.{name}.puts")


def _more_puts_than_calls(exchanged: Exchanges, path: str) -> Iterator[Flaw]:
    for puts, calls in zip(exchanged.puts or (), exchanged.calls, strict=False):  # misaligned ones are found before
        if puts > calls:
            yield Flaw("is more than all calls", path, f"{puts} of {calls}", "count only those of the calls that write")


def _messages(problem: Problem, count: int) -> Iterator[Flaw]:
    for i, edge in enumerate(problem.edges):
        if edge.taken is None:
            yield Flaw("is missing", f"edges[{i}].taken", None, "add the runs in which the call was made")
            continue
        yield from _named(edge.taken, len(edge.taken), "taken", set(), count, f"edges[{i}].taken")
        yield from _delivered(edge.transfers, edge.taken, count, f"edges[{i}].transfers")
        if edge.taken and edge.probability == 0:
            yield Flaw("is 0, but the call was made", f"edges[{i}].probability", 0, "write in which share of the runs")
        for j, notice in enumerate(edge.on_skip):
            seen: set[int] = set()
            for pair, messages in notice.transfers.items():
                path = f"edges[{i}].on_skip[{j}].transfers.{pair}.run"
                if messages.run is not None:  # none of its own: as long as its edge's
                    yield from _named(messages.run, len(messages.latency_s), "latency_s", seen, count, path)


def _delivered(transfers: dict[str, Transfers], taken: Sequence[int], count: int, path: str) -> Iterator[Flaw]:
    seen: set[int] = set()
    for pair, messages in transfers.items():
        yield from _named(messages.run, len(messages.payload_gb), "payload_gb", seen, count, f"{path}.{pair}.run")
    if rest := sorted(seen - set(taken)):
        yield Flaw("has a message of a run that did not make the call", path, rest[0], "add it to `taken`")


def _named(  # noqa: PLR0917 - a list, what it must align with, what there is, and where it stands
    run: Sequence[int] | None, expected: int, aligned: str, seen: set[int], count: int, path: str
) -> Iterator[Flaw]:
    """Rows that must be there, aligned, of a run that exists, and each once; what is found is added to `seen`."""
    if run is None:
        yield Flaw("is missing", path, None, "say of which run each is: its place in `runs.id`, from 0")
        return
    if len(run) != expected:
        yield misaligned(path, len(run), aligned, expected)
    for row in run:
        if row >= count:
            yield Flaw("is no run", path, row, f"there are {count}, counted from 0")
        elif row in seen:
            yield Flaw("names a run twice", path, row, "name each once")
        seen.add(row)


def _graph_rows(problem: Problem, count: int) -> Iterator[Flaw]:
    """A node runs in those runs in which it was called, and only a node that ran calls."""
    ran = {name: {row for runs in node.runs.values() for row in runs.run or ()} for name, node in problem.nodes.items()}
    for name in problem.nodes:
        called = {row for i in problem.in_edges[name] for row in problem.edges[i].taken or ()}
        expected = set(range(count)) if name == problem.entry.node else called
        if lacking := sorted(expected - ran[name]):
            yield Flaw("did not run where it was called", f"nodes.{name}.runs", lacking[0], "leave that run out")
        if uncalled := sorted(ran[name] - expected):
            yield Flaw("ran where nobody called it", f"nodes.{name}.runs", uncalled[0], "leave that run out")
    for i, edge in enumerate(problem.edges):
        if idle := sorted(set(edge.taken or ()) - ran.get(edge.source, set())):
            yield Flaw("was made where its caller did not run", f"edges[{i}].taken", idle[0], "leave that run out")
