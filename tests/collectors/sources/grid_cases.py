"""Cases of the clients of grids' services, and how tests ask these."""

from __future__ import annotations

from datetime import UTC, datetime

import grid_services
from contract import KEY, ClientCase

from caribou.collectors.sources.eco2mix import Eco2mixFeed
from caribou.collectors.sources.eia import EiaFeed
from caribou.collectors.sources.energy_charts import EnergyChartsFeed
from caribou.collectors.sources.entsoe import EntsoeFeed
from caribou.collectors.sources.gsf import GsfTable
from caribou.collectors.sources.http import Reason, SourceError
from caribou.collectors.sources.keys import Key
from caribou.collectors.sources.neso import NesoFeed


def a_day(feed, region):
    """A day of a feed's hours."""
    series = feed.history(region, datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))
    if not series.hours:
        raise SourceError(feed.origin, Reason.NOTHING)
    return series


def key():
    """The key that services want."""
    return Key(KEY)


NO_JSON = frozenset({"nulls", "other keys"})
"""These faults are JSON's: what other formats make of them is tried in their own tests."""

CASES = [
    ClientCase(
        "eia",
        grid_services.Eia(),
        lambda url: a_day(EiaFeed(url, key), "us-east-1"),
        may_lack=frozenset({"403"}),  # a key that is refused, tried in test_eia.py
    ),
    ClientCase(
        "entsoe", grid_services.Entsoe(), lambda url: a_day(EntsoeFeed(url, key), "eu-central-1"), may_lack=NO_JSON
    ),
    ClientCase("neso", grid_services.Neso(), lambda url: a_day(NesoFeed(url), "eu-west-2"), takes_key=False),
    ClientCase(
        "energy_charts",
        grid_services.EnergyCharts(),
        lambda url: a_day(EnergyChartsFeed(url), "eu-central-1"),
        takes_key=False,
    ),
    ClientCase("eco2mix", grid_services.Odre(), lambda url: a_day(Eco2mixFeed(url), "eu-west-3"), takes_key=False),
    ClientCase(
        "gsf",
        grid_services.Gsf(),
        lambda url: GsfTable(url).collect(datetime(2026, 3, 3, tzinfo=UTC), ["eu-central-1"]),
        takes_key=False,
        may_lack=NO_JSON,
    ),
]
