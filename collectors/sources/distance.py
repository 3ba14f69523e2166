"""How far regions are apart, what light needs for that, and a round trip's estimate from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from math import asin, cos, radians, sin, sqrt
from statistics import median

Place = tuple[float, float]
"""Latitude and longitude, degrees."""

_EARTH_RADIUS_KM = 6371.0088
"""The mean one of the reference ellipsoid (IUGG)."""
_LIGHT_KM_PER_S = 299_792.458
_STEP_S, _MOST_S = 0.001, 0.05


def distance_km(one: Place, other: Place) -> float:
    """Along the great circle (haversine)."""
    (lat, lon), (to_lat, to_lon) = (tuple(map(radians, place)) for place in (one, other))
    half = sin((to_lat - lat) / 2) ** 2 + cos(lat) * cos(to_lat) * sin((to_lon - lon) / 2) ** 2
    return 2 * _EARTH_RADIUS_KM * asin(sqrt(half))


def least_round_trip_s(km: float) -> float:
    """Nothing comes back sooner: light in a vacuum. In fibre it takes half as long again, and no cable is straight."""
    return 2 * km / _LIGHT_KM_PER_S


@dataclass(frozen=True, slots=True)
class DistanceLine:
    """A round trip as a line over the distance: `base_s + per_km_s * km`."""

    base_s: float
    per_km_s: float

    def round_trip_s(self, km: float) -> float:
        """The estimate."""
        return self.base_s + self.per_km_s * km


def fitted(pairs: Sequence[tuple[float, float]]) -> DistanceLine:
    """The line of least absolute errors through (km, s), its base in whole milliseconds.

    Squares would follow the few pairs that are far slower than their distance (Cape Town to São Paulo: 337 ms).
    """
    bases = takewhile(lambda base_s: base_s <= _MOST_S, (step * _STEP_S for step in count()))
    lines = [DistanceLine(base_s, median((s - base_s) / km for km, s in pairs)) for base_s in bases]
    return min(lines, key=lambda line: sum(abs(line.round_trip_s(km) - s) for km, s in pairs))
