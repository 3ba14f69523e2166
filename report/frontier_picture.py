"""The frontier of carbon, cost and tail latency as an SVG: one file, no script, no font but the viewer's.

Across: tail run time; up: mean carbon; colour: mean cost, from pale (least) to dark. The grey steps are the least
carbon for each limit on the tail, whatever it costs: a point above them is cheaper. Below, a row a point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from caribou.model.metric import Metric
from caribou.report.frontier_table import certificate, changes, regions_text
from caribou.report.units import change
from caribou.solver.analysis.frontier import Amounts, Frontier, Point

WIDTH = 960
_PLOT = (80, 74, 700, 380)  # left, top, width, height
_ROW = 20
_COLOURS = ("#fde2a8", "#f9b46b", "#ec7d5a", "#c14a6b", "#7a2a73", "#33175a")
_INK, _PALE, _GRID = "#222222", "#6b6b6b", "#e6e6e6"
_AROUND = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
_LETTER = 8.0  # what a number beside a point takes, in pixels, about


@dataclass(frozen=True, slots=True)
class _Axis:
    """From values to pixels: `low` lies at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        """An axis over values, with some room at both ends."""
        low, high = min(values), max(values)
        room = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
        return cls(max(0.0, low - room), high + room, start, end)

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Four to ten round values."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** floor(log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        return [step * i for i in range(ceil(self.low / step), floor(self.high / step) + 1)]


def frontier_picture(frontier: Frontier) -> str:
    """The picture, as the text of an SVG file."""
    left, top, width, height = _PLOT
    shown = [frontier.home, *(point.amounts for point in frontier.points)]
    across = _Axis.over([amounts.runtime_tail_s for amounts in shown], left, left + width)
    up = _Axis.over([amounts.carbon_g * 1e3 for amounts in shown], top + height, top)
    bottom = top + height + 64
    whole = bottom + _ROW * (len(frontier.points) + 2) + 16
    body = [
        *_title(frontier),
        *_axes(frontier, across, up),
        *_steps(frontier.points, across, up),
        *_own_limit(frontier, across),
        *_points(frontier, across, up),
        *_key(frontier),
        *_rows(frontier, bottom),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{whole}" viewBox="0 0 {WIDTH} {whole}" '
        f'font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13" fill="{_INK}">\n'
        f'<rect width="{WIDTH}" height="{whole}" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _title(frontier: Frontier) -> Iterator[str]:
    yield _text(20, 30, f"{frontier.problem.workflow.name}: carbon, cost and tail latency", size=19, weight=600)
    subtitle = "Each point is a placement that nothing beats in all three (a run, average hour). Rings: in your limits."
    yield _text(20, 52, subtitle, fill=_PALE)


def _axes(frontier: Frontier, across: _Axis, up: _Axis) -> Iterator[str]:
    left, top, width, height = _PLOT
    for tick in across.ticks:
        yield _line(across.at(tick), top, across.at(tick), top + height, _GRID)
        yield _text(across.at(tick), top + height + 18, f"{tick:.4g}", anchor="middle", fill=_PALE)
    for tick in up.ticks:
        yield _line(left, up.at(tick), left + width, up.at(tick), _GRID)
        yield _text(left - 8, up.at(tick) + 4, f"{tick:.4g}", anchor="end", fill=_PALE)
    percentile = f"{frontier.problem.objective.tail_percentile:g}"
    yield _text(left + width / 2, top + height + 40, f"run time, {percentile}th percentile, s", anchor="middle")
    middle = top + height / 2
    yield (
        f'<text x="24" y="{middle}" text-anchor="middle" transform="rotate(-90 24 {middle})">'
        "operational carbon, mean, mg CO2eq</text>"
    )


def _steps(points: Sequence[Point], across: _Axis, up: _Axis) -> Iterator[str]:
    """The least carbon for each limit on the tail."""
    path, least = "", float("inf")
    for point in sorted(points, key=lambda one: (one.amounts.runtime_tail_s, one.amounts.carbon_g)):
        if point.amounts.carbon_g < least:
            least = point.amounts.carbon_g
            x, y = across.at(point.amounts.runtime_tail_s), up.at(least * 1e3)
            path += f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f} {y:.1f}"
    yield f'<path d="{path}H{across.end:.1f}" fill="none" stroke="#bdbdbd" stroke-width="2"/>'


def _own_limit(frontier: Frontier, across: _Axis) -> Iterator[str]:
    """The problem's own limit on run time, if it lies within the picture."""
    limit = frontier.own_limits.get(Metric.RUNTIME)
    if limit is None or not across.low <= limit <= across.high:
        return
    _, top, _, height = _PLOT
    x = across.at(limit)
    yield f'<path d="M{x:.1f} {top}V{top + height}" stroke="{_INK}" stroke-dasharray="5 4"/>'
    yield _text(x - 6, top + 14, f"your limit, {limit:.4g} s", anchor="end")


def _points(frontier: Frontier, across: _Axis, up: _Axis) -> Iterator[str]:
    costs = [point.amounts.cost_usd for point in frontier.points]
    home = _place(frontier.home, across, up)
    yield f'<rect x="{home[0] - 6:.1f}" y="{home[1] - 6:.1f}" width="12" height="12" fill="#ffffff" stroke="{_INK}"/>'
    places = [_place(point.amounts, across, up) for point in frontier.points]
    for point, (x, y) in zip(frontier.points, places, strict=True):
        if point.within_limits:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="10.5" fill="none" stroke="{_INK}"/>'
        colour = _colour(point.amounts.cost_usd, costs)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{colour}" stroke="#ffffff"/>'
    labels = [_label(number, point) for number, point in enumerate(frontier.points, start=1)]
    for words, (x, y) in _apart([("all at home", home), *zip(labels, places, strict=True)]):
        yield _text(x, y, words, anchor="middle", weight=600, halo=True)


def _label(number: int, point: Point) -> str:
    return f"{number} (chosen)" if point.chosen else str(number)


def _place(amounts: Amounts, across: _Axis, up: _Axis) -> tuple[float, float]:
    return across.at(amounts.runtime_tail_s), up.at(amounts.carbon_g * 1e3)


def _apart(labels: Iterable[tuple[str, tuple[float, float]]]) -> Iterator[tuple[str, tuple[float, float]]]:
    """A place for each label beside its point, where it covers no label or point that is already there."""
    labels = list(labels)
    taken = [(x - 11, y - 11, x + 11, y + 11) for _, (x, y) in labels]
    for words, (x, y) in labels:
        half = _LETTER * len(words) / 2
        options = [(x + dx * (half + reach), y + 5 + dy * (10 + reach)) for reach in (13, 22, 34) for dx, dy in _AROUND]
        boxes = [(a - half, b - 11, a + half, b + 2) for a, b in options]
        free = [i for i, box in enumerate(boxes) if _inside(box) and not any(_overlap(box, other) for other in taken)]
        best = free[0] if free else 0
        taken.append(boxes[best])
        yield words, options[best]


_Box = tuple[float, float, float, float]


def _inside(box: _Box) -> bool:
    left, top, width, height = _PLOT
    return box[0] >= left and box[2] <= left + width and box[1] >= top and box[3] <= top + height


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _key(frontier: Frontier) -> Iterator[str]:
    """The colours of cost, at the right, against home."""
    left, top, width, _ = _PLOT
    x, home = left + width + 24, frontier.home.cost_usd
    costs = [point.amounts.cost_usd for point in frontier.points]
    low, high = min(costs), max(costs)
    yield _text(x, top + 14, "cost, mean")
    shown = _COLOURS if high > low else _COLOURS[:1]
    for i, colour in enumerate(reversed(shown)):
        share = (len(shown) - 1 - i) / max(1, len(shown) - 1)
        cost, y = low + share * (high - low), top + 38 + 24 * i
        yield f'<circle cx="{x + 8}" cy="{y - 4}" r="7" fill="{colour}"/>'
        yield _text(x + 22, y, change(cost, home), fill=_PALE)
    yield _text(x, top + 38 + 24 * len(shown) + 4, "against home", fill=_PALE)


def _colour(cost: float, costs: Sequence[float]) -> str:
    low, high = min(costs), max(costs)
    return _COLOURS[round((cost - low) / (high - low) * (len(_COLOURS) - 1))] if high > low else _COLOURS[0]


def _rows(frontier: Frontier, top: float) -> Iterator[str]:
    heads = ("", "carbon", "cost", "tail", "certificate", "nodes")
    anchors = ("end", "end", "end", "end", "start", "start")
    xs = (40, 130, 220, 310, 350, 460)
    for x, words, anchor in zip(xs, heads, anchors, strict=True):
        yield _text(x, top + _ROW, words, anchor=anchor, fill=_PALE)
    for number, point in enumerate(frontier.points, start=1):
        cells = (str(number), *changes(point.amounts, frontier.home), certificate(point), _short(point))
        for x, words, anchor in zip(xs, cells, anchors, strict=True):
            yield _text(x, top + _ROW * (number + 1), words, anchor=anchor, weight=600 if point.chosen else 400)


def _short(point: Point, most: int = 70) -> str:
    text = regions_text(point.regions)
    return text if len(text) <= most else text[: most - 1] + "…"


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{stroke}"/>'


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    size: int = 13,
    weight: int = 400,
    fill: str = _INK,
    halo: bool = False,
) -> str:
    around = ' stroke="#ffffff" stroke-width="4" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{fill}"{around}>{escape(words)}</text>'
    )
