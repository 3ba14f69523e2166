"""A case for each client of a service."""

from __future__ import annotations

from datetime import UTC, datetime

from aws_price_list import price_list
from contract import KEY, ClientCase
from grid_cases import CASES as GRIDS
from keyed_cases import CASES as KEYED
from loopback import Answer
from pydantic import BaseModel

from caribou.collectors.sources.cloudping import CloudPing
from caribou.collectors.sources.http import HttpClient, Reason
from caribou.collectors.sources.price_list import PriceList
from caribou.model.regions import KNOWN_REGIONS


class Figures(BaseModel):
    """What the service of this file answers."""

    unit: str
    values: list[float]


def _figures(request):
    """A service that wants a key in its query."""
    assert request.query["key"] == KEY
    return Answer.json({"unit": "g", "values": [1.0, 2.5]})


def _ask(url):
    """A client that is nothing but the shared one."""
    client = HttpClient("Figures", url, secrets={"key": KEY})
    found = client.json("figures", Figures, {"day": "1"})
    if not found.values:
        raise client.error(Reason.NOTHING)
    return found


def _latencies(request):
    """CloudPing's matrix of two regions."""
    data = {"us-east-1": {"us-east-1": 5.35, "us-west-2": 64.27}, "us-west-2": {"us-east-1": 64.31}}
    return Answer.json({"metadata": {**request.query, "unit": "milliseconds"}, "data": data})


def _ask_cloudping(url):
    """All regions' round trips."""
    return CloudPing(HttpClient("CloudPing", url)).collect(datetime(2026, 7, 1, tzinfo=UTC), KNOWN_REGIONS)


def _price_list(url):
    """The prices of a region, out of eight files."""
    return PriceList.at(url).prices("us-west-1")


CASES = [
    ClientCase("shared", _figures, _ask),
    ClientCase("cloudping", _latencies, _ask_cloudping, takes_key=False),
    *KEYED,
    *GRIDS,
    ClientCase("price_list", price_list(), _price_list, takes_key=False),
]
