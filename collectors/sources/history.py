"""Backfill: the hours of past days of grids, as live sources have published them, in pieces that are asked for once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol, runtime_checkable

from caribou.collectors.series import HourlySeries, Signal
from caribou.collectors.sources.feed import CarbonFeed, checked
from caribou.collectors.sources.http import WHOLE_SOURCE, Reason, SourceError
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.profile_feed import ProfileFeed
from caribou.collectors.sources.registry import sources_of
from caribou.collectors.sources.settings import AllSettings
from caribou.collectors.sources.snapshot import CarbonSnapshot
from caribou.model.errors import OperationFailedError

PIECE_DAYS = 10
"""What is asked for at once: as much as Electricity Maps answers in one call (its v4 reference, past-range)."""
_FOR_GOOD = frozenset({Reason.REFUSED, Reason.NOT_IN_PLAN, Reason.NOT_FOUND})
"""Reasons that do not pass by themselves: the next source is asked."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `start` to before `end`, UTC."""

    start: date
    end: date

    @property
    def days(self) -> frozenset[date]:
        """Each day."""
        return frozenset(self.start + i * _DAY for i in range((self.end - self.start).days))

    @property
    def hours(self) -> tuple[datetime, datetime]:
        """Its beginning and end, aware."""
        return _midnight(self.start), _midnight(self.end)


class Pieces(Protocol):
    """Where pieces rest. A piece that is put is there whole or not at all."""

    def known(self, feed: CarbonFeed, zone: str) -> Collection[Span]:
        """The pieces of a zone that are there."""

    def put(self, feed: CarbonFeed, zone: str, span: Span, series: HourlySeries) -> None:
        """Keep a piece."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A zone of a source, and the regions whose grid it is."""

    feed: CarbonFeed
    zone: str
    regions: tuple[str, ...]


@dataclass(slots=True)
class Filled:
    """What came of a backfill: grids whose pieces are all there; why regions are another source's, and what failed."""

    grids: list[Grid] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    missing: tuple[str, ...] = ()


@runtime_checkable
class _Fed(Protocol):
    """A live source: it makes facts of a feed."""

    @property
    def feed(self) -> CarbonFeed: ...


def feeds_of(names: Sequence[str], settings: AllSettings, keys: KeyRing) -> list[CarbonFeed]:
    """The feeds of hours of the chosen sources; of a snapshot its profile. A source of annual figures has none.

    Marginal intensity is another signal, and no average to fill files with.
    """
    made = zip(names, sources_of("carbon", names, settings, keys), strict=True)
    found = (_feed(name, source) for name, source in made)
    return [feed for feed in found if feed is not None]


def _feed(name: str, source: object) -> CarbonFeed | None:
    if isinstance(source, CarbonSnapshot):
        return ProfileFeed(name, source)
    return source.feed if isinstance(source, _Fed) and source.feed.signal is Signal.AVERAGE else None


def fill(
    feeds: Sequence[CarbonFeed],
    regions: Iterable[str],
    span: Span,
    pieces: Pieces,
    done: Callable[[Grid, int, int], None] = lambda *_: None,
) -> Filled:
    """Ask for what is not there yet, zone by zone, of the first feed that covers a region and gives its hours.

    `done` hears of each zone how many of its pieces are there, and of how many. What a feed does not give for good (no
    key, not in the plan) is asked of the next one; what may pass is a failure, and what was got until then stays.
    """
    filled, left = Filled(), tuple(dict.fromkeys(regions))
    for feed in feeds:
        why: OperationFailedError | None = None
        for grid in _grids(feed, left):
            if not _holds_for_all(why):
                why = _fill_grid(grid, span, pieces, done)
            text = f"{feed.origin}, {grid.zone} ({', '.join(grid.regions)}): {why}"
            if why is not None and _is_for_good(why):
                filled.fallbacks.append(text)
                continue
            if why is None:
                filled.grids.append(grid)
            else:
                filled.failures.append(text)
            left = tuple(region for region in left if region not in grid.regions)
    filled.missing = left
    return filled


def missing_spans(known: Iterable[Span], span: Span) -> Iterator[Span]:
    """The days of a span that are in no known piece, in pieces of as many days as may be asked for at once."""
    days = sorted(span.days.difference(*(piece.days for piece in known)))
    while days:
        count = 1
        while count < min(PIECE_DAYS, len(days)) and days[count] - days[count - 1] == _DAY:
            count += 1
        yield Span(days[0], days[count - 1] + _DAY)
        days = days[count:]


def _grids(feed: CarbonFeed, regions: Iterable[str]) -> list[Grid]:
    zones: dict[str, list[str]] = {}
    for region in regions:
        if (zone := feed.zone_of(region)) is not None:
            zones.setdefault(zone, []).append(region)
    return [Grid(feed, zone, tuple(own)) for zone, own in zones.items()]


def _holds_for_all(why: OperationFailedError | None) -> bool:
    """Whether a source that gave this reason is not to be asked for another zone."""
    return why is not None and (not isinstance(why, SourceError) or why.reason in WHOLE_SOURCE)


def _is_for_good(why: OperationFailedError) -> bool:
    """Whether the next source is to be asked: for lack of a key, say."""
    return not isinstance(why, SourceError) or why.reason in _FOR_GOOD


def _fill_grid(
    grid: Grid, span: Span, pieces: Pieces, done: Callable[[Grid, int, int], None]
) -> OperationFailedError | None:
    """Get what is missing of a grid; why that ended before its end, None if it did not."""
    spans = list(missing_spans(pieces.known(grid.feed, grid.zone), span))
    done(grid, 0, len(spans))
    for i, piece in enumerate(spans, 1):
        try:
            hours = _hours(grid, piece)
        except OperationFailedError as error:
            return error
        pieces.put(grid.feed, grid.zone, piece, hours)
        done(grid, i, len(spans))
    return None


def _hours(grid: Grid, span: Span) -> HourlySeries:
    """The hours of a piece that are published and can be; none if the feed has nothing of that time."""
    start, end = span.hours
    region = grid.regions[0]
    try:
        series = checked(grid.feed.history(region, start, end), grid.feed, region)
    except SourceError as error:
        if error.reason is not Reason.NOTHING:
            raise
        return HourlySeries(grid.feed.signal, ())
    return series.possible().between(start, end)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def described(feed: CarbonFeed, regions: Mapping[str, str]) -> dict[str, object]:
    """What is to be known of a source's hours, as a JSON object; `regions` to zones."""
    return {
        "source": feed.name,
        "origin": feed.origin,
        "licence": feed.licence,
        "basis": feed.basis,
        "unit": "g CO2eq/kWh, mean of the hour from timestamp_utc on",
        "zones": dict(sorted(regions.items())),
    }
