"""What a plan changes of home's carbon under each set of assumptions: the corners of a placement's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from caribou.model.verdict import ENOUGH_RUNS
from caribou.report.units import per_cent, span

Corner = Mapping[str, Any]
_INTENSITIES = ("average", "marginal")
CORNERS_TITLE = "Change of carbon, by what a GB takes between regions and inside one"
CORNERS_HEADER = ("kWh/GB", *(f"by {intensity} intensity" for intensity in _INTENSITIES))


def corners_table(sensitivity: Mapping[str, Any]) -> Table:
    """A row for each pair of energies of data in motion, a column for each kind of intensity; 80 columns are enough.

    A cell is the change of home's carbon over the day, and its 95 % interval if the runs are observed ones.
    """
    intervals = any(corner["ci95"] is not None for corner in sensitivity["corners"])
    caption = f"in brackets 95 % intervals{few_runs(sensitivity)}" if intervals else None
    table = Table(*CORNERS_HEADER, title=CORNERS_TITLE, caption=caption)
    for row in corners_rows(sensitivity):
        table.add_row(*row)
    table.title_justify = "left"
    return table


def corners_rows(sensitivity: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The rows of the table, each a cell a column."""
    corners: Sequence[Corner] = sensitivity["corners"]
    return [
        ("{:g}, {:g}".format(*energies), *(_cell(corners, energies, intensity) for intensity in _INTENSITIES))
        for energies in dict.fromkeys(map(_energies, corners))
    ]


def few_runs(sensitivity: Mapping[str, Any]) -> str:
    """Below thirty runs intervals cover less than they say."""
    runs = sensitivity.get("runs")
    if runs is None or runs >= ENOUGH_RUNS:
        return ""
    return f"; by {'one run' if runs == 1 else f'{runs} runs'} they are too narrow"


def _energies(corner: Corner) -> tuple[float, float]:
    return corner["transmission_kwh_per_gb"], corner["intra_region_kwh_per_gb"]


def _cell(corners: Sequence[Corner], energies: tuple[float, float], intensity: str) -> str:
    for corner in corners:
        if (_energies(corner), corner["intensity"]) == (energies, intensity):
            interval = "" if corner["ci95"] is None else f" ({span(corner['ci95'][1], corner['ci95'][0], _change)})"
            return f"{_change(corner['saving'])}{interval}"
    return "not known"


def _change(saving: float) -> str:
    """A saving as a change of home's carbon."""
    return per_cent(-saving)
