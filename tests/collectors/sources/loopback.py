"""A service on the loopback, for clients of services: it answers as documented, and badly when it is asked to."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client has sent."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What it is answered. `hangs` never answers, `cut` sends less than it announced."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    cut: bool = False

    @classmethod
    def json(cls, value: object, status: int = 200, **headers: str) -> Answer:
        """An answer with a JSON value."""
        return cls(json.dumps(value).encode(), status, {"Content-Type": "application/json", **headers})


Service = Callable[[Request], Answer]


@dataclass
class Loopback:
    """A server: its address, what it was asked, and what it answers first, before the service does."""

    url: str
    requests: list[Request] = field(default_factory=list)
    first: list[Answer | Callable[[Answer], Answer]] = field(default_factory=list)
    always: Answer | Callable[[Answer], Answer] | None = None
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, service: Service, request: Request) -> Answer:
        """The answer to a request: a fault whose turn it is, else the service's own."""
        self.requests.append(request)
        fault = self.first.pop(0) if self.first else self.always
        if fault is None:
            return service(request)
        return fault if isinstance(fault, Answer) else fault(service(request))


@contextlib.contextmanager
def serving(service: Service) -> Iterator[Loopback]:
    """Serve on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        """Answers GET, and POST without looking at the body."""

        def do_GET(self) -> None:
            """Answer."""
            parts = urlsplit(self.path)
            request = Request(parts.path, dict(parse_qsl(parts.query)), {k.lower(): v for k, v in self.headers.items()})
            answer = loopback.answer(service, request)
            if answer.hangs:
                loopback.released.wait(timeout=60)
                return
            body = answer.body[: len(answer.body) // 2] if answer.cut else answer.body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - as the base class has it

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    loopback = Loopback(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        loopback.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def torn(answer: Answer) -> Answer:
    """A good answer whose JSON ends in its middle."""
    return Answer(answer.body[: len(answer.body) // 2], answer.status, answer.headers)


def nulled(answer: Answer) -> Answer:
    """A good answer with null for every number, and for every text of a number."""
    text = re.sub(rb'(?<=[:\[,])\s*("?)-?\d+(\.\d+)?\1(?=\s*[,}\]])', b"null", answer.body)
    return Answer(text, answer.status, answer.headers)


def renamed(answer: Answer) -> Answer:
    """A good answer of a later version, in which every key has another name."""
    return Answer(re.sub(rb'"(\w+)"\s*:', rb'"new_\1":', answer.body), answer.status, answer.headers)


PAGE = Answer(b"<html>Maintenance</html>", headers={"Content-Type": "text/html"})
EMPTY = Answer(b"")
