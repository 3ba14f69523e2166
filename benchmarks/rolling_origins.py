"""Rolling origins: what forecasts say of hours that are known, each out of those before it; see forecast.py.

Every 79 hours, so that they go through the hours of the day and the days of the week, each method is given the 28 days
before, and the profile of the calendar year before at that year's level, and says the coming week. What it says is
compared with what came. Weeks of which an hour was not published are left out.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caribou.collectors.forecast.cleaning import cleaned
from caribou.collectors.forecast.methods import Method
from caribou.collectors.forecast.window import COMING_H, DAY_H, PAST_H, Hours
from caribou.collectors.series import HOUR, Signal
from caribou.model.errors import OperationFailedError

BEGIN = datetime(2021, 1, 1, tzinfo=UTC)
YEARS = (2021, 2022, 2023)
EVERY_H = 79
_FOLDERS = ("carbon_2021_2022", "carbon")


@dataclass(frozen=True, slots=True)
class Grids:
    """Hours of each zone from BEGIN on, n x hours, g CO2eq/kWh, NaN where nobody published."""

    zones: tuple[str, ...]
    values: Hours

    def of(self, zones: Sequence[str]) -> Grids:
        """Some of them."""
        return Grids(tuple(zones), self.values[[self.zones.index(zone) for zone in zones]])


def read(folder: Path) -> Grids:
    """The hours of all zones. Raises OperationFailedError if they are not there."""
    paths = [path for name in _FOLDERS for path in sorted((folder / name).glob("*.csv"))]
    if not paths:
        raise OperationFailedError(
            f"{folder} has no {' and no '.join(f'{name}/*.csv' for name in _FOLDERS)}: give --data"
        )
    zones = sorted({path.stem for path in paths})
    values = np.full((len(zones), hours_until(YEARS[-1] + 1)), np.nan)
    for path in paths:
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            if intensity := row["gCO2eq_per_kWh_lifecycle"]:
                values[zones.index(path.stem), _place(row["timestamp_utc"])] = float(intensity)
    return Grids(tuple(zones), values)


def _place(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - BEGIN) // HOUR


def hours_until(year: int) -> int:
    """Where in a row a year begins."""
    return (datetime(year, 1, 1, tzinfo=UTC) - BEGIN) // HOUR


@dataclass(frozen=True, slots=True)
class Trial:
    """k origins of n zones, a row each, by origin and then by zone: what was published, that cleaned, and what came."""

    zones: tuple[str, ...]
    published: Hours
    past: Hours
    profile: Hours
    came: Hours

    def outcome(self, method: Method, past: Hours | None = None) -> Outcome:
        """What a method says, of another past if one is given."""
        said = np.maximum(method(self.past if past is None else past, self.profile), 0.0)
        counts = np.isfinite(self.came).all(axis=1) & np.isfinite(said).all(axis=1)
        said, came = (week.reshape(-1, len(self.zones), COMING_H) for week in (said, self.came))
        return Outcome(said, came, counts.reshape(-1, len(self.zones)))


def trial(grids: Grids, year: int) -> Trial:
    """Every origin of a year that has four weeks before it and one after it."""
    origins = range(max(hours_until(year), PAST_H), hours_until(year + 1) - COMING_H + 1, EVERY_H)
    windows = zip(*(window(grids, origin) for origin in origins), strict=True)
    published, profile = (np.concatenate(rows) for rows in windows)
    came = np.concatenate([grids.values[:, origin : origin + COMING_H] for origin in origins])
    return Trial(grids.zones, published, cleaned(published, Signal.AVERAGE).values, profile, came)


def window(grids: Grids, origin: int) -> tuple[Hours, Hours]:
    """The four weeks before an origin; and for them and the week after it, the profile of the calendar year before."""
    hours = [BEGIN + hour * HOUR for hour in range(origin - PAST_H, origin + COMING_H)]
    by_month = profile_of(grids, hours[PAST_H].year - 1)
    profile = by_month[:, [hour.month - 1 for hour in hours], [hour.hour for hour in hours]]
    return grids.values[:, origin - PAST_H : origin], profile


def profile_of(grids: Grids, year: int) -> Hours:
    """Means by month and hour of day of a year, n x 12 x 24, NaN where a zone has none."""
    if year < BEGIN.year:
        return np.full((len(grids.zones), 12, DAY_H), np.nan)
    edges = [(datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) - BEGIN) // HOUR for month in range(13)]
    months = [grids.values[:, a:b].reshape(len(grids.zones), -1, DAY_H) for a, b in pairwise(edges)]
    return np.stack([_mean(month, axis=1) for month in months], axis=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said and what came, k x n x hours, and which of them count, k x n."""

    said: Hours
    came: Hours
    counts: NDArray[np.bool_]

    def day(self) -> Outcome:
        """The first 24 hours."""
        return replace(self, said=self.said[..., :DAY_H], came=self.came[..., :DAY_H])

    def week(self) -> Outcome:
        """The means by hour of day over the seven days: what a placement is solved from."""
        said, came = (week.reshape(*week.shape[:2], -1, DAY_H).mean(axis=2) for week in (self.said, self.came))
        return replace(self, said=said, came=came)

    def absolute(self) -> Hours:
        """The mean absolute error over hours and origins, g/kWh, of each zone."""
        return self._over_origins(np.abs(self.said - self.came).mean(axis=2))

    def relative(self) -> Hours:
        """That, as a share of the mean of what came."""
        return self.absolute() / self._over_origins(self.came.mean(axis=2))

    def hour_regret(self) -> Hours:
        """What the hour that is said to be the lowest has more than the lowest one, g/kWh, of each zone."""
        chosen = np.take_along_axis(self.came, self.said.argmin(axis=2)[..., None], axis=2)[..., 0]
        return self._over_origins(chosen - self.came.min(axis=2))

    def choices(self) -> Choices:
        """Which of two zones is the lower one, at each hour, over all other zones."""
        n = self.counts.shape[1]
        right, regret = np.full((n, n), np.nan), np.full((n, n), np.nan)
        for a, b in combinations(range(n), 2):
            counts = self.counts[:, a] & self.counts[:, b]
            if counts.any():
                said, came = (values[counts, a] - values[counts, b] for values in (self.said, self.came))
                is_right = (said <= 0) == (came <= 0)
                right[a, b] = right[b, a] = is_right.mean()
                regret[a, b] = regret[b, a] = np.where(is_right, 0.0, np.abs(came)).mean()
        return Choices(_mean(right, axis=1), _mean(regret, axis=1))

    def lowest(self) -> tuple[float, float, float]:
        """How often the zone that is said to be the lowest of all is so, its regret and the lowest one, g/kWh."""
        counts = self.counts.all(axis=1)
        said, came = self.said[counts], self.came[counts]
        chosen = np.take_along_axis(came, said.argmin(axis=1)[:, None], axis=1)[:, 0]
        least = came.min(axis=1)
        return float((chosen == least).mean()), float((chosen - least).mean()), float(least.mean())

    def _over_origins(self, values: Hours) -> Hours:
        return _mean(np.where(self.counts, values, np.nan), axis=0)


@dataclass(frozen=True, slots=True)
class Choices:
    """Of each zone and each other one: how often their order is as said, and what taking the wrong one costs, g/kWh.

    The cost is a mean over all hours, those at which the right one was taken too.
    """

    right: Hours
    regret: Hours


def _mean(values: Hours, axis: int) -> Hours:
    """The mean of what is known, NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, for a mean of nothing
        mean: Hours = np.nanmean(values, axis=axis)
    return mean
