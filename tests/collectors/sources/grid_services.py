"""Grids' services as their documentation has them: each answers for any time, and may be given figures and gaps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from urllib.parse import unquote

from contract import KEY
from loopback import Answer, Request

HOUR = timedelta(hours=1)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
EIA_MWH = {"BAT": -100, "COL": 2000, "NG": 4000, "NUC": 3000, "OTH": 100, "PS": -900, "SUN": 0, "WAT": 500, "WND": 1500}
ENTSOE_MW = {"B02": 200.0, "B04": 300.0, "B10": 50.0, "B14": 400.0, "B16": 0.0, "B19": 600.0, "B20": 30.0}


def times(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    """From the first step at or after `start` to before `end`."""
    at = start + (LONG_AGO - start) % step
    while at < end:
        yield at
        at += step


@dataclass
class Eia:
    """https://www.eia.gov/opendata/documentation.php: 5,000 rows a call, numbers as texts, hours by their ends."""

    mwh: Callable[[datetime, str], float | None] = lambda _, fuel: EIA_MWH[fuel]
    """Hour's begin and fuel to MWh; None for null."""
    has: Callable[[datetime, str], bool] = lambda *_: True
    """Whether there is a row at all."""
    newest: datetime = FAR
    unit: str = "megawatthours"

    def __call__(self, request: Request) -> Answer:
        """A page of rows."""
        query = request.query
        assert request.path == "/v2/electricity/rto/fuel-type-data/data/"
        assert (query["api_key"], query["frequency"], query["data[0]"]) == (KEY, "hourly", "value")
        first, last = (datetime.strptime(query[key], "%Y-%m-%dT%H").replace(tzinfo=UTC) for key in ("start", "end"))
        rows = [
            self._row(end, fuel, query["facets[respondent][]"])
            for end in times(first, min(last, self.newest + HOUR) + HOUR, HOUR)
            for fuel in sorted(EIA_MWH)
            if self.has(end - HOUR, fuel)
        ]
        offset, length = int(query["offset"]), min(int(query["length"]), 5000)
        page = {"total": str(len(rows)), "dateFormat": 'YYYY-MM-DD"T"HH24', "data": rows[offset : offset + length]}
        return Answer.json({"response": page, "request": {"command": request.path}, "apiVersion": "2.1.9"})

    def _row(self, end: datetime, fuel: str, respondent: str) -> dict[str, object]:
        value = self.mwh(end - HOUR, fuel)
        return {
            "period": f"{end:%Y-%m-%dT%H}",
            "respondent": respondent,
            "respondent-name": "An authority",
            "fueltype": fuel,
            "type-name": "A fuel",
            "value": None if value is None else str(value),
            "value-units": self.unit,
        }


@dataclass
class Neso:
    """https://carbon-intensity.github.io/api-definitions: 14 days a call, with the half hour before the first."""

    now: datetime = FAR
    actual: Callable[[datetime], float | None] = lambda at: 100.0 + at.hour

    def __call__(self, request: Request) -> Answer:
        """The half hours of a path, of Great Britain or one of its regions, which have no actual values."""
        path = unquote(request.path)
        found = re.fullmatch(r"(/regional)?/intensity/([^/]+)/([^/]+)(?:/regionid/(\d+))?", path)
        assert found, path
        start = _time(found[2])
        end = start + timedelta(hours=48) if found[3] == "fw48h" else _time(found[3])
        if end - start > timedelta(days=14):
            return Answer.json({"error": {"code": "400 Bad Request", "message": "The date range is too long"}}, 400)
        half = timedelta(minutes=30)
        rows = [self._row(at, at + half, regional=bool(found[4])) for at in times(start - half, end, half)]
        if found[4]:
            return Answer.json({"data": {"regionid": int(found[4]), "shortname": "London", "data": rows}})
        return Answer.json({"data": rows})

    def _row(self, start: datetime, end: datetime, *, regional: bool) -> dict[str, object]:
        actual = self.actual(start) if start < self.now else None
        figures: dict[str, object] = {"forecast": 200 + start.hour, "actual": actual, "index": "moderate"}
        if regional:
            del figures["actual"]
        return {"from": f"{start:%Y-%m-%dT%H:%MZ}", "to": f"{end:%Y-%m-%dT%H:%MZ}", "intensity": figures}


@dataclass
class EnergyCharts:
    """https://api.energy-charts.info: hours of Sweden and Italy, quarter hours of the others, both ends included."""

    now: datetime = FAR
    measured: Callable[[datetime], float | None] = lambda at: 300.0 + at.minute
    deprecated: bool = False

    def __call__(self, request: Request) -> Answer:
        """What was measured before now, and what is forecast from then on."""
        assert request.path == "/co2eq"
        query = request.query
        if query["country"] not in {"ie", "fr", "de", "ch", "se", "it", "es", "nl"}:
            return Answer(b"'xx' is not the code for an available country.", 400)
        step = HOUR if query["country"] in {"se", "it"} else timedelta(minutes=15)
        own = list(times(_time(query["start"]), _time(query["end"]) + timedelta(seconds=1), step))
        return Answer.json(
            {
                "unix_seconds": [int(at.timestamp()) for at in own],
                "co2eq": [self.measured(at) if at < self.now else None for at in own],
                "co2eq_forecast": [None if at < self.now else 400.0 for at in own],
                "deprecated": self.deprecated,
            }
        )


@dataclass
class Odre:
    """https://odre.opendatasoft.com: the real-time data by quarter hours, older ones by half hours."""

    real_time_from: datetime = LONG_AGO
    zone: timedelta = timedelta(0)
    """The offset in which times are written."""
    taux: Callable[[datetime], float | None] = lambda at: 20.0 + at.hour

    def __call__(self, request: Request) -> Answer:
        """The export of a dataset: every quarter hour, with null where there is no figure."""
        dataset = request.path.split("/")[-3]
        assert request.path == f"/api/explore/v2.1/catalog/datasets/{dataset}/exports/json"
        where = re.fullmatch(r"date_heure >= '(.+)' and date_heure < '(.+)'", request.query["where"])
        assert where
        start, end = (datetime.fromisoformat(text) for text in where.groups())
        real_time = {"eco2mix-national-tr": True, "eco2mix-national-cons-def": False}[dataset]
        quarter = timedelta(minutes=15)
        rows = [
            {"date_heure": self._local(at), "taux_co2": self.taux(at) if real_time or at.minute % 30 == 0 else None}
            for at in times(start, end, quarter)
            if (at >= self.real_time_from) == real_time
        ]
        return Answer.json(rows)

    def _local(self, at: datetime) -> str:
        return (at + self.zone).replace(tzinfo=None).isoformat() + f"+{self.zone // HOUR:02}:00"


@dataclass
class Entsoe:
    """The Transparency Platform's A75: a document of series by type, each of one period; no data is HTTP 200 too."""

    step: str = "PT60M"
    curve: str = "A03"
    newest: datetime = FAR
    power: Callable[[datetime, str], float | None] = lambda _, code: ENTSOE_MW[code]
    more: str = ""
    """Series of its own."""
    acknowledged: str = ""
    """The text of an acknowledgement in the document's place."""

    def __call__(self, request: Request) -> Answer:
        """The document of a span."""
        query = request.query
        assert (request.path, query["securityToken"]) == ("/api", KEY)
        assert (query["documentType"], query["processType"]) == ("A75", "A16")
        start, end = (
            datetime.strptime(query[key], "%Y%m%d%H%M").replace(tzinfo=UTC) for key in ("periodStart", "periodEnd")
        )
        if self.acknowledged:
            return acknowledgement(self.acknowledged)
        if start >= self.newest:
            return acknowledgement("No matching data found for Data item AGGREGATED_GENERATION_PER_TYPE_R3 [16.1.B&C]")
        end = min(end, self.newest)
        own = "".join(self._series(start, end, code) for code in ENTSOE_MW)
        return document(own + self.more)

    def _series(self, start: datetime, end: datetime, code: str) -> str:
        step = timedelta(minutes=int(self.step[2:-1]))
        values = [self.power(at, code) for at in times(start, end, step)]
        return series(code, period(start, end, self.step, values, self.curve), self.curve)


def period(start: datetime, end: datetime, step: str, values: list[float | None], curve: str) -> str:
    """A period; of curve A03 only the points that differ from the one before. None has no point."""
    points, before = "", None
    for position, value in enumerate(values, start=1):
        if value is not None and (curve == "A01" or value != before):
            points += f"<Point><position>{position}</position><quantity>{value}</quantity></Point>"
        before = value
    interval = f"<timeInterval><start>{start:%Y-%m-%dT%H:%MZ}</start><end>{end:%Y-%m-%dT%H:%MZ}</end></timeInterval>"
    return f"<Period>{interval}<resolution>{step}</resolution>{points}</Period>"


def series(code: str, periods: str, curve: str = "A03", domain: str = "inBiddingZone_Domain", unit: str = "MAW") -> str:
    """A series of a type: generation into a zone, or, with `outBiddingZone_Domain`, consumption out of it."""
    return (
        "<TimeSeries><mRID>1</mRID><businessType>A01</businessType><objectAggregation>A08</objectAggregation>"
        f'<{domain}.mRID codingScheme="A01">10Y1001A1001A83F</{domain}.mRID>'
        f"<quantity_Measure_Unit.name>{unit}</quantity_Measure_Unit.name><curveType>{curve}</curveType>"
        f"<MktPSRType><psrType>{code}</psrType></MktPSRType>{periods}</TimeSeries>"
    )


def document(all_series: str) -> Answer:
    """A GL_MarketDocument."""
    name = "urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0"
    text = f'<?xml version="1.0" encoding="UTF-8"?><GL_MarketDocument xmlns="{name}"><type>A75</type>{all_series}'
    return Answer(f"{text}</GL_MarketDocument>".encode(), headers={"Content-Type": "text/xml"})


def acknowledgement(text: str) -> Answer:
    """What stands in a document's place, with HTTP 200: code 999 for all."""
    name = "urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"
    reason = f"<Reason><code>999</code><text>{escape(text)}</text></Reason>"
    body = f'<Acknowledgement_MarketDocument xmlns="{name}">{reason}</Acknowledgement_MarketDocument>'
    return Answer(body.encode(), headers={"Content-Type": "text/xml"})


GSF_COLUMNS = (
    "year,cloud-provider,cloud-region,em-zone-id,location,geolocation,grid-carbon-intensity-average-consumption-annual,"
    "grid-carbon-intensity-marginal-consumption-annual,grid-carbon-intensity"
)
GSF_ROWS = (
    '2025,Amazon Web Services,eu-central-1,DE,Europe (Frankfurt),"50.1,8.6 ",,741.71,742.0',
    '2024,Google Cloud,europe-west3,DE,Frankfurt,"50.1,8.6",0.0,731.22,731',
    '2023,Amazon Web Services,eu-central-1,DE,Europe (Frankfurt),"50.1,8.6 ",370.93,731.22,',
    '2022,Amazon Web Services,eu-central-1,DE,Europe (Frankfurt),"50.1,8.6 ",474.46,741.71,742.0',
    '2024,Amazon Web Services,us-west-2,US-NW-BPAT,US West (Oregon),"45.5,-122.6 ",119.76,476.66,477',
    '2024,Amazon Web Services,ca-west-1,,Canada West (Calgary),"51.0,-114.0",,,',
)


@dataclass
class Gsf:
    """The table of the Green Software Foundation."""

    columns: str = GSF_COLUMNS
    rows: tuple[str, ...] = GSF_ROWS

    def __call__(self, request: Request) -> Answer:
        """The file."""
        assert request.path == "/Cloud_Region_Metadata.csv"
        return Answer("\n".join((self.columns, *self.rows, "")).encode(), headers={"Content-Type": "text/plain"})


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
