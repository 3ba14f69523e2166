"""A case for each client of a service."""

from __future__ import annotations

from contract import KEY, ClientCase
from keyed_cases import CASES as KEYED
from loopback import Answer
from pydantic import BaseModel

from caribou.collectors.sources.http import HttpClient, Reason


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


CASES = [ClientCase("shared", _figures, _ask), *KEYED]
