"""Grid intensity of Europe out of ENTSO-E's Transparency Platform: generation by type, document type A75.

The API: https://transparencyplatform.zendesk.com/hc/en-us/articles/15692855254548 and
https://transparency.entsoe.eu/content/static_content/Static%20content/web%20api/Guide.html (16.1.B&C, codes in its
annex). Of curve types: https://eepublicdownloads.entsoe.eu/clean-documents/EDI/Library/cim_based/
Introduction_of_different_Timeseries_possibilities__curvetypes__with_ENTSO-E_electronic_document_v1.4.pdf
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Literal
from xml.etree.ElementTree import Element

from pydantic import BaseModel, Field, ValidationError

from caribou.collectors.series import HOUR, HourlySeries, Signal
from caribou.collectors.sources.fuel_factors import Fuel
from caribou.collectors.sources.generation import BASIS, Generation
from caribou.collectors.sources.http import HttpClient, Reason
from caribou.collectors.sources.keys import Key
from caribou.collectors.sources.shapes import Moment
from caribou.collectors.sources.spans import WEEK, pieces, whole_weeks
from caribou.collectors.sources.xml_text import XmlError, parsed

ROWS = 1000
"""Where series were cut, without a word, when they had more points (https://github.com/EnergieID/entsoe-py/issues/482):
a week of quarter hours has 672."""
LONGEST = WEEK
_PATH = "api"
_PAUSE_S = 0.15
"""400 requests a minute."""
_TIME = "%Y%m%d%H%M"
_NO_DATA = "No matching data found"
_UNIT = "MAW"
_STEPS = MappingProxyType({"PT15M": timedelta(minutes=15), "PT30M": timedelta(minutes=30), "PT60M": HOUR, "PT1H": HOUR})

ZONES = MappingProxyType(
    {
        "eu-west-1": "IE",
        "eu-west-3": "FR",
        "eu-central-1": "DE",
        "eu-central-2": "CH",
        "eu-north-1": "SE",
        "eu-south-1": "IT-NO",
        "eu-south-2": "ES",
    }
)
"""Region to area, as the packaged profiles have them. Great Britain left in 2021."""
AREAS = MappingProxyType(
    {
        "IE": "10YIE-1001A00010",
        "FR": "10YFR-RTE------C",
        "DE": "10Y1001A1001A83F",
        "CH": "10YCH-SWISSGRIDZ",
        "SE": "10YSE-1--------K",
        "IT-NO": "10Y1001A1001A73I",
        "ES": "10YES-REE------0",
    }
)
"""Their codes, EIC (annex A.15 of the guide). Others are named by their codes."""

FUELS = MappingProxyType(
    {
        "B01": Fuel.BIOMASS,
        "B02": Fuel.LIGNITE,
        "B03": Fuel.COAL_GAS,
        "B04": Fuel.GAS,
        "B05": Fuel.COAL,
        "B06": Fuel.OIL,
        "B07": Fuel.OIL_SHALE,
        "B08": Fuel.PEAT,
        "B09": Fuel.GEOTHERMAL,
        "B10": Fuel.STORAGE,  # pumped
        "B11": Fuel.HYDRO,
        "B12": Fuel.HYDRO,
        "B13": Fuel.MARINE,
        "B14": Fuel.NUCLEAR,
        "B15": Fuel.OTHER,  # renewable
        "B16": Fuel.SOLAR,
        "B17": Fuel.OTHER,  # waste
        "B18": Fuel.WIND_OFFSHORE,
        "B19": Fuel.WIND,
        "B20": Fuel.OTHER,
        "B25": Fuel.STORAGE,
    }
)
"""The codes of `psrType` (annex A.5 of the guide)."""


class _Point(BaseModel):
    position: int = Field(ge=1)
    quantity: float


class _Period(BaseModel):
    start: Moment
    end: Moment
    resolution: Literal["PT15M", "PT30M", "PT60M", "PT1H"]
    points: list[_Point]


class _Series(BaseModel):
    psr_type: str
    unit: str
    curve: Literal["A01", "A03"]
    consumes: bool
    periods: list[_Period]


@dataclass
class EntsoeFeed:
    """Asks an area's generation by type. `key` reads the security token, which ENTSO-E gives to registered users."""

    url: str
    key: Callable[[], Key] = field(repr=False)
    zones: Mapping[str, str] = field(default_factory=dict)
    _notes: dict[str, Mapping[str, object]] = field(default_factory=dict, init=False)

    name = "entsoe"
    origin = "ENTSO-E"
    licence = "CC BY 4.0 (data for free re-use), ENTSO-E Transparency Platform"
    basis = BASIS
    signal = Signal.AVERAGE

    def zone_of(self, region: str) -> str | None:
        """The area: a country, Italy's north, or what a project names."""
        return self._zones.get(region)

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """Hours out of generation by type; those that are not whole yet are left out."""
        zone = self._zones[region]
        by_hour: dict[datetime, dict[str, float]] = {}
        for first, last in pieces(whole_weeks(start, end), end, LONGEST):
            for at, code, mwh in self._hours(zone, first, last):
                by_hour.setdefault(at, {})[code] = mwh
        generation = Generation(by_hour, FUELS)
        self._notes[zone] = generation.notes()
        return generation.series().between(start, end)

    def forecast(self, region: str, now: datetime) -> HourlySeries | None:
        """None: it forecasts solar and wind power alone."""

    def notes(self, region: str) -> Mapping[str, object]:
        """How many hours were left out, and how much of the generation has no factor."""
        return self._notes.get(self._zones[region], {})

    def _hours(self, zone: str, start: datetime, end: datetime) -> Iterator[tuple[datetime, str, float]]:
        """Hour, type and MWh of every hour that the answer has whole."""
        power: dict[tuple[datetime, str], dict[datetime, tuple[timedelta, float]]] = {}
        for series in self._series(zone, start, end):
            for at, step, mw in self._steps(series, start, end):
                hour = at.replace(minute=0, second=0, microsecond=0)
                power.setdefault((hour, series.psr_type), {})[at] = step, mw
        for (hour, code), steps in power.items():
            if sum((step for step, _ in steps.values()), timedelta()) == HOUR:
                yield hour, code, sum(mw * (step / HOUR) for step, mw in steps.values())

    def _series(self, zone: str, start: datetime, end: datetime) -> Iterator[_Series]:
        """What is generated. What pumps and plants take for themselves stands in series of their own: not these."""
        for element in self._document(zone, start, end).iterfind("TimeSeries"):
            try:
                series = _series_in(element)
            except ValidationError as error:
                first = error.errors(include_url=False, include_context=False, include_input=False)[0]
                place = ".".join(map(str, first["loc"]))
                raise self._client.error(Reason.SCHEMA, f"{_PATH}: {place}: {first['msg']}") from None
            if series.psr_type not in FUELS:
                raise self._client.error(Reason.SCHEMA, f"{_PATH}: psrType {series.psr_type!r} is not known")
            if series.unit != _UNIT:
                raise self._client.error(Reason.UNITS, f"{_PATH}: {series.unit!r} and not {_UNIT}")
            if not series.consumes:
                yield series

    def _steps(self, series: _Series, start: datetime, end: datetime) -> Iterator[tuple[datetime, timedelta, float]]:
        """Begin, length and MW of the steps of a series. Curve type A03 has only those that differ from the last."""
        for period in series.periods:
            step = _STEPS[period.resolution]
            values = {point.position: point.quantity for point in period.points}
            last = (period.end - period.start) // step
            if not start - WEEK <= period.start < period.end <= end + WEEK or max(values, default=1) > last:
                raise self._client.error(Reason.SCHEMA, f"{_PATH}: a period or a position outside of what was asked")
            if len(period.points) >= ROWS:
                raise self._client.error(Reason.GARBLED, f"{_PATH}: it is cut at {ROWS} rows")
            value = None
            for position in range(1, last + 1):
                value = values.get(position, value if series.curve == "A03" else None)
                if value is not None:
                    yield period.start + (position - 1) * step, step, value

    def _document(self, zone: str, start: datetime, end: datetime) -> Element:
        body = self._client.body(
            _PATH,
            {
                "documentType": "A75",  # actual generation per type
                "processType": "A16",  # realised
                "in_Domain": AREAS.get(zone, zone),
                "periodStart": f"{start:{_TIME}}",
                "periodEnd": f"{end:{_TIME}}",
            },
        )
        try:
            root = parsed(body)
        except XmlError as error:
            raise self._client.error(Reason.GARBLED, f"{_PATH}: {error}") from None
        if root.tag == "GL_MarketDocument":
            return root
        if root.tag != "Acknowledgement_MarketDocument":
            raise self._client.error(Reason.SCHEMA, f"{_PATH}: {root.tag}")
        if (root.findtext("Reason/text") or "").startswith(_NO_DATA):
            return Element("GL_MarketDocument")
        raise self._client.error(Reason.REQUEST, f"{_PATH}: reason {root.findtext('Reason/code')}")

    @property
    def _zones(self) -> Mapping[str, str]:
        return {**ZONES, **self.zones}

    @cached_property
    def _client(self) -> HttpClient:
        return HttpClient(self.origin, self.url, secrets={"securityToken": self.key().reveal()}, pause_s=_PAUSE_S)


def _series_in(element: Element) -> _Series:
    return _Series.model_validate(
        {
            "psr_type": element.findtext("MktPSRType/psrType"),
            "unit": element.findtext("quantity_Measure_Unit.name"),
            "curve": element.findtext("curveType"),
            "consumes": element.find("outBiddingZone_Domain.mRID") is not None,
            "periods": [_period_in(period) for period in element.iterfind("Period")],
        }
    )


def _period_in(element: Element) -> dict[str, object]:
    return {
        "start": element.findtext("timeInterval/start"),
        "end": element.findtext("timeInterval/end"),
        "resolution": element.findtext("resolution"),
        "points": [
            {"position": point.findtext("position"), "quantity": point.findtext("quantity")}
            for point in element.iterfind("Point")
        ],
    }
