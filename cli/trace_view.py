"""Runs for a person: a table of many, and one as a tree of its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from caribou.cli.output import at_stage
from caribou.control.runs.failure import FailureLog
from caribou.control.runs.runs import RunItem, RunState
from caribou.control.runs.trace import NodeState, NodeTrace, Trace
from caribou.model.printable import printable

_STYLES = {
    NodeState.RAN: "green",
    NodeState.FAILED: "bold red",
    NodeState.PARKED: "red",
    NodeState.RETRYING: "yellow",
    NodeState.RUNNING: "cyan",
    NodeState.SKIPPED: "dim",
    NodeState.STOPPED: "dim",
}
_RUN_STYLES = {
    RunState.RUNNING: "cyan",
    RunState.SUCCEEDED: "green",
    RunState.FAILED: "bold red",
    RunState.EXPIRED: "red",
    RunState.CANCELLED: "dim",
}
_GAP = "  "
_REST, _LISTED_DIGITS = 46, 10
"""Columns of a run's line behind its id, and of them those of its placement."""
_CRITICAL = "*"
_COLUMNS = ("node", "state", "region", "tries", "began", "took", "in", "out")
_NO_BREAK = "\u00a0"
_REROUTED = "!"
_WITH_SIZES = 100
"""Columns from which on a tree has the sizes of payloads."""
_DIGITS = 12
_UNITS = ("B", "KB", "MB")


def runs_table(items: Sequence[RunItem], title: str, columns: int = 80) -> Group:
    """A line a run, its id whole; two, if the ids leave no room for the rest within so many columns.

    To be printed with `soft_wrap`: a line breaks nowhere but where the terminal ends.
    """
    ids = [printable(item.run.run_id) for item in items]
    width = max((cell_len(one) for one in ids), default=0)
    has_room = width + len(_GAP) + _REST <= columns
    head = f"{'started (UTC)':<14}{_GAP}{'state':<9}{_GAP}{'seconds':>7}{_GAP}placement"
    lines = [Text(title, "bold"), Text(f"{'run':<{width}}{_GAP}{head}" if has_room else f"run\n{_GAP}{head}", "dim")]
    for run_id, item in zip(ids, items, strict=True):
        begin = f"{run_id}{' ' * (width - cell_len(run_id))}{_GAP}" if has_room else f"{run_id}\n{_GAP}"
        lines.append(Text(begin).append_text(_run_line(item)))
        if failed_at := _failed_at(item):
            lines.append(Text(f"{_GAP}failed at {failed_at}", "red"))
    return Group(*lines)


def _run_line(item: RunItem) -> Text:
    run = item.run
    placement = "stays home" if run.stays_home else run.placement[:_LISTED_DIGITS]
    seconds = "" if item.seconds is None else f"{item.seconds:.2f}"
    state = Text(f"{item.state:<9}", _RUN_STYLES.get(item.state, ""))
    begun = _time(run.started_at).removesuffix("Z")
    return Text.assemble(f"{begun[-14:]:<14}{_GAP}", state, f"{_GAP}{seconds:>7}{_GAP}{placement}")


def trace_view(trace: Trace) -> Group:
    """A run: how it stands, its nodes as a tree that fits the console, and what failed with the way to go on."""
    return Group(_head(trace), _Tree(trace), *_foot(trace))


def _failed_at(item: RunItem) -> str:
    return item.failed_node or "" if item.state is RunState.FAILED else ""


def _head(trace: Trace) -> Text:
    item, run = trace.item, trace.item.run
    took = f" in {item.seconds:.2f} s" if item.seconds is not None else ""
    home = ", one of the share that stays home" if run.stays_home else ""
    begun = f"begun {_time(run.started_at)}, placement {run.placement[:_DIGITS]}{home}"
    state = Text(item.state, _RUN_STYLES.get(item.state, ""))
    return Text.assemble(f"Run {run.run_id} of {trace.workflow}: ", state, f"{took}\n{begun}")


@dataclass(frozen=True, slots=True)
class _Tree:
    """The nodes as a tree, with what is known of each; sizes only where there is room for them."""

    trace: Trace

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        columns = options.max_width
        names = _COLUMNS if columns >= _WITH_SIZES else _COLUMNS[:-2]
        rows = [self._row(guide, node)[: len(names)] for guide, node in _walk(self.trace, self.trace.nodes[0], "", "")]
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
        for name in names:
            is_text = name in _COLUMNS[:3]
            table.add_column(name, overflow="fold", justify="left" if is_text else "right", no_wrap=not is_text)
        widths = [max(cell_len(str(cell)) for cell in cells) for cells in zip(names, *rows, strict=True)]
        room = columns - sum(width + 1 for width in widths[1:])
        for node, *cells in rows:
            if cell_len(node.plain) > room:  # it folds, and then nowhere behind its lines
                node.plain = node.plain.replace(" ", _NO_BREAK)
            table.add_row(node, *cells)
        yield table

    def _row(self, guide: str, node: NodeTrace) -> tuple[Text, ...]:
        marked = Text(f"{guide}{node.node}{f' {_CRITICAL}' if node.is_critical else ''}")
        marked.stylize("bold" if node.is_critical else "")
        state = Text(_state(node, self.trace), _STYLES.get(node.state, ""))
        sizes = (_size(node.bytes_in), _size(node.bytes_out))
        return marked, state, *(Text(cell) for cell in (_region(node), *_numbers(node), *sizes))


def _walk(trace: Trace, node: NodeTrace, guide: str, below: str) -> Iterator[tuple[str, NodeTrace]]:
    """Each node once, with the lines that lead to it: below the edge that a tree shows it at."""
    yield guide, node
    children = [edge.node for edge in node.edges if trace.parents.get(edge.node) == edge.id]
    for child in children:
        is_last = child == children[-1]
        line, rest = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _walk(trace, trace.node(child), below + line, below + rest)


def _state(node: NodeTrace, trace: Trace) -> str:
    if node.state is NodeState.WAITING and node.reported:
        return f"waiting, {node.reported} of {sum(edge.node == node.node for one in trace.nodes for edge in one.edges)}"
    parked = ", parked" if node.is_parked and node.state is not NodeState.PARKED else ""
    cold = ", cold" if node.cold_start and node.state is NodeState.RAN else ""
    return f"{node.state}{parked}{cold}"


def _region(node: NodeTrace) -> str:
    return f"{node.region} {_REROUTED}" if node.is_rerouted else node.region


def _numbers(node: NodeTrace) -> tuple[str, ...]:
    return (
        str(node.attempts or ""),
        "" if node.began_s is None else f"{node.began_s:.3f} s",
        "" if node.duration_s is None else f"{node.duration_s:.3f} s",
    )


def _foot(trace: Trace) -> Iterator[Text]:
    failed = {node.node for node in trace.nodes if node.state is NodeState.FAILED}
    for node, line in _remarks(trace):
        yield Text(line, "red" if node in failed else "")


def _remarks(trace: Trace) -> Iterator[tuple[str | None, str]]:
    """What is to be said below the tree, and of which node."""
    if any(node.is_critical for node in trace.nodes):
        yield None, f"{_CRITICAL} on the critical path"
    for node in (node for node in trace.nodes if node.is_rerouted):
        yield node.node, f"{_REROUTED} {node.node} ran in {node.region}, not {node.planned_region}"
    if trace.forwarded_s is not None:
        yield None, f"home forwarded it in {trace.forwarded_s:.3f} s"
    if trace.remark:
        yield None, f"note: {trace.remark}, so this may be wrong"
    if not trace.is_settled:
        yield None, "note: not all records are in the logs yet"
    for node in (node for node in trace.nodes if node.error):
        yield node.node, f"{node.node}: {node.error}"
    for leaf, text in sorted(trace.item.results.items()):
        yield None, f"{leaf} returned {text}"
    if trace.item.state in (RunState.FAILED, RunState.EXPIRED):
        yield None, at_stage(f"To go on from there: caribou redrive {trace.item.run.run_id}")


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


def failure_lines(failure: FailureLog) -> Iterator[str]:
    """What the log has of where a run failed: the traceback, and where it stands."""
    yield ""
    if failure.at is not None:
        yield f"{failure.node} failed at {failure.at}"
    yield from (f"  {line}" for line in failure.traceback)
    stream = "" if failure.stream is None else f", stream {failure.stream}"
    yield f"log: {failure.log_group} in {failure.region}{stream}"
    yield f"console: {failure.console}"
