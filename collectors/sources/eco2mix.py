"""Grid intensity of France as its system operator, RTE, publishes it in éCO2mix on ODRÉ, without a key.

The data: https://odre.opendatasoft.com/explore/dataset/eco2mix-national-tr. The API:
https://help.opendatasoft.com/apis/ods-explore-v2/explore_v2.1.html. What it counts:
https://www.rte-france.com/eco2mix/les-emissions-de-co2-par-kwh-produit-en-france.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from pydantic import BaseModel

from caribou.collectors.series import HourlySeries, HourValue, Signal
from caribou.collectors.sources.http import HttpClient, Reason
from caribou.collectors.sources.shapes import Moment
from caribou.collectors.sources.spans import hours_of

REAL_TIME, CONSOLIDATED = "eco2mix-national-tr", "eco2mix-national-cons-def"
"""The last weeks by quarter hours, and what was before, checked, by half hours."""
_FRANCE = "FR"


class _Row(BaseModel):
    date_heure: Moment
    """When a quarter or half hour begins, with the offset; the columns `date` and `heure` are in local time."""
    taux_co2: float | None
    """g CO2/kWh; None of times to come, and where only demand is by quarters."""


@dataclass
class Eco2mixFeed:
    """Asks for France. `zones` may give it to other regions."""

    url: str
    zones: Mapping[str, str] = field(default_factory=dict)

    name = "eco2mix"
    origin = "RTE éCO2mix"
    licence = "Licence Ouverte 2.0 (Etalab), RTE by ODRÉ"
    basis = "direct, of generation without imports"
    signal = Signal.AVERAGE

    def zone_of(self, region: str) -> str | None:
        """FR, for Paris."""
        return {"eu-west-3": _FRANCE, **self.zones}.get(region)

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """Hours of the real-time data, and of the consolidated ones before these begin."""
        if (zone := self.zone_of(region)) != _FRANCE:
            raise self._client.error(Reason.NOT_FOUND, f"zone {zone!r}: it has {_FRANCE} alone")
        newest = self._ask(REAL_TIME, start, end)
        begins = min((row.date_heure for row in newest), default=end).astimezone(UTC)
        older = self._ask(CONSOLIDATED, start, begins) if start < begins else []
        hours = (hour for rows in (older, newest) for hour in self._hours(rows))
        return HourlySeries.of(self.signal, hours).between(start, end)

    def forecast(self, region: str, now: datetime) -> HourlySeries | None:
        """None: it forecasts demand alone."""

    def notes(self, region: str) -> Mapping[str, object]:  # noqa: ARG002
        """Nothing."""
        return {}

    def _ask(self, dataset: str, start: datetime, end: datetime) -> list[_Row]:
        """All rows at once: an export has no limit, where `records` gives 100 rows a call and 10,000 in all."""
        query = {
            "select": "date_heure,taux_co2",
            "where": f"date_heure >= '{_time(start)}' and date_heure < '{_time(end)}'",
            "order_by": "date_heure",
            "timezone": "UTC",
        }
        return self._client.json(f"api/explore/v2.1/catalog/datasets/{dataset}/exports/json", list[_Row], query)

    def _hours(self, rows: list[_Row]) -> tuple[HourValue, ...]:
        known = [HourValue(row.date_heure.astimezone(UTC), row.taux_co2) for row in rows if row.taux_co2 is not None]
        return hours_of(self.signal, known).hours

    @cached_property
    def _client(self) -> HttpClient:
        return HttpClient(self.origin, self.url)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
