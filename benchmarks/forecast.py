"""How far forecasts of grid intensity are off, and what that costs a solver: the tables of docs/forecast.md.

    uv run benchmarks/forecast.py [--data FOLDER]           # prints them: a minute
    uv run benchmarks/forecast.py [--data FOLDER] --write   # and puts them into the page

FOLDER is the raw data of which collectors/sources/data/derive.py makes the packaged profiles, and is not part of the
repository: `carbon_2021_2022/<zone>.csv` and `carbon/<zone>.csv`, hours of 2021 to 2023.

How methods are tried is in rolling_origins.py.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from rolling_origins import BEGIN, YEARS, Grids, Outcome, Trial, hours_until, read, trial

from caribou.collectors.forecast.cleaning import cleaned
from caribou.collectors.forecast.forecasting import forecast_body
from caribou.collectors.forecast.methods import METHODS, packaged_profile, recent_days, scaled_profile
from caribou.collectors.forecast.window import COMING_H, DAY_H, PAST_H, Hours, joined
from caribou.collectors.series import HOUR, HourlySeries, HourValue, Signal
from caribou.collectors.sources.data.derive import SHAPES_OF_OTHER_ZONES
from caribou.collectors.sources.snapshot import CarbonSnapshot, packaged_facts
from caribou.model.errors import OperationFailedError

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "forecast.md"
CHOSEN_ON, CHECKED_ON = 2022, 2023
OURS = "recent days"
SETS: Mapping[str, tuple[str, ...]] = {
    "us-east-1, us-west-1, us-west-2": ("US-MIDA-PJM", "US-CAL-CISO", "US-NW-PACW"),
    "us-east-1, us-west-1, us-west-2, ca-central-1": ("US-MIDA-PJM", "US-CAL-CISO", "US-NW-PACW", "CA-QC"),
    "eu-central-1, eu-south-2, eu-west-2": ("DE", "ES", "GB"),
    "eu-central-1, eu-south-2, eu-west-2, eu-west-3, eu-north-1": ("DE", "ES", "GB", "FR", "SE"),
    "ap-northeast-2, ap-southeast-1, ap-southeast-2, ap-southeast-4": ("KR", "SG", "AU-NSW", "AU-VIC"),
}
WRONG_SHARE = 0.02
_SEED = 1
Cells = dict[str, str]


def _clean(values: Hours) -> Hours:
    return cleaned(values, Signal.AVERAGE).values


def of_methods(grids: Grids) -> Iterator[Cells]:
    """Each method, as means over the zones that have three years, in the year it was chosen on and in the next."""
    for year in (CHOSEN_ON, CHECKED_ON):
        tried = trial(grids.of(_complete(grids)), year)
        for name, method in METHODS.items():
            outcome = tried.outcome(method)
            day, week = outcome.day(), outcome.week()
            yield {
                "year": str(year),
                "method": name,
                **{f"day: {key}": text for key, text in _figures(day).items()},
                **{f"week: {key}": text for key, text in _figures(week).items()},
                "lowest hour: regret": f"{week.hour_regret().mean():.2f}",
            }


def _figures(outcome: Outcome) -> Cells:
    choices = outcome.choices()
    return {
        "MAE": f"{outcome.absolute().mean():.1f}",
        "%": _percent(outcome.relative().mean()),
        "order": _percent(choices.right.mean()),
        "regret": f"{choices.regret.mean():.2f}",
    }


def of_regions(grids: Grids) -> Iterator[Cells]:
    """The method that won, and the others' relative errors, of each region's zone in its newest year."""
    regions = regions_of_zones()
    rest = {zone for zone in regions if zone in grids.zones}
    for year in sorted(YEARS, reverse=True):
        zones = [zone for zone in regions if zone in grids.zones and _is_published(grids.of([zone]), year)]
        if newest := sorted(rest & set(zones), key=lambda zone: regions[zone]):
            yield from _of_regions(trial(grids.of(zones), year), newest, regions, year)
            rest -= set(newest)


def _of_regions(tried: Trial, zones: Sequence[str], regions: Mapping[str, str], year: int) -> Iterator[Cells]:
    ours, profile = tried.outcome(recent_days), tried.outcome(packaged_profile)
    day, week, profile_day, profile_week = ours.day(), ours.week(), profile.day(), profile.week()
    choices = week.choices()
    for zone in zones:
        i = tried.zones.index(zone)
        yield {
            "region": regions[zone],
            "zone": zone,
            "year": str(year),
            "mean": f"{np.nanmean(tried.came[i :: len(tried.zones)]):.0f}",
            "day: MAE": f"{day.absolute()[i]:.1f}",
            "day: %": _percent(day.relative()[i]),
            "profile, day: %": _percent(profile_day.relative()[i]),
            "week: MAE": f"{week.absolute()[i]:.1f}",
            "week: %": _percent(week.relative()[i]),
            "profile, week: %": _percent(profile_week.relative()[i]),
            "week: order": _percent(choices.right[i]),
            "week: regret": f"{choices.regret[i]:.2f}",
        }


def regions_of_zones() -> Mapping[str, str]:
    """Zone to the regions that take their hours from it."""
    zones: dict[str, list[str]] = {}
    for region, fact in packaged_facts(BEGIN).carbon.items():
        zone = SHAPES_OF_OTHER_ZONES.get(str(fact.body.zone), fact.body.zone)
        if zone:
            zones.setdefault(zone, []).append(region)
    return {zone: ", ".join(sorted(names)) for zone, names in zones.items()}


def of_sets(grids: Grids) -> Iterator[Cells]:
    """What it costs to take, at each hour of day of a week, the region that is said to be the lowest of some."""
    for name, zones in SETS.items():
        tried = trial(grids.of(zones), CHECKED_ON)
        cells = {"allowed regions": name}
        for method in ("packaged profile", "last seven days' mean", OURS):
            right, regret, least = tried.outcome(METHODS[method]).week().lowest()
            cells[method] = f"{_percent(right)} %, {regret:.2f}"
        yield {**cells, "the lowest": f"{least:.0f}"}


def of_constants(grids: Grids) -> Iterator[Cells]:
    """Relative errors of a day and a week with other constants than those of the method that won."""
    tried = trial(grids.of(_complete(grids)), CHOSEN_ON)
    for days in (2.0, 3.0, 5.0, 8.0, 14.0):
        cells = {"half-life of days": f"{days:g}"}
        for hours in (12.0, 24.0, 48.0, 96.0):
            method = partial(recent_days, half_life_days=days, departure_h=hours)
            cells[f"departure {hours:g} h"] = _both(tried.outcome(method))
        yield cells


def of_published(grids: Grids) -> Iterator[Cells]:
    """Relative errors of a week of which a publisher forecasts the beginning, if its errors are a share of ours.

    Of the rest, ours out of the hours that had ended; and with the publisher's hours as the newest.
    """
    tried = trial(grids.of(_complete(grids)), CHOSEN_ON)
    ours = recent_days(tried.past, tried.profile)
    for share in (0.0, 0.5, 1.0):
        cells = {"publisher is off by": f"{100 * share:g} % of what ours is"}
        for hours in (24, 48, 72):
            published = share * ours[:, :hours] + (1 - share) * tried.came[:, :hours]
            continued = recent_days(joined(tried.past, published), tried.profile)[:, : COMING_H - hours]
            errors = [_week_of(tried, published, rest) for rest in (ours[:, hours:], continued)]
            cells[f"covers {hours} h"] = " / ".join(errors)
        yield cells


def _week_of(tried: Trial, published: Hours, rest: Hours) -> str:
    week = np.concatenate([published, rest], axis=1)
    return _percent(tried.outcome(lambda past, profile: week).week().relative().mean())  # noqa: ARG005 - a method's


def of_histories(grids: Grids) -> Iterator[Cells]:
    """The same of the method that won, and of the profile at the history's level, with histories that are worse."""
    tried = trial(grids.of(_complete(grids)), CHOSEN_ON)
    for name, past in _histories(tried.published):
        ours, profile = (_both(tried.outcome(method, past)) for method in (recent_days, scaled_profile))
        yield {"history": name, "recent days": ours, "profile at its level": profile}


def _histories(published: Hours) -> Iterator[tuple[str, Hours]]:
    chance = np.random.default_rng(_SEED)
    drawn = chance.random(published.shape)
    wrong = np.where(drawn < WRONG_SHARE, published * np.where(drawn < WRONG_SHARE / 2, 3.0, 0.0), published)
    holes = np.repeat(chance.random((len(published), PAST_H // 12)) < 0.2, 12, axis=1)
    yield "28 days as published", _clean(published)
    yield "the same, not cut", published
    yield f"{100 * WRONG_SHARE:g} % of hours wrong, 3 times too much or 0; cut", _clean(wrong)
    yield "these, not cut", wrong
    yield (
        "20 % of hours missing, in stretches of 12",
        _clean(np.where(holes, np.nan, published)),
    )
    for hours in (6, 24, 72):
        late = published.copy()
        late[:, -hours:] = np.nan
        yield f"the newest {hours} h not published", _clean(late)
    for days in (14, 7, 3, 2, 1):
        short = published.copy()
        short[:, : -days * DAY_H] = np.nan
        yield f"only the last {days} days" if days > 1 else "only the last day", _clean(short)


def _complete(grids: Grids) -> list[str]:
    return [zone for zone in grids.zones if all(_is_published(grids.of([zone]), year) for year in YEARS)]


def _is_published(grid: Grids, year: int) -> bool:
    """Whether nine of ten hours of a year are there."""
    hours = grid.values[:, hours_until(year) : hours_until(year + 1)]
    return bool(np.isfinite(hours).mean() > 0.9)


def _both(outcome: Outcome) -> str:
    return f"{_percent(outcome.day().relative().mean())} / {_percent(outcome.week().relative().mean())}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if np.isfinite(share) else "-"


def ms_a_region(grids: Grids) -> float:
    """CPU time of a region's forecast, of 28 days and with a profile."""
    hours = grids.of(["DE"]).values[0, :PAST_H]
    history = HourlySeries.of(Signal.AVERAGE, (HourValue(BEGIN + i * HOUR, float(g)) for i, g in enumerate(hours)))
    profile, now = CarbonSnapshot().profiles()["eu-central-1"], BEGIN + PAST_H * HOUR
    begun = time.process_time()
    for _ in range(100):
        forecast_body(history, None, profile, now)
    return (time.process_time() - begun) * 10


TABLES = {
    "methods": of_methods,
    "regions": of_regions,
    "sets": of_sets,
    "constants": of_constants,
    "published": of_published,
    "histories": of_histories,
}


def tables(grids: Grids) -> dict[str, str]:
    """The page's tables by name, in Markdown."""
    return {name: _table(list(rows(grids))) for name, rows in TABLES.items()}


def _table(rows: Sequence[Cells]) -> str:
    lines = [f"| {' | '.join(rows[0])} |", f"|{'---|' * len(rows[0])}"]
    return "\n".join([*lines, *(f"| {' | '.join(row.values())} |" for row in rows)]) + "\n"


def put(page: str, name: str, table: str) -> str:
    """The page with a table between the marks of its name."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    head, found, rest = page.partition(begin)
    assert found, f"{PAGE} has no line {begin}"
    return f"{head}{begin}{table}{end}{rest.partition(end)[2]}"


def main(arguments: Sequence[str]) -> int:
    """Print the tables, and put them into the page if that is asked for; the exit code."""
    parser = argparse.ArgumentParser(description="How far forecasts of grid intensity are off, and what that costs.")
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help="the raw data")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.relative_to(ROOT)}")
    chosen = parser.parse_args(arguments)
    try:
        grids = read(chosen.data)
    except OperationFailedError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    made = tables(grids)
    print("\n".join(made.values()))
    print(f"{ms_a_region(grids):.1f} ms of CPU time a region's forecast")
    if chosen.write:
        page = PAGE.read_text(encoding="utf-8")
        for name, table in made.items():
            page = put(page, name, table)
        PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
