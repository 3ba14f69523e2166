"""What a plan changes of home's carbon under each set of assumptions: the corners of a placement's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from caribou.report.units import per_cent, span
from caribou.solver import ENOUGH_RUNS

Corner = Mapping[str, Any]
_INTENSITIES = ("average", "marginal")


def corners_table(sensitivity: Mapping[str, Any]) -> Table:
    """A row for each pair of energies of data in motion, a column for each kind of intensity; 80 columns are enough.

    A cell is the change of home's carbon over the day, and its 95 % interval if the runs are observed ones.
    """
    corners: Sequence[Corner] = sensitivity["corners"]
    title = "Change of carbon, by what a GB takes between regions and inside one"
    intervals = any(corner["ci95"] is not None for corner in corners)
    caption = f"in brackets 95 % intervals{_few(sensitivity)}" if intervals else None
    table = Table(
        "kWh/GB", "by average intensity", "by marginal intensity", title=title, title_justify="left", caption=caption
    )
    for energies in dict.fromkeys(map(_energies, corners)):
        cells = (_cell(corners, energies, intensity) for intensity in _INTENSITIES)
        table.add_row("{:g}, {:g}".format(*energies), *cells)
    return table


def _few(sensitivity: Mapping[str, Any]) -> str:
    """Below thirty runs intervals cover less than they say."""
    runs = sensitivity.get("runs")
    return "" if runs is None or runs >= ENOUGH_RUNS else f"; by {runs} runs they are too narrow"


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
