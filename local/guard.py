"""Who may speak to the local cloud: programs that know its secret, never a web page.

It makes and runs functions, so whoever reaches it can run code as this user. A page in a browser reaches loopback, and
so does every user of the machine. Hence each request

1. names this machine in `Host`, so that no foreign name leads here (DNS rebinding);
2. comes from no page: browsers add `Origin` and `Sec-Fetch-Site`, SDKs do not. No answer has CORS headers;
3. is signed (AWS Signature Version 4) with the secret of the cloud's state folder, or with keys that the emulator
   itself gave out. The account stays what the access key says, twelve digits.

Open to all without a signature: the health check, and the code behind the link that GetFunction gives, as on AWS, where
the link is signed. Runs on MiniStack's own Python, where there is no `caribou`: standard library only.
"""

# ruff: noqa: ANN401, SLF001 - this module handles MiniStack's modules and looks into their private tables

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

App = Callable[[Any, Any, Any], Awaitable[None]]
_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?", re.IGNORECASE)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_OPEN = re.compile(r"/_ministack/(health|lambda-code/.*)")
_TYPED = "none"
"""`Sec-Fetch-Site` of an address that a person typed or a program opened, such as a presigned link."""
_REMEDY = 'take the variables of: eval "$(caribou local env)"'
_NAMES = {
    "ministack.core.sigv4": ("parse_header_signature", "parse_query_signature", "header_signature_failure"),
    "ministack.core.iam_evaluator": ("find_iam_access_key_account",),
    "ministack.services.sts": ("_sessions",),
    "ministack.services.iam": ("_access_keys",),
}


class _Refusal(NamedTuple):
    """Why a request is refused: AWS's code, and in words."""

    code: str
    message: str


def guarded(app: App) -> App:
    """The ASGI app behind the guard. Raises RuntimeError if this MiniStack lacks a name that is relied on."""
    for module, names in _NAMES.items():
        loaded = import_module(module)
        if missing := [name for name in names if not hasattr(loaded, name)]:
            raise RuntimeError(
                f"{module} has no {', '.join(missing)}: local/guard.py was written for another MiniStack"
            )

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
        elif scope["type"] == "http":
            await _answer_http(app, scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    return answer


async def _answer_http(app: App, scope: Any, receive: Any, send: Any) -> None:
    headers = _headers(scope)
    refusal = _of_a_page(headers)
    if refusal is not None:
        await _refuse(send, headers, refusal)
        return
    if scope["method"] != "GET" or _OPEN.fullmatch(scope["path"]) is None:
        body = await _body(receive)
        if (refusal := _of_a_stranger(scope, headers, body)) is not None:
            await _refuse(send, headers, refusal)
            return
        receive = _again(body, receive)
    await app(scope, receive, _without_cors(send))


def _headers(scope: Any) -> dict[str, str]:
    """Names in small letters to values; one that stands several times has all of them, as AWS signs them."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("utf-8", errors="replace")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _of_a_page(headers: Mapping[str, str]) -> _Refusal | None:
    if _HOST.fullmatch(headers.get("host", "")) is None:
        return _Refusal("AccessDenied", "the local cloud is called 127.0.0.1 or localhost")
    if "origin" in headers or headers.get("sec-fetch-site", _TYPED) != _TYPED:
        return _Refusal("AccessDenied", "the local cloud does not speak to web pages")
    return None


def _of_a_stranger(scope: Any, headers: Mapping[str, str], body: bytes) -> _Refusal | None:
    """Why a request's signature is none of ours; None if it is."""
    sigv4: Any = import_module("ministack.core.sigv4")
    query = parse_qs(scope["query_string"].decode("utf-8", errors="replace"), keep_blank_values=True)
    presigned = "authorization" not in headers
    signature = sigv4.parse_query_signature(query) if presigned else sigv4.parse_header_signature(headers)
    if isinstance(signature, tuple):
        return _Refusal("MissingAuthenticationToken", f"the request is not signed; {_REMEDY}")
    secret = _secret_of(signature.access_key_id)
    if secret is None:
        return _Refusal("InvalidClientTokenId", f"this access key is not known here; {_REMEDY}")
    path = scope["raw_path"].decode("latin-1")
    if sigv4.header_signature_failure(
        signature, secret, scope["method"], path, query, headers, body, presigned=presigned
    ):
        return _Refusal("SignatureDoesNotMatch", f"the secret access key is not this local cloud's; {_REMEDY}")
    return None


def _secret_of(access_key: str) -> str | None:
    """The secret of an access key: of an account's root, of a session, or of a user; None if there is no such key."""
    if _ACCOUNT.fullmatch(access_key):
        return os.environ["AWS_SECRET_ACCESS_KEY"]
    sts: Any = import_module("ministack.services.sts")
    session = sts._sessions.get(access_key)
    if session is None:
        session = _users_key(access_key)
    return None if session is None else session.get("SecretAccessKey")


def _users_key(access_key: str) -> Any:
    iam, evaluator = import_module("ministack.services.iam"), import_module("ministack.core.iam_evaluator")
    try:
        account = evaluator.find_iam_access_key_account(access_key)
    except ValueError:  # several accounts have it
        return None
    return None if account is None else iam._access_keys.get_scoped(account, None, access_key)


async def _body(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Any) -> Any:
    """The body that was read, once more, then whatever comes."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return waiting.pop() if waiting else await receive()

    return receive_again


def _without_cors(send: Any) -> Any:
    async def send_without(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [item for item in message["headers"] if not item[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_without


async def _refuse(send: Any, headers: Mapping[str, str], refusal: _Refusal) -> None:
    """Answer as AWS does, so that SDKs show the message: XML, but JSON to who speaks JSON."""
    if "json" in headers.get("content-type", "") or "x-amz-target" in headers:
        content_type, body = "application/json", json.dumps({"__type": refusal.code, "message": refusal.message})
    else:
        error = f"<Error><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message></Error>"
        is_s3 = "/s3/aws4_request" in headers.get("authorization", "")
        content_type, body = "application/xml", error if is_s3 else f"<ErrorResponse>{error}</ErrorResponse>"
    head = [(b"content-type", content_type.encode()), (b"x-amzn-errortype", refusal.code.encode())]
    await send({"type": "http.response.start", "status": 403, "headers": head})
    await send({"type": "http.response.body", "body": body.encode()})
