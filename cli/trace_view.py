"""Runs for a person: a table of many, and one as a tree of its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from caribou.control.runs.runs import RunItem, RunState
from caribou.control.runs.trace import NodeState, NodeTrace, Trace

_STYLES = {
    NodeState.RAN: "green",
    NodeState.FAILED: "bold red",
    NodeState.PARKED: "red",
    NodeState.RETRYING: "yellow",
    NodeState.RUNNING: "cyan",
    NodeState.SKIPPED: "dim",
    NodeState.STOPPED: "dim",
}
_CRITICAL = "*"
_DIGITS = 12
_UNITS = ("B", "KB", "MB")


def runs_table(items: Sequence[RunItem], title: str) -> Table:
    """A row a run."""
    table = Table("run", "started", "state", "seconds", "placement", "failed at", title=title, title_justify="left")
    for item in items:
        run = item.run
        placement = "stays home" if run.stays_home else run.placement[:_DIGITS]
        seconds = "" if item.seconds is None else f"{item.seconds:.2f}"
        table.add_row(run.run_id, _time(run.started_at), item.state, seconds, placement, _failed_at(item))
    return table


def trace_view(trace: Trace) -> RenderableType:
    """A run: how it stands, its nodes as a tree, and what failed with the way to go on."""
    return Group(Text(_head(trace)), _tree(trace), *(Text(line) for line in _foot(trace)))


def _failed_at(item: RunItem) -> str:
    return item.failed_node or "" if item.state is RunState.FAILED else ""


def _head(trace: Trace) -> str:
    item, run = trace.item, trace.item.run
    took = f" in {item.seconds:.2f} s" if item.seconds is not None else ""
    home = ", one of the share that stays home" if run.stays_home else ""
    begun = f"begun {_time(run.started_at)}, placement {run.placement[:_DIGITS]}{home}"
    return f"Run {run.run_id} of {trace.workflow}: {item.state}{took}\n{begun}"


def _tree(trace: Trace) -> Table:
    table = Table("node", "state", "region", box=None, pad_edge=False, header_style="dim")
    for name in ("tries", "began", "took", "in", "out"):
        table.add_column(name, justify="right")
    for guide, node in _walk(trace, trace.nodes[0], "", ""):
        marked = Text(f"{guide}{node.node}{f' {_CRITICAL}' if node.is_critical else ''}")
        marked.stylize("bold" if node.is_critical else "")
        table.add_row(marked, Text(_state(node), _STYLES.get(node.state, "")), _region(node), *_numbers(node))
    return table


def _walk(trace: Trace, node: NodeTrace, guide: str, below: str) -> Iterator[tuple[str, NodeTrace]]:
    """Each node once, with the lines that lead to it: below the edge that a tree shows it at."""
    yield guide, node
    children = [edge.node for edge in node.edges if trace.parents.get(edge.node) == edge.id]
    for child in children:
        is_last = child == children[-1]
        line, rest = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _walk(trace, trace.node(child), below + line, below + rest)


def _state(node: NodeTrace) -> str:
    if node.state is NodeState.WAITING and node.reported:
        return f"waiting, {node.reported} reported"
    parked = ", parked" if node.is_parked and node.state is not NodeState.PARKED else ""
    cold = ", cold" if node.cold_start and node.state is NodeState.RAN else ""
    return f"{node.state}{parked}{cold}"


def _region(node: NodeTrace) -> str:
    return f"{node.region}, not {node.planned_region}" if node.is_rerouted else node.region


def _numbers(node: NodeTrace) -> tuple[str, ...]:
    return (
        str(node.attempts or ""),
        "" if node.began_s is None else f"{node.began_s:.3f} s",
        "" if node.duration_s is None else f"{node.duration_s:.3f} s",
        _size(node.bytes_in),
        _size(node.bytes_out),
    )


def _foot(trace: Trace) -> Iterator[str]:
    if any(node.is_critical for node in trace.nodes):
        yield f"{_CRITICAL} on the critical path"
    if trace.forwarded_s is not None:
        yield f"home forwarded it in {trace.forwarded_s:.3f} s"
    if trace.remark:
        yield f"note: {trace.remark}, so this may be wrong"
    if not trace.is_settled:
        yield "note: not all records are in the logs yet"
    for node in trace.nodes:
        if node.error:
            yield f"{node.node}: {node.error}"
    for leaf, text in sorted(trace.item.results.items()):
        yield f"{leaf} returned {text}"
    if trace.item.state in (RunState.FAILED, RunState.EXPIRED):
        yield f"To go on from there: caribou redrive {trace.item.run.run_id}"


def _time(seconds: float) -> str:
    """A time for a person; one that no calendar has is shown as the number that it is."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:g} s"


def _size(size_bytes: int | None) -> str:
    """A size in the largest unit that leaves a number of at least 1, of 1000 each."""
    if size_bytes is None:
        return ""
    size, unit = float(size_bytes), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size_bytes} B"
