"""Grid intensity of the United States out of EIA-930: each balancing authority's generation by fuel, hour by hour.

The API: https://www.eia.gov/opendata/documentation.php. The form: https://www.eia.gov/electricity/gridmonitor/about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType

from pydantic import BaseModel, Field

from caribou.collectors.series import HOUR, HourlySeries, Signal
from caribou.collectors.sources.fuel_factors import Fuel
from caribou.collectors.sources.generation import BASIS, Generation
from caribou.collectors.sources.http import HttpClient, Reason, SourceError
from caribou.collectors.sources.keys import Key
from caribou.collectors.sources.spans import whole_weeks

ROWS_A_CALL = 5000
"""The most that one call gives as JSON (the documentation, "Maximum row returns")."""
UNSETTLED = 2 * HOUR
"""The newest hours come in fuel by fuel, and some of their figures are first estimates."""
_PATH = "v2/electricity/rto/fuel-type-data/data/"
_UNIT = "megawatthours"
_PERIOD = "%Y-%m-%dT%H"

ZONES = MappingProxyType({"us-east-1": "PJM", "us-east-2": "PJM", "us-west-1": "CISO", "us-west-2": "PACW"})
"""Region to balancing authority, as the packaged profiles have them."""
_CONTESTED = MappingProxyType({"us-west-2": "is taken as PACW, others name BPAT"})
"""What is said of a region whose authority is not certain (docs/data.md), unless a project has chosen one."""

FUELS = MappingProxyType(
    {
        "COL": Fuel.COAL,
        "NG": Fuel.GAS,
        "OIL": Fuel.OIL,
        "NUC": Fuel.NUCLEAR,
        "WAT": Fuel.HYDRO,
        "SUN": Fuel.SOLAR,
        "SNB": Fuel.SOLAR,  # with a battery of its own
        "WND": Fuel.WIND,
        "WNB": Fuel.WIND,  # with a battery of its own
        "GEO": Fuel.GEOTHERMAL,
        "PS": Fuel.STORAGE,
        "BAT": Fuel.STORAGE,
        "OES": Fuel.STORAGE,
        "UES": Fuel.STORAGE,
        "OTH": Fuel.OTHER,
        "UNK": Fuel.OTHER,
    }
)
"""The facet `fueltype`, as https://api.eia.gov/v2/electricity/rto/fuel-type-data/facet/fueltype lists it."""


class _Row(BaseModel):
    period: str
    """The hour's end, UTC: 2026-03-01T05 is the hour from four to five."""
    fueltype: str
    value: float | None
    """MWh, as a text; below zero where storage is filled."""
    unit: str = Field(alias="value-units")


class _Page(BaseModel):
    total: int
    """Rows of all pages."""
    data: list[_Row]


class _Answer(BaseModel):
    response: _Page


@dataclass
class EiaFeed:
    """Asks a balancing authority's generation by fuel. `key` reads the key, which EIA gives to anybody for free."""

    url: str
    key: Callable[[], Key] = field(repr=False)
    zones: Mapping[str, str] = field(default_factory=dict)
    _notes: dict[str, Mapping[str, object]] = field(default_factory=dict, init=False)

    name = "eia"
    origin = "EIA-930"
    licence = "public domain, U.S. Energy Information Administration"
    basis = BASIS
    signal = Signal.AVERAGE

    def zone_of(self, region: str) -> str | None:
        """The balancing authority."""
        return self._zones.get(region)

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """Hours out of generation by fuel; those that are not whole yet are left out, the newest two always."""
        zone = self._zones[region]
        rows = self._rows(zone, whole_weeks(start, end), end + UNSETTLED)
        by_hour: dict[datetime, dict[str, float]] = {}
        for row in rows:
            if row.value is not None:
                by_hour.setdefault(self._hour(row), {})[row.fueltype] = row.value
        settled = max(by_hour, default=end) - UNSETTLED
        generation = Generation({at: mwh for at, mwh in by_hour.items() if at <= settled and at < end}, FUELS)
        self._notes[zone] = generation.notes()
        return generation.series().between(start, end)

    def forecast(self, region: str, now: datetime) -> HourlySeries | None:
        """None: EIA has forecasts of demand alone."""

    def notes(self, region: str) -> Mapping[str, object]:
        """How many hours were left out, and how much of the generation has no factor."""
        contested = "" if region in self.zones else _CONTESTED.get(region, "")
        return {**self._notes.get(self._zones[region], {}), "contested": contested}

    def _rows(self, zone: str, start: datetime, end: datetime) -> list[_Row]:
        rows: list[_Row] = []
        while True:
            page = self._page(zone, start, end, len(rows))
            if page.total > len(FUELS) * ((end - start) // HOUR + 1):
                raise self._client.error(Reason.SCHEMA, f"{_PATH}: {page.total} rows, more than there can be")
            rows += page.data
            if not page.data or len(rows) >= page.total:
                return rows

    def _page(self, zone: str, start: datetime, end: datetime, offset: int) -> _Page:
        try:
            return self._client.json(_PATH, _Answer, _query(zone, start, end, offset)).response
        except SourceError as error:
            if error.reason is Reason.NOT_IN_PLAN:  # it has no plans: so it answers API_KEY_INVALID and API_KEY_MISSING
                raise self._client.error(Reason.REFUSED, f"{_PATH}: HTTP 403") from None
            raise

    def _hour(self, row: _Row) -> datetime:
        if row.fueltype not in FUELS:
            raise self._client.error(Reason.SCHEMA, f"{_PATH}: fueltype {row.fueltype!r} is not known")
        if row.unit != _UNIT:
            raise self._client.error(Reason.UNITS, f"{_PATH}: {row.unit!r} and not {_UNIT}")
        try:
            return datetime.strptime(row.period, _PERIOD).replace(tzinfo=UTC) - HOUR
        except (ValueError, OverflowError):
            raise self._client.error(Reason.SCHEMA, f"{_PATH}: period {row.period!r} is no hour") from None

    @property
    def _zones(self) -> Mapping[str, str]:
        return {**ZONES, **self.zones}

    @cached_property
    def _client(self) -> HttpClient:
        return HttpClient(self.origin, self.url, secrets={"api_key": self.key().reveal()})


def _query(zone: str, start: datetime, end: datetime, offset: int) -> dict[str, str]:
    """Both ends are hours' ends, and the last one counts. In an order that is the same at every page."""
    return {
        "frequency": "hourly",
        "data[0]": "value",
        "facets[respondent][]": zone,
        "start": f"{start + HOUR:{_PERIOD}}",
        "end": f"{end:{_PERIOD}}",
        "sort[0][column]": "period",
        "sort[0][direction]": "asc",
        "sort[1][column]": "fueltype",
        "sort[1][direction]": "asc",
        "offset": str(offset),
        "length": str(ROWS_A_CALL),
    }
