"""Which zone of a service is a region's grid: the source's own table, and before it what the user has chosen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from caribou.collectors.sources.http import Reason, SourceError
from caribou.model.names import SOURCE_ZONES_KEY

_OF_A_ZONE = frozenset({Reason.NOT_IN_PLAN, Reason.NOT_FOUND, Reason.REQUEST, Reason.NOTHING})
"""What a service may say of a zone that it does not have, or does not give."""


@dataclass(frozen=True, slots=True)
class Zones:
    """Region to zone: `own` is the source's table, `chosen` what the user's file says of it."""

    own: Mapping[str, str]
    chosen: Mapping[str, str]

    def of(self, region: str) -> str | None:
        """A region's zone; None if neither has one."""
        return self.chosen.get(region) or self.own.get(region)

    @contextlib.contextmanager
    def blamed(self, region: str) -> Iterator[None]:
        """Name the user's zone in an error that it may be the cause of."""
        try:
            yield
        except SourceError as error:
            if region not in self.chosen or error.reason not in _OF_A_ZONE:
                raise
            chosen = f"zone {self.chosen[region]}, which {SOURCE_ZONES_KEY} names for {region}"
            raise error.about(chosen) from None
