"""The frontier of carbon, cost and tail latency as an SVG: one file, no script, no font but the viewer's.

Across: tail run time; up: mean carbon; colour: mean cost, from pale (least) to dark. The grey steps are the least
carbon for each limit on the tail, whatever it costs: a point above them is cheaper. Below, a row a point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import dist

from caribou.model.metric import Metric
from caribou.report.axis import Axis
from caribou.report.frontier_table import certificate, changes, regions_text
from caribou.report.labels import LETTER, Box, apart
from caribou.report.png import FONTS
from caribou.report.units import amount, change
from caribou.solver.analysis.frontier import Amounts, Frontier, Point

WIDTH = 960
_PLOT = (80, 74, 700, 380)  # left, top, width, height
_ROW = 20
_COLOURS = ("#fde2a8", "#f9b46b", "#ec7d5a", "#c14a6b", "#7a2a73", "#33175a")
_INK, _PALE, _GRID = "#222222", "#6b6b6b", "#e6e6e6"
_LEADS_FROM = 34  # pixels from which a line leads to a label's point


def frontier_picture(frontier: Frontier) -> str:
    """The picture, as the text of an SVG file."""
    left, top, width, height = _PLOT
    shown = [frontier.home, *(point.amounts for point in frontier.points)]
    across = Axis.over([amounts.runtime_tail_s for amounts in shown], left, left + width, Metric.RUNTIME)
    up = Axis.over([amounts.carbon_g for amounts in shown], top + height, top, Metric.CARBON)
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
        f'font-family="{FONTS}" font-size="13" fill="{_INK}">\n'
        f'<rect width="{WIDTH}" height="{whole}" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _title(frontier: Frontier) -> Iterator[str]:
    yield _text(20, 30, f"{frontier.problem.workflow.name}: carbon, cost and tail latency", size=19, weight=600)
    subtitle = "Each point is a placement that nothing beats in all three (a run, average hour). Rings: in your limits."
    yield _text(20, 52, subtitle, fill=_PALE)


def _axes(frontier: Frontier, across: Axis, up: Axis) -> Iterator[str]:
    left, top, width, height = _PLOT
    for tick, words in across.ticks:
        x = across.pixel(tick)
        yield _line(x, top, x, top + height, _GRID)
        yield _text(x, top + height + 18, words, anchor="middle", fill=_PALE)
    for tick, words in up.ticks:
        y = up.pixel(tick)
        yield _line(left, y, left + width, y, _GRID)
        yield _text(left - 8, y + 4, words, anchor="end", fill=_PALE)
    percentile = f"{frontier.problem.objective.tail_percentile:g}th percentile"
    runtime = f"{Metric.RUNTIME.heading(across.scale)}, {percentile}{across.note}"
    yield _text(left + width / 2, top + height + 40, runtime, anchor="middle")
    middle = top + height / 2
    yield (
        f'<text x="18" y="{middle}" text-anchor="middle" transform="rotate(-90 18 {middle})">'
        f"{Metric.CARBON.heading(up.scale)}, mean{up.note}</text>"
    )


def _steps(points: Sequence[Point], across: Axis, up: Axis) -> Iterator[str]:
    """The least carbon for each limit on the tail."""
    path, least = "", float("inf")
    for point in sorted(points, key=lambda one: (one.amounts.runtime_tail_s, one.amounts.carbon_g)):
        if point.amounts.carbon_g < least:
            least = point.amounts.carbon_g
            x, y = across.at(point.amounts.runtime_tail_s), up.at(least)
            path += f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f} {y:.1f}"
    yield f'<path d="{path}H{across.end:.1f}" fill="none" stroke="#bdbdbd" stroke-width="2"/>'


def _own_limit(frontier: Frontier, across: Axis) -> Iterator[str]:
    """The problem's own limit on run time, if it lies within the picture."""
    limit = frontier.own_limits.get(Metric.RUNTIME)
    if limit is None or not across.start <= across.at(limit) <= across.end:
        return
    _, top, _, height = _PLOT
    x = across.at(limit)
    yield f'<path d="M{x:.1f} {top}V{top + height}" stroke="{_INK}" stroke-dasharray="5 4"/>'
    yield _text(x - 6, top + 14, f"your limit, {amount(Metric.RUNTIME, limit, 4)}", anchor="end")


def _points(frontier: Frontier, across: Axis, up: Axis) -> Iterator[str]:
    costs = [point.amounts.cost_usd for point in frontier.points]
    home = _place(frontier.home, across, up)
    yield f'<rect x="{home[0] - 9:.1f}" y="{home[1] - 9:.1f}" width="18" height="18" fill="#ffffff" stroke="{_INK}"/>'
    places = [_place(point.amounts, across, up) for point in frontier.points]
    for point, (x, y) in zip(frontier.points, places, strict=True):
        if point.within_limits:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="11.5" fill="none" stroke="{_INK}"/>'
        colour = _colour(point.amounts.cost_usd, costs)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{colour}" stroke="#ffffff"/>'
    labels = [_label(number, point) for number, point in enumerate(frontier.points, start=1)]
    named = [("all at home", home), *zip(labels, places, strict=True)]
    for words, place, (x, y) in apart(named, _limit_box(frontier, across), _plot_box()):
        if dist(place, (x, y)) > _LEADS_FROM + LETTER * len(words) / 2:
            yield _line(*place, x, y - 4, _PALE)
        yield _text(x, y, words, anchor="middle", weight=600, halo=True)


def _plot_box() -> Box:
    left, top, width, height = _PLOT
    return left, top, left + width, top + height


def _limit_box(frontier: Frontier, across: Axis) -> list[Box]:
    """What the words beside the problem's own limit cover."""
    limit = frontier.own_limits.get(Metric.RUNTIME)
    if limit is None:
        return []
    x, top = across.at(limit), _PLOT[1]
    return [(x - 170, top, x, top + 18)]


def _label(number: int, point: Point) -> str:
    return f"{number} (chosen)" if point.chosen else str(number)


def _place(amounts: Amounts, across: Axis, up: Axis) -> tuple[float, float]:
    return across.at(amounts.runtime_tail_s), up.at(amounts.carbon_g)


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
