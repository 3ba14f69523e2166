"""Draws how time and memory grow: `uv run python benchmarks/picture.py RESULTS.json docs/solver-growth.svg`.

RESULTS.json is what `benchmarks/solver.py growth -o` wrote. One panel an axis; both scales logarithmic.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, MARGIN = 300, 260, 46
SERIES = {"24 hours, s": ("#0b6e4f", -3), "one hour, s": ("#4c9be8", 11), "MB": ("#c8553d", 4)}
"""Colour, and by how much the label is moved down."""
LOWEST, HIGHEST = 0.01, 10_000.0  # of the vertical axis
Points = Sequence[tuple[float, float]]


def picture(rows: Sequence[dict[str, Any]]) -> str:
    """The panels side by side, as SVG."""
    axes = list(dict.fromkeys(row["axis"] for row in rows))
    panels = [_panel(i, axis, [row for row in rows if row["axis"] == axis]) for i, axis in enumerate(axes)]
    size = f'viewBox="0 0 {WIDTH * len(axes)} {HEIGHT}" width="{WIDTH * len(axes)}" height="{HEIGHT}"'
    style = 'font-family="sans-serif" font-size="11" fill="#333"'
    white = '<rect width="100%" height="100%" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{white}\n' + "\n".join(panels) + "\n</svg>\n"


def _panel(place: int, axis: str, rows: Sequence[dict[str, Any]]) -> str:
    values = [float(row["value"]) for row in rows]
    low, high = math.log10(min(values)), math.log10(max(values))
    parts = [f'<g transform="translate({place * WIDTH} 0)">', f'<text x="{MARGIN}" y="16">by {axis}</text>']
    for power in range(round(math.log10(LOWEST)), round(math.log10(HIGHEST)) + 1):
        y = _y(10.0**power)
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - 80}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{MARGIN - 5}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    xs = [MARGIN + (WIDTH - 80 - MARGIN) * (math.log10(v) - low) / (high - low) for v in values]
    for x, value in zip(xs, values, strict=True):
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 22}" text-anchor="middle" font-size="9">{value:g}</text>')
    for name, (colour, down) in SERIES.items():
        points = [(x, _y(float(row[name]))) for x, row in zip(xs, rows, strict=True)]
        parts.append(_line(name, colour, down, points))
    return "\n".join([*parts, "</g>"])


def _line(name: str, colour: str, down: int, points: Points) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points)
    x, y = points[-1]
    label = f'<text x="{x + 6:.1f}" y="{y + down:.1f}" fill="{colour}">{name}</text>'
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}{label}'


def _y(value: float) -> float:
    share = (math.log10(max(value, LOWEST)) - math.log10(LOWEST)) / (math.log10(HIGHEST) - math.log10(LOWEST))
    return HEIGHT - 40 - share * (HEIGHT - 70)


if __name__ == "__main__":
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(sys.argv[2]).write_text(picture(results["growth"]), encoding="utf-8")
