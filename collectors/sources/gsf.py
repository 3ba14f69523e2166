"""Annual means out of the Green Software Foundation's table of cloud regions, Real-Time-Cloud, as it is on GitHub now.

What the columns are: Cloud_Region_Metadata_specification.md in
https://github.com/Green-Software-Foundation/real-time-cloud.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from pydantic import BaseModel, Field, ValidationError, field_validator

from caribou.collectors.bodies import HOURS, CarbonBody
from caribou.collectors.chain import METHOD
from caribou.collectors.facts import Given
from caribou.collectors.sources.http import HttpClient, Reason
from caribou.collectors.sources.snapshot import CarbonSnapshot

_PATH = "Cloud_Region_Metadata.csv"
_PROVIDER, _AWS = "cloud-provider", "Amazon Web Services"
"""In rows of other clouds the same columns may hold figures of the cloud's own hours and purchases."""
_LACKING = frozenset({"", "NA", "N/A"})
"""What stands where nothing is known: it is to stop a calculation (the specification)."""


class _Row(BaseModel):
    year: int
    region: str = Field(alias="cloud-region")
    zone: str = Field(alias="em-zone-id")
    average: float | None = Field(alias="grid-carbon-intensity-average-consumption-annual", gt=0, le=2500)
    """g CO2eq/kWh of what the grid consumes, by Electricity Maps. The column `grid-carbon-intensity` is marginal."""
    marginal: float | None = Field(alias="grid-carbon-intensity-marginal-consumption-annual", gt=0, le=2500)
    """By WattTime."""

    @field_validator("average", "marginal", mode="before")
    @classmethod
    def _known(cls, text: str) -> str | None:
        return None if text.strip() in _LACKING else text


@dataclass
class GsfTable:
    """The newest annual mean of each region, the same at all hours. `zones` name other zones of Electricity Maps."""

    url: str
    zones: Mapping[str, str] = field(default_factory=dict)
    packaged: CarbonSnapshot = field(default_factory=CarbonSnapshot)
    origin = "GSF Real-Time-Cloud"
    method = "annual mean, the same at all hours; no forecast"
    valid_for = timedelta(days=90)

    def collect(self, now: datetime, regions: Collection[str]) -> Given[CarbonBody]:
        """The mean of each region of which the table has an average one. Raises SourceError."""
        rows = self._rows()
        if not rows:
            raise self._client.error(Reason.NOTHING, f"{_PATH}: no row of {_AWS}")
        packaged = self.packaged.collect(now, regions).bodies
        bodies: dict[str, CarbonBody] = {}
        refused: dict[str, str] = {}
        for region in regions:
            own = [row for row in rows if self._is_of(row, region)]
            for row in sorted(own, key=lambda row: row.year):
                if row.average is not None:
                    bodies[region] = _body(row, row.average, packaged[region])
            if region not in bodies and (own or region in self.zones):
                refused[region] = f"has no average intensity of {self.zones.get(region, region)}"
        return Given(bodies, refused)

    def _is_of(self, row: _Row, region: str) -> bool:
        zone = self.zones.get(region)
        return row.region == region if zone is None else row.zone == zone

    def _rows(self) -> list[_Row]:
        """The rows of AWS."""
        try:
            text = self._client.body(_PATH).decode("utf-8-sig")
            header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        except (ValueError, csv.Error):
            raise self._client.error(Reason.GARBLED, f"{_PATH}: no CSV") from None
        if _PROVIDER not in header:
            raise self._client.error(Reason.SCHEMA, f"{_PATH}: no column {_PROVIDER}")
        for number, line in enumerate(lines, start=2):
            if len(line) != len(header):
                raise self._client.error(Reason.GARBLED, f"{_PATH}: row {number} is cut")
        records = (dict(zip(header, line, strict=True)) for line in lines)
        try:
            return [_Row.model_validate(record) for record in records if record[_PROVIDER] == _AWS]
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            raise self._client.error(Reason.SCHEMA, f"{_PATH}: {first['loc'][0]}: {first['msg']}") from None

    @cached_property
    def _client(self) -> HttpClient:
        return HttpClient(self.origin, self.url)


def _body(row: _Row, average: float, packaged: CarbonBody) -> CarbonBody:
    means = f"annual mean of {row.year}, the same at all hours"
    return CarbonBody(
        average=average,
        hourly=(average,) * HOURS,
        marginal=packaged.marginal if row.marginal is None else row.marginal,
        zone=row.zone,
        year_to_year=packaged.year_to_year,
        provenance={
            METHOD: f"{means}; no forecast",
            "zone": row.zone,
            "basis": f"lifecycle, of consumption, by Electricity Maps; {means}",
            "level_year": row.year,
            "contested": "" if row.zone == packaged.zone else f"is taken as {row.zone}, others name {packaged.zone}",
            "constant": True,
            "licence": "as is, Green Software Foundation, Real-Time-Cloud",
        },
    )
