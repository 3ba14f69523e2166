"""docs/figures.md, what the figures mean: the values that it says are assumed are those of the code."""

import re
from statistics import NormalDist

import pytest
from builders import ROOT

from caribou.collectors.edges import ASSUMED_DELIVERY_S
from caribou.collectors.observed import NEWEST_RUNS
from caribou.collectors.sources.snapshot import CPU_KW_PER_VCPU, MEMORY_KW_PER_GB
from caribou.collectors.summary import ASSUMED_SEND_S
from caribou.control.plan.problem import CARBON_MODEL
from caribou.model.bill import LAMBDAS_LINES_BYTES, LOG_USD_PER_GB
from caribou.model.standing import FACTS, LOG_COLLECTION, SWEEPER
from caribou.model.verdict import ENOUGH_RUNS
from caribou.solver.simulation.carbon_and_cost import MB_PER_VCPU
from caribou.solver.simulation.cold_starts import IDLE_S
from caribou.solver.simulation.corners import INTENSITIES, TRANSMISSION
from caribou.solver.simulation.observed_runs import INITIAL_WINDOW_KB
from caribou.solver.simulation.region_speed import PRIOR_SD

PAGE = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
VALUES = {
    **{
        f"power of a vCPU, {architecture}": (f"{power.idle * 1e3:g} W", f"{power.full * 1e3:g} W")
        for architecture, power in CPU_KW_PER_VCPU.items()
    },
    "a vCPU": (f"{MB_PER_VCPU:,.0f} MB",),
    "energy of data between regions": (
        f"{CARBON_MODEL['transmission_kwh_per_gb']:g} kWh/GB",
        f"to {max(between for between, _ in TRANSMISSION):g}",
    ),
    "energy of data inside a region": (
        f"{CARBON_MODEL['intra_region_kwh_per_gb']:g};",
        f"{max(inside for _, inside in TRANSMISSION):g}",
    ),
    "intensity of an unknown end": (f"{CARBON_MODEL['unknown_route_g_per_kwh']:g} g/kWh",),
    "regions run as fast as each other": (f"within {PRIOR_SD:.0%}".replace("%", " %"),),
    "round trips to an endpoint": (f"{INITIAL_WINDOW_KB:g} KB",),
    "idle time after which Lambda ends a process": (f"{IDLE_S / 60:g} minutes",),
    "notices of skips, hops that were never seen": (f"{ASSUMED_DELIVERY_S:g} s", f"{ASSUMED_SEND_S:g} s"),
    "what the sweeper and the collectors take": (
        f"{SWEEPER.seconds:g} s a sweep",
        f"{FACTS.seconds:g} s a collector of facts",
        f"{LOG_COLLECTION.seconds:g} s a log collection",
    ),
    "price of logs": (f"{LOG_USD_PER_GB:g} USD/GB", f"{LAMBDAS_LINES_BYTES} bytes"),
    "verdict": (f"below {ENOUGH_RUNS} runs",),
    "which calls are made, which share of runs moves": (f"newest {NEWEST_RUNS} whole runs",),
}
"""What a row has to say, by its first cell."""


@pytest.mark.parametrize("what", VALUES)
def test_figures_when_a_row_has_a_value_then_it_is_the_one_that_counts(what):
    """A constant that changes and a page that does not would mislead whoever doubts a figure."""
    (row,) = re.findall(rf"^\| {re.escape(what)} \|(.*)$", PAGE, re.MULTILINE)
    assert [value for value in VALUES[what] if value not in row] == []


def test_figures_when_they_say_six_corners_then_there_are_six():
    """Three energies of data, two kinds of intensity; and memory takes nothing on top."""
    assert len(TRANSMISSION) * len(INTENSITIES) == 6
    assert MEMORY_KW_PER_GB == 0


def test_figures_when_a_tail_is_bounded_then_from_as_many_runs_as_the_page_says():
    """A distribution-free upper bound of a 95th percentile: 0.95 ** n falls below 5 %."""
    least = next(n for n in range(1, 1000) if 0.95**n <= 0.05)
    assert f"from {least} runs on" in PAGE
    assert NormalDist().inv_cdf(0.975) * PRIOR_SD == pytest.approx(0.10, abs=0.005)
