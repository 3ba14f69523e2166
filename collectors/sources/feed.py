"""What a live service of carbon intensity has to do, whatever it is: hours of the past, and of the future if it can."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from caribou.collectors.series import HourlySeries, Signal


class CarbonFeed(Protocol):
    """A client of a live service. It makes no request before it is asked; its methods raise SourceError."""

    name: str
    """As the registry has it, such as `electricity_maps`."""
    origin: str
    """As facts name it, such as `Electricity Maps`."""
    licence: str
    """Under which terms its figures are given."""
    basis: str
    """What the figures are: lifecycle or direct, of consumption or generation."""
    signal: Signal

    def zone_of(self, region: str) -> str | None:
        """The service's name for a region's grid; None if it does not cover it."""

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """The hours from `start` to before `end` (UTC, on the hour) that are published, in as many calls as it takes.

        Missing hours are not made up. Whether a value is its publisher's estimate stands with it.
        """

    def forecast(self, region: str, now: datetime) -> HourlySeries | None:
        """The hours from `now` on that the service forecasts; None if it publishes no forecast."""

    def notes(self, region: str) -> Mapping[str, object]:
        """What else is to be kept of where the figures come from, such as a model's date: texts and numbers."""
