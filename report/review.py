"""A move as a person reviews it: what moves, what that changes, which resources appear and go. On one screen.

The figures are those of the placement's file, so what was solved is what is shown: nothing is worked out again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from caribou.model.metric import Metric
from caribou.model.placement import Placement
from caribou.report.corners_table import CORNERS_HEADER, CORNERS_TITLE, corners_rows, few_runs
from caribou.report.hours import hours_text
from caribou.report.solve_notes import verdict_text, within_lines
from caribou.report.units import number, per_cent, span

NOT_DEPLOYED = "-"
"""Where a node ran that is not deployed yet."""
_SHOWN = (
    (Metric.CARBON, "mean", "carbon, mg"),
    (Metric.COST, "mean", "USD a million"),
    (Metric.RUNTIME, "mean", "run time, s"),
    (Metric.RUNTIME, "p95", "tail (p95), s"),
)
_A_UNIT = {Metric.CARBON: 1e3, Metric.COST: 1e6, Metric.RUNTIME: 1.0}
"""How many of what is shown one of the metric's own unit is."""


@dataclass(frozen=True, slots=True)
class NodeMove:
    """Nodes that move alike: from a region (None: not deployed yet) to one, at some hours (UTC)."""

    nodes: tuple[str, ...]
    from_region: str | None
    region: str
    hours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StackLine:
    """What becomes of a stack, and how many resources of each CloudFormation type appear in it and go from it."""

    action: str
    name: str
    region: str
    why: str
    appear: Mapping[str, int]
    go: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Review:
    """What is reviewed: a workflow's placement in place of another one (None: nothing is deployed).

    `others` are steps that are no move and no stack, a line each.
    """

    before: Placement | None
    after: Placement
    stage: str
    moves: Sequence[NodeMove]
    stacks: Sequence[StackLine]
    others: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A table with lines below it; without a header, lines alone."""

    header: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    title: str = ""
    lines: Sequence[str] = field(default_factory=tuple)


def sections(review: Review) -> Iterator[Section]:
    """The parts of a review, in their order."""
    yield Section(lines=tuple(_heading(review)))
    if review.moves:
        yield _moves(review)
    yield from _figures(review.after)
    yield _stacks(review)


def review_screen(review: Review) -> RenderableType:
    """The review for a terminal of 80 columns."""
    parts: list[RenderableType] = []
    for section in sections(review):
        parts += [Text(section.title)] if section.title else []
        parts += [_table(section)] if section.rows else []
        parts += [*map(Text, section.lines), Text()]
    return Group(*parts[:-1])


def review_markdown(review: Review) -> str:
    """The review for a comment on a pull request."""
    blocks = []
    for section in sections(review):
        blocks += [f"**{section.title}**"] if section.title else []
        if section.rows:
            lines = (section.header, ("---",) * len(section.header), *section.rows)
            blocks.append("\n".join("| " + " | ".join(map(_cell_text, line)) + " |" for line in lines))
        blocks += ["<br>".join(line.strip() for line in section.lines)] if section.lines else []
    return "\n\n".join(blocks) + "\n"


def _cell_text(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", "<br>")


def _table(section: Section) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for heading in section.header:
        table.add_column(heading, overflow="fold")
    for row in section.rows:
        table.add_row(*row)
    return table


def _heading(review: Review) -> Iterator[str]:
    after = review.after
    yield f"{after.workflow} {after.workflow_version}, stage {review.stage}: {_titled(review)}"
    yield f"from  {'nothing deployed' if review.before is None else review.before.summary}"
    yield f"to    {after.summary}"
    yield f"      {_until(after)}"


def _titled(review: Review) -> str:
    if review.before is None:
        return "the first deployment"
    moved = {node for move in review.moves for node in move.nodes}
    return f"{len(moved)} of {len(review.after.plans[0].regions)} nodes move" if moved else "nothing moves"


def _until(placement: Placement) -> str:
    end = placement.expires_at
    return "never expires" if end is None else f"valid until {end:%Y-%m-%d %H:%M} UTC"


def _moves(review: Review) -> Section:
    rows = [
        (move.from_region or NOT_DEPLOYED, move.region, hours_text(move.hours), ", ".join(move.nodes))
        for move in review.moves
    ]
    return Section(("from", "to", "hours (UTC)", "nodes"), rows)


def _figures(placement: Placement) -> Iterator[Section]:
    """What the solve said: of home nothing, as nothing moves; of a file without figures, that it has none."""
    day, sensitivity = placement.origin.get("day"), placement.origin.get("sensitivity") or {}
    if placement.regions == {placement.home_region}:
        return
    if day:
        yield Section(("one run", "all at home", "as placed", "change"), [_figure(day, *one) for one in _SHOWN])
    if sensitivity.get("corners"):
        intervals = any(corner["ci95"] for corner in sensitivity["corners"])
        below = [f"In brackets 95 % intervals, by the observed runs{few_runs(sensitivity)}."] if intervals else []
        yield Section(CORNERS_HEADER, corners_rows(sensitivity), CORNERS_TITLE, below)
    lines = [verdict_text(sensitivity)] if sensitivity else ["It has no verdict: nobody has checked that it saves."]
    if not day:
        lines.append("The file does not say what a run emits, costs and takes over the day: solve again to see it.")
    yield Section(lines=[*within_lines(placement), *lines])


def _figure(day: Mapping[str, Any], metric: Metric, what: str, label: str) -> tuple[str, ...]:
    home, placed = (day[key][metric.field] for key in ("home_metrics", "metrics"))
    change = (day.get("changes") or {}).get(metric.field, {}).get(what)
    bounds = "ci95" if what == "mean" else "p95_ci95"
    cells = [_value(one[what], one.get(bounds) if change else None, _A_UNIT[metric]) for one in (home, placed)]
    return label, *cells, _change(home[what], placed[what], change)


def _value(value: float, bounds: Sequence[float | None] | None, scale: float) -> str:
    if bounds is None:
        return number(value * scale)
    low, high = (None if end is None else number(end * scale) for end in bounds)
    return f"{number(value * scale)} ({low}-{high or '?'})"


def _change(home: float, placed: float, bounds: Sequence[float] | None) -> str:
    if not home:
        return "-"
    interval = "" if bounds is None else f" ({span(bounds[0], bounds[1], per_cent)})"
    return f"{per_cent(placed / home - 1)}{interval}"


_KINDS = {
    "AWS::Lambda::Function": "function",
    "AWS::IAM::Role": "role",
    "AWS::S3::Bucket": "bucket",
    "AWS::DynamoDB::Table": "table",
    "AWS::SQS::Queue": "queue",
    "AWS::SNS::Topic": "topic",
    "AWS::Logs::LogGroup": "log group",
}
"""What resources are called that a reviewer looks for; the rest is counted together."""


def _stacks(review: Review) -> Section:
    rows = [(stack.action, _what(stack)) for stack in review.stacks]
    return Section(("stack", "what appears (+) and goes (-)"), rows, lines=tuple(review.others))


def _what(stack: StackLine) -> str:
    """A stack, and its resources that appear and go."""
    where, appear, go = f"{stack.name}, {stack.region}", _counts(stack.appear), _counts(stack.go)
    if stack.action in ("keep", "skip"):
        where += f": {stack.why}"
    elif not appear and not go:
        where += ": no resource appears or goes"
    return "\n".join([where, *(f"{mark} {counts}" for mark, counts in (("+", appear), ("-", go)) if counts)])


def _counts(types: Mapping[str, int]) -> str:
    """Resources in words: `5 functions, 5 roles, 1 bucket, 12 others`."""
    known = {word: types[kind] for kind, word in _KINDS.items() if kind in types}
    others = sum(types.values()) - sum(known.values())
    words = [f"{count} {word if count == 1 else f'{word}s'}" for word, count in known.items()]
    return ", ".join([*words, *([f"{others} more"] if others else [])])
