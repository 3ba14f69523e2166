"""Distance between regions: a function's calls take the round trips that TCP and TLS would take to where they go.

A region's functions get an endpoint of their own, a door: who comes through it is in that region. Where a call goes is
the region that it is signed for. A call takes round trips between the two, the table's figure each:

    2   on a new connection: TCP's handshake, and that of TLS 1.3 (RFC 8446)
    1   the request and its answer: half of it before the service sees the request, half after
    1   of a request that asks whether its body is wanted (`Expect: 100-continue`)
    n   of a large body, each way: TCP sends ten segments, then twice as much in each round trip (RFC 6928)

A topic's message to a function takes half a round trip between their regions. Calls from elsewhere, such as tools, come
through the main endpoint and take nothing. No jitter, no loss, no limit of bandwidth; an idle connection starts with
ten segments again, as Linux has it.

Runs on MiniStack's own Python, where there is no `caribou`: standard library only.
"""

# ruff: noqa: ANN401, SLF001 - this module handles MiniStack's classes and replaces their private functions

from __future__ import annotations

import asyncio
import math
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import parse_qs

App = Callable[[Any, Any, Any], Awaitable[None]]
Table = Mapping[str, Mapping[str, float]]
"""Seconds of a round trip, from region to region."""

HANDSHAKES = 2
INITIAL_WINDOW_BYTES = 14_600
"""Ten segments of 1,460 bytes."""
_CONNECTION = "caribou_connection"
_SIGNED_FOR = re.compile(r"Credential=[^/,]+/\d{8}/([^/,]+)/")
_SIGNED_IN_LINK = "X-Amz-Credential"
_NAMES = {
    "ministack.services.sns": ("_deliver_to_lambda",),
    "ministack.core.lambda_runtime": ("Worker", "_account_region_from_function_config"),
    "ministack.core.tls": ("use_ssl_enabled", "trust_gateway_cert"),
    "hypercorn.asyncio.tcp_server": ("TCPServer",),
}


class Call(NamedTuple):
    """What of a request's head decides how many round trips it takes before the service sees it."""

    is_first: bool
    asks_before_body: bool

    @property
    def round_trips(self) -> float:
        """Handshakes, the question, and the half in which the end of it travels; a large body's come on top."""
        return HANDSHAKES * self.is_first + self.asks_before_body + 0.5


def further_rounds(sent_bytes: int, more_bytes: int) -> int:
    """The round trips that a body's next bytes take on top of the first one, which every body takes."""
    return _rounds(sent_bytes + more_bytes) - _rounds(sent_bytes)


def _rounds(size_bytes: int) -> int:
    """In how many bursts a body comes, each twice as large as the one before; one of none."""
    return max(1, math.ceil(math.log2(size_bytes / INITIAL_WINDOW_BYTES + 1)))


def keep_apart(app: App, doors: Mapping[int, str], round_trip_s: Table) -> App:
    """The ASGI app with distances; `doors` are ports, and the regions of the functions that come through them.

    Raises RuntimeError if this MiniStack, or its server, lacks a name that is relied on.
    """
    for module, names in _NAMES.items():
        if missing := [name for name in names if not hasattr(import_module(module), name)]:
            raise RuntimeError(f"{module} has no {', '.join(missing)}: local/distances.py was written for another one")
    _know_connections(import_module("hypercorn.asyncio.tcp_server").TCPServer)
    _lead_through_doors(import_module("ministack.core.lambda_runtime"), {r: port for port, r in doors.items()})
    _deliver_across(import_module("ministack.services.sns"), round_trip_s)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        source = doors.get(scope["server"][1]) if scope["type"] == "http" else None
        if source is None:
            await app(scope, receive, send)
            return
        trip_s = _trip_s(round_trip_s[source], source, _target(scope))
        await asyncio.sleep(trip_s * _call(scope).round_trips)
        await app(scope, _growing(receive, trip_s), _from_afar(send, trip_s))

    return answer


def _trip_s(from_here: Mapping[str, float], here: str, target: str | None) -> float:
    """A round trip to a region; what is no region (a link to code, `aws-global`) is answered where the caller is."""
    return from_here.get(target or here, from_here[here])


def _target(scope: Any) -> str | None:
    """The region that a request is signed for; None if it is not signed."""
    for name, value in scope["headers"]:
        if name.lower() == b"authorization" and (found := _SIGNED_FOR.search(value.decode("latin-1"))):
            return found[1]
    in_link = parse_qs(scope["query_string"].decode("latin-1")).get(_SIGNED_IN_LINK, [""])[0].split("/")
    return in_link[2] if len(in_link) > 2 else None


def _call(scope: Any) -> Call:
    names = {name.lower() for name, _ in scope["headers"]}
    connection = scope["state"][_CONNECTION]
    first = not connection
    connection["used"] = True
    return Call(first, b"expect" in names)


def _growing(receive: Any, trip_s: float) -> Any:
    """The request's body on its way, however it is cut."""
    got_bytes = 0

    async def receive_later() -> Any:
        nonlocal got_bytes
        message = await receive()
        size = len(message.get("body", b""))
        await asyncio.sleep(trip_s * further_rounds(got_bytes, size))
        got_bytes += size
        return message

    return receive_later


def _from_afar(send: Any, trip_s: float) -> Any:
    """The answer on its way: its beginning takes half a round trip, a large body whole ones more."""
    sent_bytes = 0

    async def send_on(message: Any) -> None:
        nonlocal sent_bytes
        if message["type"] == "http.response.start":
            await asyncio.sleep(trip_s / 2)
        elif message["type"] == "http.response.body":
            size = len(message.get("body", b""))
            await asyncio.sleep(trip_s * further_rounds(sent_bytes, size))
            sent_bytes += size
        await send(message)

    return send_on


def _know_connections(server: Any) -> None:
    """Give all requests of a connection one dictionary in common, so that its first one is known."""
    begin = server.__init__

    def begin_known(self: Any, *arguments: Any) -> None:
        app, loop, config, context, state, reader, writer = arguments
        begin(self, app, loop, config, context, {**state, _CONNECTION: {}}, reader, writer)

    server.__init__ = begin_known


def _lead_through_doors(runtime: Any, ports: Mapping[str, int]) -> None:
    """Let each function's process call its own region's door, as if that were in its own environment variables."""
    spawn = runtime.Worker._spawn

    def spawn_in_region(self: Any) -> None:
        _, region = runtime._account_region_from_function_config(self.config)
        variables = {**_door(ports[region]), **self.config.get("Environment", {}).get("Variables", {})}
        self.config = {**self.config, "Environment": {"Variables": variables}}
        spawn(self)

    runtime.Worker._spawn = spawn_in_region


def _door(port: int) -> dict[str, str]:
    """What leads a process to a door; with TLS, the certificate to trust as well, which MiniStack gives to its own."""
    tls = import_module("ministack.core.tls")
    if not tls.use_ssl_enabled():
        return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    trusting = dict(os.environ)
    tls.trust_gateway_cert(trusting)
    new = {name: value for name, value in trusting.items() if name not in os.environ}
    return {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}", **new}


def _deliver_across(sns: Any, round_trip_s: Table) -> None:
    """Topics deliver to functions on threads of their own, which may wait."""
    deliver = sns._deliver_to_lambda

    def deliver_late(endpoint: str, envelope: str, topic_arn: str, *others: Any) -> None:
        source, target = topic_arn.split(":")[3], endpoint.split(":")[3]
        time.sleep(_trip_s(round_trip_s[source], source, target) / 2)
        deliver(endpoint, envelope, topic_arn, *others)

    sns._deliver_to_lambda = deliver_late
