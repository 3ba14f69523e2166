"""What user code exchanges with services outside the workflow, call by call, through any botocore session.

botocore gives every session its built-in handlers; ours are added to them, so that boto3's default session, one that
user code makes, and a plain botocore one are all seen. Our own clients, which say who they are, are passed over. Other
HTTP libraries are not seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, wraps
from threading import Lock, local
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore import handlers
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection

from caribou.model.run.record import EndpointRecord

OUR_CLIENTS = "caribou"
"""What our own clients add to their user agent."""
_DECODED_LENGTH = "x-amz-decoded-content-length"
"""S3 uploads in chunks, with a checksum at the end, say the body's size here."""
_BUCKET_REGION = "x-amz-bucket-region"
_NOWHERE = "aws-global"
_WRITING = ("PUT", "POST")
_CALL = "caribou_call"
_HANDSHAKES = 2
"""Round trips of a new connection: TCP's, and that of TLS 1.3."""
_ASKS = "Expect"
"""The header of a request that waits for a word before it sends its body, as uploads to S3 do."""


class Endpoint(NamedTuple):
    """Where calls go: botocore's name of the service, its region (None if it has none), the host without its port."""

    service: str
    region: str | None
    host: str


class Exchange(NamedTuple):
    """Calls, tries, bytes of request and response bodies, and seconds: added up over calls, and while any went on.

    `puts` are those calls that write, by their method, `round_trips` those that it takes to be answered, whatever the
    bodies' sizes.
    """

    calls: int = 0
    attempts: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    seconds: float = 0.0
    busy_s: float = 0.0
    puts: int = 0
    round_trips: int = 0

    def plus(self, other: Exchange) -> Exchange:
        """Both together."""
        return Exchange(*(a + b for a, b in zip(self, other, strict=True)))  # type: ignore[arg-type]

    def minus(self, earlier: Exchange) -> Exchange:
        """What came on top of an earlier reading."""
        return Exchange(*(a - b for a, b in zip(self, earlier, strict=True)))  # type: ignore[arg-type]


Exchanges = Mapping[Endpoint, Exchange]


def exchanged(before: Exchanges, after: Exchanges) -> tuple[EndpointRecord, ...]:
    """What was exchanged between two readings, as a run record has it: the endpoints of most bytes by themselves."""
    grown = {endpoint: now.minus(before.get(endpoint, Exchange())) for endpoint, now in after.items()}
    active = {endpoint: exchange for endpoint, exchange in grown.items() if any(exchange)}
    largest = sorted(
        active, key=lambda endpoint: (-(active[endpoint].bytes_in + active[endpoint].bytes_out), endpoint.host)
    )
    rows = [(endpoint, active[endpoint]) for endpoint in largest[:MOST_ENDPOINTS]]
    if rest := largest[MOST_ENDPOINTS:]:
        together = Exchange()
        for endpoint in rest:
            together = together.plus(active[endpoint])
        rows.append((OTHERS, together))
    return tuple(EndpointRecord(*endpoint, **exchange._asdict()) for endpoint, exchange in rows)


MOST_ENDPOINTS = 10
"""Endpoints that a record has by themselves; the others are added up."""
OTHERS = Endpoint("other", None, "")
_MOST_HOSTS = 200
"""Of a process: a function that calls ever new hosts adds them up from here on."""


@dataclass(slots=True)
class _Call:
    """A call that goes on: when it began, and what it has moved."""

    begun_s: float
    endpoint: Endpoint | None = None
    attempts: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    puts: int = 0
    round_trips: int = 0
    opened: int = 0
    """What its thread had opened before this try was sent."""


@dataclass(slots=True)
class _Tally:
    """What an endpoint has exchanged, and the last stretches of time in which it did, from to."""

    exchange: Exchange = field(default_factory=Exchange)
    stretches: list[tuple[float, float]] = field(default_factory=list)

    def busy(self, begun_s: float, ended_s: float) -> float:
        """How much of a stretch that ends now is new: what others cover as well counts once."""
        covered = 0.0
        while self.stretches and self.stretches[-1][1] > begun_s:
            first, last = self.stretches.pop()
            covered += last - first
            begun_s = min(begun_s, first)
        self.stretches.append((begun_s, ended_s))
        return max(ended_s - begun_s - covered, 0.0)


class ExternalCalls:
    """Adds up what passes through the sessions that it watches, by endpoint."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._tallies: dict[Endpoint, _Tally] = {}
        self._lock = Lock()  # transfers of large objects run on threads
        self._sending = local()

    @classmethod
    def of_all_sessions(cls) -> ExternalCalls:
        """Watch every session that is made from now on in this process; call before user code is imported."""
        _count_connections()
        calls = cls()
        handlers.BUILTIN_HANDLERS.extend(calls.handlers())
        return calls

    def handlers(self) -> list[tuple[str, Callable[..., None]]]:
        """Botocore's events, and what is to be called at each."""
        return [
            ("before-call", self._begins),
            ("request-created", self._tries),
            ("before-send", self._sends),
            ("response-received", self._receives),
            ("after-call", self._returned),
            ("after-call-error", self._ends),
        ]

    def totals(self) -> Exchanges:
        """What has been exchanged since the process began."""
        with self._lock:
            for tally in self._tallies.values():
                tally.stretches.clear()
            return {endpoint: tally.exchange for endpoint, tally in self._tallies.items()}

    def _begins(self, context: dict[str, Any], **_: object) -> None:
        if OUR_CLIENTS not in (context["client_config"].user_agent_extra or "").split():
            context[_CALL] = _Call(self._now_s())

    def _tries(self, request: Any, event_name: str, **_: object) -> None:  # noqa: ANN401 - botocore's AWSRequest
        """Once a try; what follows on this thread, up to its sending, is of the same call."""
        call = self._sending.call = request.context.get(_CALL)
        if call is not None:
            call.attempts += 1
            call.puts = int(request.method in _WRITING)
            call.endpoint = _endpoint(event_name, request)

    def _sends(self, request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's AWSPreparedRequest
        if (call := getattr(self._sending, "call", None)) is not None:
            call.bytes_out += _size(request.headers)
            call.round_trips += 1 + (_ASKS in request.headers)
            call.opened = _opened()

    def _receives(
        self, event_name: str, context: Mapping[str, Any], response_dict: dict[str, Any] | None = None, **_: object
    ) -> None:
        call, headers = context.get(_CALL), (response_dict or {}).get("headers") or {}
        if call is None or call.endpoint is None:
            return
        call.round_trips += _HANDSHAKES * (_opened() - call.opened)
        if not event_name.rpartition(".")[2].startswith("Head"):  # says the size of a body that does not come
            call.bytes_in += _size(headers)
        if region := headers.get(_BUCKET_REGION):
            call.endpoint = call.endpoint._replace(region=region)

    def _returned(self, context: Mapping[str, Any], model: Any, http_response: Any, **_: object) -> None:  # noqa: ANN401
        self._ends(context)
        call = context.get(_CALL)
        if call is not None and call.endpoint is not None and model.has_streaming_output:
            self._time_reads(http_response.raw, call.endpoint)

    def _time_reads(self, stream: Any, endpoint: Endpoint) -> None:  # noqa: ANN401 - urllib3's response
        """The body of an object is read by user code, after the call has returned."""
        read = stream.read

        def timed(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as urllib3 has it
            begun_s = self._now_s()
            try:
                return read(*arguments, **named)
            finally:
                self._add(endpoint, begun_s, Exchange())

        stream.read = timed

    def _ends(self, context: Mapping[str, Any], **_: object) -> None:
        call = context.get(_CALL)
        if call is not None and call.endpoint is not None:
            moved = Exchange(
                1, call.attempts, call.bytes_out, call.bytes_in, puts=call.puts, round_trips=call.round_trips
            )
            self._add(call.endpoint, call.begun_s, moved)

    def _add(self, endpoint: Endpoint, begun_s: float, moved: Exchange) -> None:
        """Add what was moved from a moment until now."""
        ended_s = self._now_s()
        with self._lock:
            if endpoint not in self._tallies and len(self._tallies) >= _MOST_HOSTS:
                endpoint = OTHERS
            tally = self._tallies.setdefault(endpoint, _Tally())
            took = Exchange(seconds=ended_s - begun_s, busy_s=tally.busy(begun_s, ended_s))
            tally.exchange = tally.exchange.plus(moved).plus(took)


def _endpoint(event_name: str, request: Any) -> Endpoint:  # noqa: ANN401 - botocore's AWSRequest
    """Where a try goes: the region that it is signed for, which follows an object into another one."""
    context = request.context
    region = context.get("signing", {}).get("region") or context["client_region"]
    _, service, _ = event_name.split(".", 2)
    return Endpoint(service, None if region in (None, _NOWHERE, "*") else region, urlsplit(request.url).hostname or "")


def _size(headers: Any) -> int:  # noqa: ANN401 - two kinds of header mappings
    sizes = {str(name).lower(): value for name, value in headers.items()}
    return int(sizes.get(_DECODED_LENGTH) or sizes.get("content-length") or 0)


_on_thread = local()


def _opened() -> int:
    """How many connections this thread has opened through botocore."""
    return getattr(_on_thread, "opened", 0)


@cache
def _count_connections() -> None:
    """Count them from now on. There is no event for it: botocore's own classes of connections do."""
    for kind in (AWSHTTPConnection, AWSHTTPSConnection):
        kind.connect = _counting(kind.connect)  # type: ignore[method-assign, assignment]


def _counting(connect: Callable[[Any], None]) -> Callable[[Any], None]:
    @wraps(connect)
    def connect_and_count(connection: Any) -> None:  # noqa: ANN401 - botocore's
        _on_thread.opened = _opened() + 1
        connect(connection)

    return connect_and_count
