"""What grids' services answer, of any shape: hours, or one clear error that names the service."""

import json
from datetime import UTC, datetime
from unittest.mock import patch

import grid_services
import pytest
from contract import KEY
from grid_cases import key
from hostile import LINES, fuzzed, hostile_json
from hypothesis import given
from hypothesis import strategies as st
from loopback import Request

from caribou.collectors.series import HourlySeries
from caribou.collectors.sources.eco2mix import Eco2mixFeed
from caribou.collectors.sources.eia import EiaFeed
from caribou.collectors.sources.energy_charts import EnergyChartsFeed
from caribou.collectors.sources.entsoe import EntsoeFeed
from caribou.collectors.sources.gsf import GsfTable
from caribou.collectors.sources.http import HttpClient, SourceError
from caribou.collectors.sources.neso import NesoFeed

START, END = datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 3, 6, tzinfo=UTC)
JSON = {
    "eia": (grid_services.Eia(has=lambda _, fuel: fuel == "NG"), EiaFeed("", key), "us-east-1"),
    "neso": (grid_services.Neso(), NesoFeed(""), "eu-west-2"),
    "energy_charts": (grid_services.EnergyCharts(), EnergyChartsFeed(""), "eu-central-1"),
    "eco2mix": (grid_services.Odre(), Eco2mixFeed(""), "eu-west-3"),
}
PARTS = (*LINES, "&a;", "<Point>", "]]>", "9999-12-31T23:00Z", "0001-01-01T00:00Z", "1e400", "-1", '"')


def asked(service, damage, ask):
    """What comes of a question whose answers are damaged: a value, or None for a clear error."""

    def body(self, path, query=None, _=None):
        return damage(service(Request(f"/{path}", {**(query or {}), **self.secrets}, {})).body)

    try:
        with patch.object(HttpClient, "body", body):
            return ask()
    except SourceError as error:
        assert len(str(error)) < 400  # noqa: PT017 - either outcome is right
        assert KEY not in str(error)  # noqa: PT017
        return None


@pytest.mark.parametrize("name", JSON)
@fuzzed
@given(data=st.data())
def test_answer_when_damaged_then_it_is_hours_or_one_clear_error(name, data):
    """JSON of the documented shape, of which some parts are gone, or are what they can't be."""
    service, feed, region = JSON[name]

    def damage(body):
        return data.draw(hostile_json(json.loads(body))).encode()

    found = asked(service, damage, lambda: feed.history(region, START, END))
    assert found is None or isinstance(found, HourlySeries)


@st.composite
def damaged(draw, text):
    """A text of which one to three parts are others."""
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(text)))
        last = min(first + draw(st.integers(0, 40)), len(text))
        text = (
            text[:first] + draw(st.sampled_from([*LINES, "&a;", "<Point>", "]]>", "9999-12-31T23:00Z"])) + text[last:]
        )
    return text


@fuzzed
@given(data=st.data())
def test_document_when_damaged_then_it_is_hours_or_one_clear_error(data):
    """XML."""
    feed = EntsoeFeed("", key)

    def damage(body):
        return data.draw(damaged(body.decode())).encode(errors="surrogatepass")

    found = asked(grid_services.Entsoe(), damage, lambda: feed.history("eu-central-1", START, END))
    assert found is None or isinstance(found, HourlySeries)


@fuzzed
@given(data=st.data())
def test_table_when_damaged_then_it_is_facts_or_one_clear_error(data):
    """CSV."""

    def damage(body):
        return data.draw(damaged(body.decode())).encode(errors="surrogatepass")

    found = asked(grid_services.Gsf(), damage, lambda: GsfTable("").collect(START, ["eu-central-1", "us-west-2"]))
    assert found is None or set(found.bodies) <= {"eu-central-1", "us-west-2"}
