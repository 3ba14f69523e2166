"""WattTime's client: its token, its unit, its points of five minutes, its models."""

import base64
import logging
import traceback
from datetime import timedelta

import pytest
from contract import KEY, make_impatient
from keyed_cases import DAY_END, DAY_START, watttime
from keyed_services import HOUR, NOW, TOKEN, USER, WattTimeService, intensity
from loopback import Answer, serving

from caribou.collectors.series import Signal
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.settings import SourceSettings
from caribou.collectors.sources.watttime import G_PER_KWH, WattTime
from caribou.model.errors import OperationFailedError
from caribou.model.regions import KNOWN_REGIONS

ACCOUNT = base64.b64encode(USER.encode()).decode()


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Nobody waits."""
    return make_impatient(monkeypatch)


def test_history_when_points_come_then_they_are_hours_in_grams_a_kwh():
    """An hour whose point is missing is missing; the end, which WattTime includes, is not."""
    skip = frozenset({DAY_START + 4 * HOUR + timedelta(minutes=35)})
    with serving(WattTimeService(skip=skip)) as there:
        series = watttime(there.url).history("us-east-1", DAY_START, DAY_END)
    assert series.signal is Signal.MARGINAL
    assert [hour.at for hour in series.hours] == [DAY_START + i * HOUR for i in range(24) if i != 4]
    points = [intensity(DAY_START + i * timedelta(minutes=5)) for i in range(12)]
    assert series.hours[0].g_per_kwh == pytest.approx(sum(points) / 12 * 453.59237 / 1000)
    assert pytest.approx(0.45359237) == G_PER_KWH


def test_token_when_it_gets_old_then_another_is_asked_for_before_it_ends(monkeypatch):
    """It is of 30 minutes; the clock is the client's."""
    with serving(service := WattTimeService()) as there:
        feed, now = watttime(there.url), [0.0]
        monkeypatch.setattr(feed._http, "clock", lambda: now[0])
        for now_s, logins in ((0.0, 1), (24 * 60.0, 1), (26 * 60.0, 2)):
            now[0] = now_s
            feed.history("us-east-1", DAY_START, DAY_END)
            assert service.logins == logins


def test_token_when_it_is_refused_then_one_more_is_asked_for_and_no_third():
    """It may have ended before its time; an account that is closed is no reason to log in for ever."""
    with serving(service := WattTimeService(uses=2)) as there:
        feed = watttime(there.url)
        for _ in range(3):
            assert feed.history("us-east-1", DAY_START, DAY_END).hours
        assert service.logins == 2
    with serving(service := WattTimeService(uses=0)) as there:
        with pytest.raises(SourceError) as caught:
            watttime(there.url).history("us-east-1", DAY_START, DAY_END)
        assert caught.value.reason is Reason.REFUSED
        assert (service.logins, len(there.requests)) == (2, 4)


@pytest.mark.parametrize("fault", [Answer.json({"token": f"{TOKEN} \u00fc"}), Answer.json({"detail": USER}, 500)])
def test_secrets_when_anything_goes_wrong_then_neither_password_nor_token_is_shown(fault, caplog):
    """Not in message, traceback, log or the client's own form; nor what the header is made of."""
    caplog.set_level(logging.DEBUG)
    with serving(WattTimeService()) as there:
        feed = watttime(there.url)
        feed.history("us-east-1", DAY_START, DAY_END)
        feed._until_s, there.always = 0.0, fault
        with pytest.raises(SourceError) as caught:
            feed.history("us-east-1", DAY_START, DAY_END)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(vars(feed))
    assert not [secret for secret in (KEY, TOKEN, ACCOUNT) if secret in shown]


@pytest.mark.parametrize("key", [KEY, f":{KEY}", "someone:"])
def test_key_when_it_is_no_pair_then_the_error_says_what_it_has_to_be(key):
    """Without it."""
    settings = SourceSettings("http://127.0.0.1:9", key="ssm:/watttime")
    feed = WattTime(settings, KeyRing("", {"CARIBOU_WATTTIME_KEY": key}))
    with pytest.raises(OperationFailedError, match=r"CARIBOU_WATTTIME_KEY or ssm:/watttime.*USER:PASSWORD") as caught:
        feed.history("us-east-1", DAY_START, DAY_END)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "meta",
    [
        {"units": "percentile"},
        {"units": "kg_co2_per_mwh"},
        {"signal_type": "co2_aoer"},
        {"region": "BPA"},
        {"data_point_period_seconds": 86400},
    ],
)
def test_history_when_an_answer_is_of_another_unit_signal_or_region_then_it_is_refused(meta):
    """An average one is never taken for a marginal one."""
    with serving(WattTimeService(meta=meta)) as there, pytest.raises(SourceError) as caught:
        watttime(there.url).history("us-east-1", DAY_START, DAY_END)
    assert caught.value.reason is Reason.SCHEMA


def test_access_when_a_region_is_not_in_it_then_it_is_not_asked_for():
    """my-access says so of all at once; a zone of the user's choice is named."""
    with serving(WattTimeService(regions=frozenset({"CAISO_NORTH"}))) as there:
        feed = watttime(there.url, us_west_2="BPA_2")
        for region, said in (("us-east-1", "historical co2_moer, by v3/my-access"), ("us-west-2", "zone BPA_2, which")):
            with pytest.raises(SourceError, match=said) as caught:
                feed.history(region, DAY_START, DAY_END)
            assert caught.value.reason is Reason.NOT_IN_PLAN
        assert [request.path for request in there.requests] == ["/login", "/v3/my-access"]
        assert feed.history("us-west-1", DAY_START, DAY_END).hours
    assert [region for region in KNOWN_REGIONS if feed.zone_of(region) is None] == [
        *("ca-west-1", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ap-east-2", "mx-central-1")
    ]


def test_model_when_it_changes_within_a_history_then_both_dates_are_kept():
    """Figures of two models are not one series; who reads the fact sees it."""
    start = DAY_END - timedelta(days=45)
    with serving(WattTimeService(new_model_from=start + timedelta(days=30))) as there:
        feed = watttime(there.url)
        assert len(feed.history("us-east-1", start, DAY_END).hours) == 45 * 24
        assert feed.notes("us-east-1") == {"model_date": "2022-10-01, 2026-02-01"}
        feed.history("us-east-1", DAY_START, DAY_END)
        assert feed.notes("us-east-1") == {"model_date": "2026-02-01"}


def test_forecast_when_asked_then_it_is_of_the_next_three_days():
    """From this hour on."""
    with serving(WattTimeService()) as there:
        series = watttime(there.url).forecast("us-east-1", NOW)
    assert (series.hours[0].at, len(series.hours)) == (DAY_END, 72)
