"""Hours of a grid's carbon intensity: what live sources give, and what forecasts are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import fmean
from typing import Self

HOUR = timedelta(hours=1)
HIGHEST = 2_500.0
"""g CO2eq/kWh, either way, that no plant reaches: pulverised coal emits up to 910 over its life (IPCC, AR5, annex
III, table A.III.2)."""


BASES = (("lifecycle", "direct"), ("consumption", "generation"))
"""What an average intensity may be: with what fuels and plants take before, or without; of what a grid's users draw, or
of what its plants make. Intensities of different bases do not compare."""


def named_basis(words: Sequence[str], text: str) -> str | None:
    """Which of some words a basis names, the first of several (`direct; no lifecycle`); None if it names none."""
    return min((word for word in words if word in text), key=text.index, default=None)


def this_hour(now: datetime) -> datetime:
    """The hour that goes on, by its beginning, UTC."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


class Signal(StrEnum):
    """What an intensity says: of all power in the grid, or of the plant that answers one more kWh. Never mixed."""

    AVERAGE = "average"
    MARGINAL = "marginal"


@dataclass(frozen=True, slots=True)
class HourValue:
    """Mean intensity over one hour from `at` (aware, UTC, on the hour), g CO2eq/kWh; below 0 is possible (marginal).

    `estimated` says that its publisher has estimated it and not measured.
    """

    at: datetime
    g_per_kwh: float
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class HourlySeries:
    """Hours in order, each once; hours that nobody published are not there."""

    signal: Signal
    hours: tuple[HourValue, ...]

    @classmethod
    def of(cls, signal: Signal, values: Iterable[HourValue]) -> Self:
        """Put hours in order; of one that came twice, the later one counts, as publishers correct what they said.

        Hours of another time zone become UTC's, so that the two that a clock shows twice in autumn stay two.
        """
        by_hour = {(at := value.at.astimezone(UTC)): replace(value, at=at) for value in values}
        return cls(signal, tuple(by_hour[at] for at in sorted(by_hour)))

    @classmethod
    def of_samples(cls, signal: Signal, samples: Iterable[HourValue], per_hour: int) -> Self:
        """Average samples, at any minute, over their hours; an hour with fewer than `per_hour` of them is left out.

        Half hours and quarters that are missing would shift the mean of an hour; a sample that came twice counts once.
        """
        by_time = {sample.at.astimezone(UTC): sample for sample in samples}
        by_hour: dict[datetime, list[HourValue]] = {}
        for at in sorted(by_time):
            by_hour.setdefault(this_hour(at), []).append(by_time[at])
        return cls(signal, tuple(_mean(at, own) for at, own in by_hour.items() if len(own) >= per_hour))

    def between(self, start: datetime, end: datetime) -> Self:
        """The hours that begin at `start` or later, and before `end`."""
        return type(self)(self.signal, tuple(value for value in self.hours if start <= value.at < end))

    def possible(self) -> Self:
        """The hours that can be: of average intensity none below 0, of either none that no plant reaches."""
        least = 0.0 if self.signal is Signal.AVERAGE else -HIGHEST
        return type(self)(self.signal, tuple(value for value in self.hours if least <= value.g_per_kwh <= HIGHEST))

    @property
    def estimated_share(self) -> float:
        """The share of hours that are estimates, 0 to 1; 0 of none."""
        return sum(value.estimated for value in self.hours) / len(self.hours) if self.hours else 0.0

    @property
    def mean(self) -> float:
        """The mean over the hours that are there, g CO2eq/kWh. Raises ValueError of none."""
        return fmean(value.g_per_kwh for value in self.hours)

    def by_time(self) -> Mapping[datetime, float]:
        """Hour to intensity."""
        return {value.at: value.g_per_kwh for value in self.hours}


def _mean(at: datetime, samples: list[HourValue]) -> HourValue:
    mean = sum(sample.g_per_kwh for sample in samples) / len(samples)
    return HourValue(at, mean, estimated=any(sample.estimated for sample in samples))
