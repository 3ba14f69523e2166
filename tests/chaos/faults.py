"""Faults between functions and the local cloud: a loopback proxy that makes calls fail as AWS's do.

The server is started with `AWS_ENDPOINT_URL` at the proxy, so that all calls of its functions pass through; whoever
uses the cloud's own endpoint, as tests do, is spared.

    with FaultProxy.start() as proxy, LocalCloud.start(state, settings=proxy.settings()) as cloud:
        proxy.lead_to(cloud.endpoint)
        proxy.weather = Weather(cut={"ca-central-1": Cut.REFUSED}, throttled=0.1)

It reads plain HTTP only: a cloud with TLS can't be behind it. What the emulator does inside (SNS to Lambda, Lambda to
a failure queue) does not pass through.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

_HOST = "127.0.0.1"
_SCOPE = re.compile(r"Credential=[^/]*/\d+/([^/]+)/([^/]+)/aws4_request")
_HEAD_LIMIT_BYTES = 1 << 20
_NO_BODY = ("204", "304")


class Cut(Enum):
    """How a region that is cut off behaves."""

    REFUSED = "refused"
    """The connection breaks before anything is done."""
    SILENT = "silent"
    """No answer ever comes, and nothing is done."""
    UNAVAILABLE = "unavailable"
    """503, and nothing is done."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What calls meet: regions that are cut off, and the shares, 0 to 1, of calls that are throttled or unanswered.

    An unanswered call is done, and its caller does not hear of it: the connection breaks.
    """

    cut: Mapping[str, Cut] = field(default_factory=dict)
    throttled: float = 0.0
    unanswered: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """A call of AWS's API, as far as the proxy reads it. `form` has the fields of a query-protocol body (SNS)."""

    region: str
    service: str
    method: str
    body: bytes

    @property
    def form(self) -> Mapping[str, str]:
        """The body's fields, if it is a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode("utf-8", "replace")).items()}


class FaultProxy:
    """A proxy in a thread of its own. `weather` may be set at any time; `counts` has how many calls met what."""

    def __init__(self, seed: int = 0) -> None:
        self.weather = Weather()
        self.counts: Counter[str] = Counter()
        self.port = 0
        self._chance = random.Random(seed)
        self._observer: Callable[[Call], None] | None = None
        self._target: tuple[str, int] | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="caribou-faults")

    @classmethod
    def start(cls, seed: int = 0) -> Self:
        """Listen on a free port of loopback."""
        proxy = cls(seed)
        proxy._thread.start()
        asyncio.run_coroutine_threadsafe(proxy._listen(), proxy._loop).result()
        return proxy

    def settings(self) -> dict[str, str]:
        """What a server must be started with, for its functions to call through this proxy."""
        return {"AWS_ENDPOINT_URL": f"http://{_HOST}:{self.port}"}

    def lead_to(self, endpoint: str) -> None:
        """Pass calls on to the cloud at the endpoint."""
        address = urlsplit(endpoint)
        self._target = (address.hostname or _HOST, address.port or 80)

    def observe(self, observer: Callable[[Call], None] | None) -> None:
        """Call an observer with each call that was done, in the proxy's thread; None ends that."""
        self._observer = observer

    def stop(self) -> None:
        """End it, with all its connections."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, _HOST, 0, limit=_HEAD_LIMIT_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in a task that is held until it ends: asyncio holds tasks weakly."""
        task = self._loop.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, with one to the server behind it, until either ends."""
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while (request := await _request(reader, writer)) is not None:
                if not await self._may_pass(request, reader, writer):
                    continue
                if upstream is None:
                    assert self._target is not None, "lead_to was not called"
                    upstream = await asyncio.open_connection(*self._target, limit=_HEAD_LIMIT_BYTES)
                upstream[1].write(request.raw)
                answer = await _answer(upstream[0], request.call.method)
                if self._observer is not None:
                    self._observer(request.call)
                if self._chance.random() < self.weather.unanswered:
                    self.counts["unanswered"] += 1
                    return
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, _BrokenError):
            pass
        finally:
            writer.transport.abort()
            if upstream is not None:
                upstream[1].transport.abort()

    async def _may_pass(self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether a call may go on; else it has had its answer, if it gets one."""
        call, weather = request.call, self.weather
        cut = weather.cut.get(call.region)
        if cut is not None:
            self.counts[cut.value] += 1
        elif self._chance.random() < weather.throttled:
            self.counts["throttled"] += 1
            writer.write(_throttling(call.service))
            return False
        if cut is Cut.REFUSED:
            raise _BrokenError
        if cut is Cut.SILENT:
            with suppress(OSError):
                await reader.read(1)  # returns when the client gives up
            raise _BrokenError
        if cut is Cut.UNAVAILABLE:
            writer.write(_response("503 Service Unavailable", b"", "text/plain"))
            return False
        self.counts["passed"] += 1
        return True


class _BrokenError(Exception):
    """The connection is to be broken."""


@dataclass(frozen=True, slots=True)
class _Request:
    """A request, read whole, and as it is passed on."""

    call: Call
    raw: bytes


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Request | None:
    """The next request of a connection; None if it has ended."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, headers = _parsed(head)
    if "expect" in headers:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = re.sub(rb"(?i)\r\nexpect:[^\r]*", b"", head)
    body = await _body(reader, headers)
    region, service = _scope(headers.get("authorization", ""))
    return _Request(Call(region, service, first.split(" ")[0], body), head + body)


async def _answer(reader: asyncio.StreamReader, method: str) -> bytes:
    """The server's answer, whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, headers = _parsed(head)
    if method == "HEAD" or first.split(" ")[1] in _NO_BODY:
        return head
    return head + await _body(reader, headers)


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", ""):
        return await _chunks(reader)
    return await reader.readexactly(int(headers.get("content-length", "0")))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """A chunked body, as it came."""
    parts = []
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        parts += [line, await reader.readexactly(size + 2)]
        if size == 0:
            return b"".join(parts)


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    """The first line, and the headers by their names in small letters."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    return first, {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _scope(authorization: str) -> tuple[str, str]:
    """Region and service that a request was signed for."""
    found = _SCOPE.search(authorization)
    return (found[1], found[2]) if found else ("", "")


def _throttling(service: str) -> bytes:
    """How a service says that it is too busy."""
    if service == "s3":
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        return _response("503 Slow Down", body, "application/xml")
    if service == "sns":
        body = b"<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
        return _response("400 Bad Request", body, "text/xml")
    code = {"sqs": "com.amazonaws.sqs#RequestThrottled", "lambda": "TooManyRequestsException"}.get(
        service, "com.amazon.coral.availability#ThrottlingException"
    )
    body = json.dumps({"__type": code, "message": "Rate exceeded"}).encode()
    return _response("400 Bad Request", body, "application/x-amz-json-1.0")


def _response(status: str, body: bytes, content_type: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
