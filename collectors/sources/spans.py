"""Spans of time, as services want to be asked for them and as they answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta


def pieces(start: datetime, end: datetime, longest: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """A span in pieces that are no longer than `longest`, for services that give no more at a call."""
    while start < end:
        upto = min(start + longest, end)
        yield start, upto
        start = upto
