"""Answers of services of any shape: hours, or one error of the service's; never a traceback of ours."""

import json
from dataclasses import dataclass

import pytest
from hostile import fuzzed, hostile_json
from hypothesis import given
from hypothesis import strategies as st
from keyed_cases import DAY_END, DAY_START, carbon_aware, electricity_maps, watttime
from keyed_services import CarbonAwareService, ElectricityMapsService, WattTimeService
from loopback import Request

from caribou.collectors.series import HourlySeries
from caribou.collectors.sources.feed import checked
from caribou.collectors.sources.http import HttpClient, SourceError
from caribou.model.printable import printable

CLIENTS = {
    "Electricity Maps": (ElectricityMapsService, electricity_maps),
    "WattTime": (WattTimeService, watttime),
    "Carbon Aware SDK": (CarbonAwareService, carbon_aware),
}


@dataclass
class Asked:
    """A service without a network; the answer to one request in its turn is damaged, or to all."""

    service: object
    data: st.DataObject
    turn: int
    count: int = 0

    def body(self, client, path, query=None, headers=None):
        """A body, as HttpClient.body has it."""
        sent = {name.lower(): value for name, value in {**client.headers, **(headers or {})}.items()}
        right = self.service(Request(f"/{path}", query or {}, sent)).body
        self.count += 1
        if self.count != self.turn:
            return right
        document = json.loads(right)
        for key in ("data", "history", "forecast"):  # a few hours are as good as many
            if isinstance(document, dict) and key in document:
                document[key] = document[key][:3]
        document = document[:3] if isinstance(document, list) else document
        return self.data.draw(hostile_json(document)).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", CLIENTS)
@fuzzed
@given(data=st.data(), turn=st.integers(1, 3))
def test_answer_when_damaged_then_it_is_hours_or_one_error_that_can_be_printed(name, data, turn):
    """Hours that come out can be checked; what an error says is short, and of the service."""
    service, make = CLIENTS[name]
    feed = make("http://127.0.0.1:9")
    with pytest.MonkeyPatch.context() as patch:
        asked = Asked(service(), data, turn)
        patch.setattr(HttpClient, "body", lambda *given: asked.body(*given))  # noqa: PLW0108 - it binds the client
        try:
            for series in (feed.history("us-east-1", DAY_START, DAY_END), feed.forecast("us-east-1", DAY_END)):
                assert isinstance(series, HourlySeries)
                checked(series, feed, "us-east-1")
        except SourceError as error:
            assert len(printable(str(error)).encode()) < 1_000  # noqa: PT017 - either outcome is right
