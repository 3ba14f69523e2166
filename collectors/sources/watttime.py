"""Marginal intensity as WattTime gives it by its API, v3: MOER, what the plants emit that answer to one more kWh.

The shapes: https://docs.watttime.org. The key is `USER:PASSWORD`, for which `/login` gives a token of 30 minutes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, FiniteFloat

from caribou.collectors.series import HourlySeries, HourValue, Signal
from caribou.collectors.sources.feed import coming, utc_text
from caribou.collectors.sources.http import HttpClient, Reason, SourceError
from caribou.collectors.sources.keys import Key, KeyRing, key_variable
from caribou.collectors.sources.settings import SourceSettings
from caribou.collectors.sources.shapes import Moment
from caribou.collectors.sources.spans import pieces
from caribou.collectors.sources.zones import Zones
from caribou.model.errors import OperationFailedError

NAME = "watttime"
MOER = "co2_moer"
G_PER_KWH = 453.59237 / 1000
"""Grams a kWh in a pound a MWh: the international pound is 0.45359237 kg."""
_TOKEN_S = 25 * 60.0
"""A token is of 30 minutes (docs.watttime.org, authentication)."""
_PAUSE_S = 0.1
"""3,000 requests in 5 minutes (docs.watttime.org, restrictions)."""
_LONGEST = timedelta(days=30)
"""What WattTime's own client asks at once; the end is inclusive."""
_HORIZON_H = "72"
_HOUR_S = 3600

ZONES: Mapping[str, str] = {
    "af-south-1": "ZAF",
    "ap-east-1": "HK",
    "ap-northeast-1": "JP_TK",
    "ap-northeast-2": "KOR",
    "ap-northeast-3": "JP_KN",
    "ap-south-1": "IND",
    "ap-south-2": "IND",
    "ap-southeast-1": "SGP",
    "ap-southeast-2": "NEM_NSW",
    "ap-southeast-3": "IDN",
    "ap-southeast-4": "NEM_VIC",
    "ca-central-1": "HQ",
    "eu-central-1": "DE",
    "eu-central-2": "CH",
    "eu-north-1": "SE",
    "eu-south-1": "IT",
    "eu-south-2": "ES",
    "eu-west-1": "IE",
    "eu-west-2": "UK",
    "eu-west-3": "FR",
    "il-central-1": "IL",
    "sa-east-1": "BRA",
    "us-east-1": "PJM_DC",
    "us-east-2": "PJM_SOUTHWEST_OH",
    "us-west-1": "CAISO_NORTH",
    "us-west-2": "BPA",
}
"""Region to WattTime's: `wt-region-id` of the Green Software Foundation's Real-Time-Cloud, cloud region metadata of
2024, else its estimates for 2025; six regions are not there."""


class _Login(BaseModel):
    token: Annotated[str, Field(pattern=r"^[!-~]+$", repr=False)]


class _Endpoint(BaseModel):
    endpoint: str


class _Region(BaseModel):
    region: str
    endpoints: list[_Endpoint]


class _SignalAccess(BaseModel):
    signal_type: str
    regions: list[_Region]


class _Access(BaseModel):
    signal_types: list[_SignalAccess]

    def has(self, region: str, endpoint: str) -> bool:
        """Whether the account may ask an endpoint, such as `historical`, for a region's MOER."""
        return any(
            one.endpoint.rsplit("/", 1)[-1] == endpoint
            for signal in self.signal_types
            if signal.signal_type == MOER
            for known in signal.regions
            if known.region == region
            for one in known.endpoints
        )


class _Model(BaseModel):
    date: str


class _Meta(BaseModel):
    region: str
    signal_type: Literal["co2_moer"]
    units: Literal["lbs_co2_per_mwh"]
    data_point_period_seconds: Annotated[int, Field(gt=0, le=_HOUR_S)]
    model: _Model


class _Point(BaseModel):
    point_time: Moment
    value: FiniteFloat | None
    imputed_data_used: bool | None = None


class _Answer(BaseModel):
    data: list[_Point]
    meta: _Meta


T = TypeVar("T")


class WattTime:
    """Asks for the region that the table above names, or the user. What the account may not have is not asked for."""

    name, origin, signal = NAME, "WattTime", Signal.MARGINAL
    licence = "WattTime's terms of the account's plan; not to be passed on"
    basis = f"{MOER}, marginal, direct CO2 of operation"

    def __init__(self, settings: SourceSettings, keys: KeyRing) -> None:
        self._http = HttpClient(self.origin, settings.url or "", pause_s=_PAUSE_S)
        self._key: Callable[[], Key] = lambda: keys.key_of(NAME, settings.key)
        self._places = " or ".join(filter(None, (key_variable(NAME), settings.key)))
        self._zones = Zones(ZONES, settings.zones)
        self._token, self._until_s = Key(""), 0.0
        self._models: dict[str, list[str]] = {}

    def zone_of(self, region: str) -> str | None:
        """WattTime's region for an AWS region."""
        return self._zones.of(region)

    def history(self, region: str, start: datetime, end: datetime) -> HourlySeries:
        """Hours of the past out of points of five minutes, in calls of thirty days; raises SourceError."""
        zone = self._zones.of(region) or region
        self._models[zone] = []
        with self._zones.blamed(region):
            self._check_access(zone, "historical")
            answers = [
                self._answer(zone, "historical", {"start": utc_text(first), "end": utc_text(last)})
                for first, last in pieces(start, end, _LONGEST)
            ]
        return self._series(answers).between(start, end)

    def forecast(self, region: str, now: datetime) -> HourlySeries:
        """The next 72 hours; raises SourceError."""
        zone = self._zones.of(region) or region
        with self._zones.blamed(region):
            self._check_access(zone, "forecast")
            answer = self._answer(zone, "forecast", {"horizon_hours": _HORIZON_H})
        return coming(self._series([answer]), now)

    def notes(self, region: str) -> Mapping[str, object]:
        """The date of the model, or dates if it changed within the history."""
        models = self._models.get(self._zones.of(region) or region)
        return {"model_date": ", ".join(dict.fromkeys(models))} if models else {}

    def _check_access(self, zone: str, endpoint: str) -> None:
        if not self._access.has(zone, endpoint):
            raise self._http.error(Reason.NOT_IN_PLAN, f"{endpoint} {MOER}, by v3/my-access")

    @cached_property
    def _access(self) -> _Access:
        return self._ask("v3/my-access", _Access)

    def _answer(self, zone: str, what: str, query: Mapping[str, str]) -> _Answer:
        answer = self._ask(f"v3/{what}", _Answer, {"region": zone, "signal_type": MOER, **query})
        if answer.meta.region != zone:
            raise self._http.error(Reason.SCHEMA, f"v3/{what}: of {answer.meta.region}, when {zone} was asked for")
        self._models.setdefault(zone, []).append(answer.meta.model.date)
        return answer

    def _series(self, answers: Iterable[_Answer]) -> HourlySeries:
        """Hours that are whole; points that came twice count once."""
        answers = list(answers)
        samples = [
            HourValue(point.point_time, point.value * G_PER_KWH, bool(point.imputed_data_used))
            for answer in answers
            for point in answer.data
            if point.value is not None
        ]
        periods = {answer.meta.data_point_period_seconds for answer in answers}
        return HourlySeries.of_samples(self.signal, samples, _HOUR_S // min(periods, default=_HOUR_S))

    def _ask(self, path: str, shape: type[T], query: Mapping[str, str] | None = None) -> T:
        """Ask with the token; once more with another one, if it is refused: it may have ended before its time."""
        if self._http.clock() >= self._until_s:
            self._log_in()
        try:
            return self._http.json(path, shape, query, self._bearer)
        except SourceError as error:
            if error.reason is not Reason.REFUSED:
                raise
        self._log_in()
        return self._http.json(path, shape, query, self._bearer)

    @property
    def _bearer(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token.reveal()}"}

    def _log_in(self) -> None:
        pair = self._key().reveal()
        if not all(pair.partition(":")):
            raise OperationFailedError(f"the key of {NAME} ({self._places}) has to be USER:PASSWORD")
        basic = base64.b64encode(pair.encode()).decode()
        answer = self._http.json("login", _Login, headers={"Authorization": f"Basic {basic}"})
        self._token, self._until_s = Key(answer.token), self._http.clock() + _TOKEN_S
