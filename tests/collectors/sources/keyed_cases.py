"""Cases of the clients of Electricity Maps, WattTime and the Carbon Aware SDK, and how tests make these."""

from __future__ import annotations

from datetime import timedelta

from contract import KEY, ClientCase
from keyed_services import NOW, USER, CarbonAwareService, ElectricityMapsService, WattTimeService

from caribou.collectors.series import HourlySeries, Signal
from caribou.collectors.sources.carbon_aware_sdk import CarbonAwareSdk
from caribou.collectors.sources.electricity_maps import ElectricityMaps
from caribou.collectors.sources.feed import CarbonFeed
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.settings import SourceSettings
from caribou.collectors.sources.watttime import WattTime

KEYS = KeyRing("", {"CARIBOU_ELECTRICITY_MAPS_KEY": KEY, "CARIBOU_WATTTIME_KEY": USER})
DAY_END = NOW.replace(minute=0)
DAY_START = DAY_END - timedelta(days=1)


def electricity_maps(url: str, **zones: str) -> ElectricityMaps:
    """A client, with zones of the user's choice."""
    return ElectricityMaps(
        SourceSettings(url, zones={key.replace("_", "-"): zone for key, zone in zones.items()}), KEYS
    )


def watttime(url: str, **zones: str) -> WattTime:
    """The same."""
    return WattTime(SourceSettings(url, zones={key.replace("_", "-"): zone for key, zone in zones.items()}), KEYS)


def carbon_aware(url: str, signal: Signal = Signal.AVERAGE, **zones: str) -> CarbonAwareSdk:
    """The same, of that signal."""
    chosen = {key.replace("_", "-"): zone for key, zone in zones.items()}
    return CarbonAwareSdk(SourceSettings(url, zones=chosen, signal=signal))


def a_day(feed: CarbonFeed) -> HourlySeries:
    """A day of the past of us-east-1; a day without an hour is an error, as it is for who makes facts of it."""
    series = feed.history("us-east-1", DAY_START, DAY_END)
    if not series.hours:
        raise SourceError(feed.origin, Reason.NOTHING)
    return series


CASES = [
    ClientCase("Electricity Maps", ElectricityMapsService(), lambda url: a_day(electricity_maps(url))),
    ClientCase("WattTime", WattTimeService(), lambda url: a_day(watttime(url))),
    ClientCase("Carbon Aware SDK", CarbonAwareService(), lambda url: a_day(carbon_aware(url)), takes_key=False),
]
