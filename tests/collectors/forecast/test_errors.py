"""The tables of errors in docs/forecast.md: made of what had been published, and made again where the raw data is."""

import sys

import numpy as np
import pytest
from builders import ROOT
from scripts import script

from caribou.collectors.forecast.methods import METHODS
from caribou.model.errors import OperationFailedError

RAW = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def forecast():
    """The script that makes them: benchmarks/forecast.py, which imports one beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        return script("forecast")


@pytest.fixture(scope="module")
def origins(forecast):  # noqa: ARG001 - it puts it beside
    """What tries methods: benchmarks/rolling_origins.py."""
    return sys.modules["rolling_origins"]


@pytest.fixture(scope="module")
def grids(origins):
    """Two zones' three years, with a daily cycle and noise."""
    chance = np.random.default_rng(3)
    hours = np.arange(origins.hours_until(2024))
    cycle = 300 + 50 * np.cos(hours * np.pi / 12)
    return origins.Grids(("ONE", "TWO"), np.stack([cycle, cycle / 2]) + chance.uniform(-30, 30, (2, len(hours))))


@pytest.mark.slow
def test_tables_when_the_raw_data_is_at_hand_then_they_are_those_of_the_page(forecast):
    """Nobody edits the figures."""
    if not RAW.is_dir():
        pytest.skip(f"the raw data is not at {RAW}: the tables can't be made again")
    page = forecast.PAGE.read_text(encoding="utf-8")
    for name, table in forecast.tables(forecast.read(RAW)).items():
        assert forecast.put(page, name, table) == page, f"{name}: uv run benchmarks/forecast.py --write"


@pytest.mark.parametrize("origin", [8760, 12_345, 26_000])
def test_window_when_the_future_is_poisoned_then_methods_are_given_the_same(origins, grids, origin):
    """Neither the hours before an origin nor the profile of the year before know what comes."""
    values = grids.values.copy()
    values[:, origin:] = 1e9
    for true, poisoned in zip(
        origins.window(grids, origin), origins.window(origins.Grids(grids.zones, values), origin), strict=True
    ):
        assert true.tobytes() == poisoned.tobytes()


def test_trial_when_a_method_knows_the_answer_then_it_is_never_wrong(origins, grids):
    """And one that says the contrary always is."""
    tried = origins.trial(grids, 2023)
    right = tried.outcome(lambda past, profile: tried.came).week()  # noqa: ARG005 - of a method's shape
    assert right.absolute().max() == right.hour_regret().max() == right.choices().regret.max() == 0
    assert right.choices().right.min() == right.lowest()[0] == 1
    wrong = tried.outcome(lambda past, profile: 600 - tried.came).week()  # noqa: ARG005
    assert wrong.choices().right.max() == wrong.lowest()[0] == 0
    assert wrong.choices().regret[0] == pytest.approx(150, abs=5)


def test_trial_when_a_week_is_not_wholly_known_then_it_does_not_count(origins, grids):
    """What was not published can't be compared."""
    values = grids.values.copy()
    values[0, 20_000:20_100] = np.nan
    tried = origins.trial(origins.Grids(grids.zones, values), 2023)
    counts = tried.outcome(METHODS["persistence"]).counts
    assert 0 < (~counts[:, 0]).sum() < 5
    assert counts[:, 1].all()


def test_profile_when_the_year_before_is_not_there_then_there_is_none(origins, grids):
    """Of 2021 nobody knows what the profile would have been."""
    assert np.isnan(origins.profile_of(grids, 2020)).all()
    assert origins.profile_of(grids, 2021)[0, 5, 0] == pytest.approx(350, abs=15)


def test_forecast_benchmark_when_there_is_no_raw_data_then_it_says_what_it_looks_for(forecast, tmp_path):
    """And how to say where it is."""
    with pytest.raises(OperationFailedError, match=r"has no carbon_2021_2022/\*\.csv and no carbon/\*\.csv"):
        forecast.read(tmp_path)
