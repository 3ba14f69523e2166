"""The Carbon Aware SDK's client: durations, what has no data, and the signal that nobody guesses."""

from datetime import timedelta

import pytest
from contract import make_impatient
from keyed_cases import DAY_END, DAY_START, carbon_aware
from keyed_services import HOUR, NOW, CarbonAwareService, intensity
from loopback import serving

from caribou.collectors.series import Signal
from caribou.collectors.sources.carbon_aware_sdk import CarbonAwareSdk
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.settings import SourceSettings
from caribou.model.errors import InvalidInputError


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Nobody waits."""
    return make_impatient(monkeypatch)


@pytest.mark.parametrize("minutes", [60, 30, 5])
def test_history_when_samples_last_so_long_then_hours_are_their_means(minutes):
    """Electricity Maps' are hours, WattTime's five minutes; the signal is the settings'."""
    with serving(CarbonAwareService(minutes=minutes)) as there:
        series = carbon_aware(there.url, Signal.MARGINAL).history("us-east-1", DAY_START, DAY_END)
    step = timedelta(minutes=minutes)
    first = [intensity(DAY_START + i * step) for i in range(60 // minutes)]
    assert (series.signal, len(series.hours)) == (Signal.MARGINAL, 24)
    assert series.hours[0].g_per_kwh == pytest.approx(sum(first) / len(first))


def test_history_when_it_has_nothing_of_some_days_then_the_others_are_given():
    """It answers 204 where there is nothing."""
    with serving(CarbonAwareService(empty_before=DAY_START)) as there:
        series = carbon_aware(there.url).history("us-east-1", DAY_END - timedelta(days=28), DAY_END)
        assert len(there.requests) == 3
    assert [hour.at for hour in series.hours] == [DAY_START + i * HOUR for i in range(24)]


def test_location_when_it_has_another_name_there_then_the_users_file_says_it():
    """And is blamed, if there is none of that name."""
    with serving(CarbonAwareService(locations=frozenset({"virginia"}))) as there:
        feed = carbon_aware(there.url, us_east_1="virginia", us_west_1="california")
        assert feed.history("us-east-1", DAY_START, DAY_END).hours
        assert feed.notes("us-east-1") == {"location": "virginia"}
        with pytest.raises(SourceError, match=r"zone california, which caribou:source_zones names for us-west-1"):
            feed.history("us-west-1", DAY_START, DAY_END)


def test_forecast_when_its_data_source_has_none_then_there_is_none():
    """501 is no fault; 500 is one."""
    with serving(CarbonAwareService(minutes=30)) as there:
        assert len(carbon_aware(there.url).forecast("us-east-1", NOW).hours) == 24
    with serving(CarbonAwareService(forecasts=False)) as there:
        assert carbon_aware(there.url).forecast("us-east-1", NOW) is None
        with pytest.raises(SourceError) as caught:
            carbon_aware(there.url).forecast("eu-west-1", NOW)
    assert caught.value.reason is Reason.REQUEST


@pytest.mark.parametrize("settings", [SourceSettings(url="http://x"), SourceSettings(signal=Signal.AVERAGE)])
def test_client_when_it_is_not_said_where_it_is_or_what_it_gives_then_it_is_refused(settings):
    """Average and marginal differ by more than what a move saves."""
    with pytest.raises(InvalidInputError, match=r"caribou:source_signals"):
        CarbonAwareSdk(settings)
