"""Hours of intensity out of what a grid has generated, by fuel. What it imports and exports is not in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from caribou.collectors.series import HourlySeries, HourValue, Signal
from caribou.collectors.sources.fuel_factors import FACTORS, G_PER_KWH, Fuel
from caribou.collectors.sources.spans import WEEK

BASIS = f"lifecycle, of generation without imports and exports, by fuel: {FACTORS}"


@dataclass(frozen=True, slots=True)
class Generation:
    """Hour (UTC) to its publisher's code of a fuel to MWh, and what the codes mean."""

    by_hour: Mapping[datetime, Mapping[str, float]]
    fuels: Mapping[str, Fuel]

    def series(self) -> HourlySeries:
        """The intensity of hours that are whole and in which anything was generated.

        Below zero is what a plant takes for itself: it counts as none.
        """
        partial = self.partial_hours()
        intensities = ((at, self._intensity(mwh)) for at, mwh in self.by_hour.items() if at not in partial)
        return HourlySeries.of(Signal.AVERAGE, [HourValue(at, g) for at, g in intensities if g is not None])

    def partial_hours(self) -> frozenset[datetime]:
        """Hours that lack a usual fuel: one that half of the days of their week, or of that before, have at that hour.

        The fuels of an hour come in one after the other: without the late ones it is dirtier or cleaner than it was. By
        hour of day, since solar power has no value at night in some grids; and by two weeks, since what somebody does
        not report for five days is not gone.
        """
        newest = max(self.by_hour, default=None)
        place = {at: ((newest - at) // WEEK, at.hour) for at in self.by_hour} if newest else {}
        days = Counter(place.values())
        seen = Counter((place[at], code) for at, mwh in self.by_hour.items() for code in self._with_factor(mwh))
        usual: dict[tuple[int, int], set[str]] = {}
        for ((week, hour), code), n in seen.items():
            if 2 * n >= days[week, hour]:
                usual.setdefault((week, hour), set()).add(code)
                usual.setdefault((week - 1, hour), set()).add(code)
        return frozenset(at for at, mwh in self.by_hour.items() if usual.get(place[at], set()) - mwh.keys())

    def share_without_factor(self) -> float:
        """The share of what was generated, from 0 to 1, whose fuel has no factor; storage apart. 0 of nothing."""
        other, total = 0.0, 0.0
        for mwh in self.by_hour.values():
            total += sum(max(x, 0.0) for code, x in mwh.items() if self.fuels[code] is not Fuel.STORAGE)
            other += sum(max(x, 0.0) for code, x in mwh.items() if self.fuels[code] is Fuel.OTHER)
        return other / total if total else 0.0

    def notes(self) -> Mapping[str, object]:
        """What a fact says of how its hours were made."""
        return {
            "partial_hours_left_out": len(self.partial_hours()),
            "share_without_factor": round(self.share_without_factor(), 4),
        }

    def _intensity(self, mwh: Mapping[str, float]) -> float | None:
        known = [(G_PER_KWH[self.fuels[code]], max(mwh[code], 0.0)) for code in self._with_factor(mwh)]
        total = sum(energy for _, energy in known)
        return sum(factor * energy for factor, energy in known) / total if total else None

    def _with_factor(self, codes: Iterable[str]) -> list[str]:
        return [code for code in codes if self.fuels[code] in G_PER_KWH]
