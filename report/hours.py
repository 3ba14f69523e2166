"""Hours of the day for people."""

from __future__ import annotations

from collections.abc import Sequence


def hours_text(hours: Sequence[int]) -> str:
    """Hours of the day in words: `00-05, 20-23`, or `all hours`."""
    if len(hours) == 24:
        return "all hours"
    spans: list[list[int]] = []
    for hour in sorted(hours):
        if spans and spans[-1][-1] == hour - 1:
            spans[-1].append(hour)
        else:
            spans.append([hour])
    return ", ".join(f"{s[0]:02}-{s[-1]:02}" if len(s) > 1 else f"{s[0]:02}" for s in spans)
