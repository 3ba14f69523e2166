"""The one way in which sources ask services: time limits, patience, a pace, and answers of the documented shape.

What goes wrong is a `SourceError` that names the service, the path and the reason; it never has a key in it, nor a
query, in which some services want the key.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import cache, cached_property
from typing import TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from caribou.model.errors import OperationFailedError

T = TypeVar("T")

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs, keys and all

ATTEMPTS = 4
_WHO = {"User-Agent": "caribou-cdk"}
MOST_BYTES = 64 * 2**20
_TIMEOUT = httpx.Timeout(20.0, connect=5.0)
_LONGEST_WAIT_S = 60.0
"""A service that wants to be left alone for longer is left alone until the next collection."""
_SHOWN = 160


class Reason(Enum):
    """Why a service did not give what it was asked."""

    REFUSED = "does not accept the key"
    NOT_IN_PLAN = "does not give this to the key's plan"
    NOT_FOUND = "has nothing at this address"
    UNSUPPORTED = "does not do this"
    THROTTLED = "takes no more requests now"
    UNAVAILABLE = "is out of order"
    SILENT = "did not answer in time"
    UNREACHABLE = "can't be reached"
    REQUEST = "does not take the request"
    GARBLED = "gave an answer that can't be read"
    SCHEMA = "gave an answer of another shape than is documented"
    NOTHING = "has no data of that time"
    UNITS = "gave figures in another unit, or ones that can't be"


_OF_STATUS = {
    204: Reason.NOTHING,
    401: Reason.REFUSED,
    403: Reason.NOT_IN_PLAN,
    404: Reason.NOT_FOUND,
    408: Reason.SILENT,
    429: Reason.THROTTLED,
    501: Reason.UNSUPPORTED,
}
_WORTH_A_RETRY = frozenset({Reason.THROTTLED, Reason.UNAVAILABLE, Reason.SILENT, Reason.UNREACHABLE})
WHOLE_SOURCE = frozenset({Reason.REFUSED, Reason.THROTTLED, Reason.UNAVAILABLE, Reason.SILENT, Reason.UNREACHABLE})
"""Reasons that hold for whatever else the service would be asked now."""


class SourceError(OperationFailedError):
    """A service did not give what it was asked; `reason` says why, `wait_s` how long it wants to be left alone."""

    def __init__(self, service: str, reason: Reason, detail: str = "", *, wait_s: float | None = None) -> None:
        self.service, self.reason, self.detail, self.wait_s = service, reason, detail, wait_s
        super().__init__(f"{service} {self.why}")

    @property
    def why(self) -> str:
        """What went wrong, for where the service is named already."""
        return f"{self.reason.value}{f': {self.detail}' if self.detail else ''}"

    def about(self, what: str) -> SourceError:
        """The same error, which says first what was asked for."""
        return SourceError(self.service, self.reason, f"{what}: {self.detail}", wait_s=self.wait_s)


@dataclass(eq=False)
class HttpClient:
    """Asks one service. `secrets` go into the query and `headers` with every request, and are shown nowhere.

    `pause_s` is the least time between two requests, by the service's terms. `sleep`, `clock` (monotonic, s) and
    `chance` (0 to 1) are there for tests.
    """

    service: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    pause_s: float = 0.0
    timeout: httpx.Timeout = field(default_factory=lambda: _TIMEOUT, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    chance: Callable[[], float] = field(default=random.random, repr=False)
    _free_at: float = field(default=0.0, init=False, repr=False)

    @cached_property
    def _connections(self) -> httpx.Client:
        """Connections that are kept from request to request. A redirect is not followed: it could lead a key away."""
        return httpx.Client(timeout=self.timeout, follow_redirects=False, verify=_certificates())

    def json(
        self,
        path: str,
        shape: type[T],
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """The answer to a GET, as a value of a type that pydantic knows. Raises SourceError."""
        body = self.body(path, query, headers)
        adapter: TypeAdapter[T] = TypeAdapter(shape)
        try:
            return adapter.validate_json(body)
        except ValidationError as error:
            raise self._misshapen(path, error) from None

    def body(
        self, path: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body of the answer to a GET; tried again while that may help. Raises SourceError."""
        tries = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait_s,
            sleep=self.sleep,
            reraise=True,
        )
        return tries(self._once, path, {**(query or {}), **self.secrets}, {**self.headers, **(headers or {})})

    def _once(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
        self._keep_pace()
        url = f"{self.base_url.rstrip('/')}/{path.lstrip('/')}"
        try:
            with self._connections.stream("GET", url, params=query, headers={**_WHO, **headers}) as answer:
                self._check(answer, path)
                return self._read(answer, path)
        except httpx.TimeoutException:
            raise self.error(Reason.SILENT, path) from None
        except (httpx.RemoteProtocolError, httpx.DecodingError):
            raise self.error(Reason.UNAVAILABLE, f"{path}: the answer was cut off") from None
        except httpx.TransportError as error:
            raise self.error(Reason.UNREACHABLE, f"{path}: {type(error).__name__}") from None
        except (httpx.InvalidURL, httpx.HTTPError):
            raise self.error(Reason.REQUEST, f"{path}: the address is none, look at its setting") from None

    def _check(self, answer: httpx.Response, path: str) -> None:
        status = answer.status_code
        if status == httpx.codes.OK:
            return
        reason = _OF_STATUS.get(status) or (Reason.UNAVAILABLE if status >= 500 else Reason.REQUEST)
        raise self.error(reason, f"{path}: HTTP {status}", wait_s=_retry_after_s(answer.headers.get("Retry-After")))

    def _read(self, answer: httpx.Response, path: str) -> bytes:
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > MOST_BYTES:
                raise self.error(Reason.GARBLED, f"{path}: more than {MOST_BYTES >> 20} MiB")
        return bytes(body)

    def error(self, reason: Reason, detail: str = "", *, wait_s: float | None = None) -> SourceError:
        """An error of this service."""
        return SourceError(self.service, reason, detail[:_SHOWN], wait_s=wait_s)

    def _misshapen(self, path: str, error: ValidationError) -> SourceError:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = Reason.GARBLED if first["type"] == "json_invalid" else Reason.SCHEMA
        return self.error(reason, f"{path}: {place + ': ' if place else ''}{first['msg']}")

    def _keep_pace(self) -> None:
        wait = self._free_at - self.clock()
        if wait > 0:
            self.sleep(wait)
        self._free_at = self.clock() + self.pause_s

    def _wait_s(self, state: RetryCallState) -> float:
        """As long as the service says, else up to 1, 2, 4 s by chance: many clients are not to come back at once."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, SourceError) and error.wait_s is not None:
            return error.wait_s
        return self.chance() * float(2 ** (state.attempt_number - 1))


@cache
def _certificates() -> ssl.SSLContext:
    """The authorities that are trusted, read once for all clients: that takes as long as several requests."""
    return httpx.create_ssl_context()


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, SourceError) and error.reason in _WORTH_A_RETRY and (error.wait_s or 0) <= _LONGEST_WAIT_S


def _retry_after_s(text: str | None) -> float | None:
    """Seconds, or a date (RFC 9110, 10.2.3); None if it is neither."""
    if text is None:
        return None
    try:
        return max(float(int(text)), 0.0)
    except (ValueError, OverflowError):
        pass
    try:
        at = parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)
