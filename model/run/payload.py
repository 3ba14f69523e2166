"""Payloads: any JSON value and bytes, nested too, as JSON that no ordinary value can be mistaken for.

Bytes become `{"$bytes": "<base64>"}`, and what JSON has no number for `{"$float": "nan"}`. A user's key that starts
with `$` gets a second `$`, so that an object which happens to look like ours comes back as it was. A key that is a
number, a truth value or None arrives as Python's JSON writes it: as text.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
from collections.abc import Mapping
from typing import Any

from caribou.model.errors import InvalidPayloadError

_BYTES_KEY = "$bytes"
_FLOAT_KEY = "$float"


def encode(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """The payload as compact JSON text, taken as it is now. Raises InvalidPayloadError, which names the path."""
    try:
        text = json.dumps(_encoded(value, "payload"), separators=(",", ":"), ensure_ascii=False)
        text.encode()
    except RecursionError as error:
        raise _refusal("payload", "a value that contains itself, or is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise _refusal("payload", f"text that is no Unicode: {error.object[error.start : error.end]!r}") from error
    except ValueError as error:
        raise _refusal("payload", f"a number of too many digits: {error}") from error
    return text


def encode_within(value: Any, limit_bytes: int) -> str | None:  # noqa: ANN401 - anything
    """The payload's text if it has at most so many bytes; None if it has more, or is no payload.

    What is far too large is not encoded to find that out. Raises nothing, whatever the value does.
    """
    try:
        if _left(value, limit_bytes) < 0:
            return None
        text = encode(value)
    except Exception:  # noqa: BLE001 - a value's own methods may raise anything
        return None
    return text if len(text.encode()) <= limit_bytes else None


def _left(value: Any, budget: int) -> int:  # noqa: ANN401 - anything
    """What is left of a budget of bytes after the least that a value can take; looks no further once it is spent."""
    if isinstance(value, str | bytes | bytearray):
        return budget - len(value)
    if isinstance(value, int):
        return budget - value.bit_length() // 4
    if isinstance(value, memoryview):
        return budget - value.nbytes
    items = itertools.chain.from_iterable(value.items()) if isinstance(value, dict) else value
    if isinstance(value, dict | list | tuple):
        for item in items:
            budget = _left(item, budget - 1)
            if budget < 0:
                break
    return budget


def decode(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The payload that `encode` made the text of. Raises InvalidPayloadError for any other text."""
    try:
        return _decoded(json.loads(text))
    except RecursionError as error:
        raise _refusal("payload", "a value that is nested too deeply") from error
    except (ValueError, TypeError) as error:
        raise _refusal("payload", f"text that no payload is encoded as: {error}") from error


def received(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The payload as user code receives it: an empty dict if there is none, so that a function may look into it."""
    payload = decode(text)
    return {} if payload is None else payload


def _encoded(value: Any, path: str) -> Any:  # noqa: ANN401 - one return a kind of value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_FLOAT_KEY: str(float(value))}
    if isinstance(value, bytes | bytearray | memoryview):
        return {_BYTES_KEY: base64.b64encode(value).decode()}
    if isinstance(value, list | tuple):
        return [_encoded(item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict):
        return _encoded_object(value, path)
    raise _refusal(path, _named(type(value)))


def _encoded_object(value: Mapping[Any, Any], path: str) -> dict[str, Any]:
    encoded: dict[str, Any] = {}
    for key, item in value.items():
        text = _key(key, path)
        if text in encoded:
            raise _refusal(f"{path} key {key!r}", "another key that is the same as text")
        encoded[text] = _encoded(item, f"{path}.{key}")
    return encoded


def _key(key: Any, path: str) -> str:  # noqa: ANN401
    if key is None or isinstance(key, bool | int | float):
        return json.dumps(key)
    if not isinstance(key, str):
        raise _refusal(f"{path} key {key!r}", _named(type(key)))
    return "$" + key if key.startswith("$") else key  # not formatted: a key may be an enum's, with a text of its own


def _named(kind: type) -> str:
    """A type's name, with its module where that is not Python itself: numpy's `bool` is not ours."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _refusal(path: str, found: object) -> InvalidPayloadError:
    return InvalidPayloadError(
        "can't travel between functions",
        where=path,
        found=found,
        fix="send JSON values (numbers, texts, lists, dicts with keys that differ as text) and bytes only; "
        "`.item()` and `.tolist()` make such of what numpy has",
    )


def _decoded(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_BYTES_KEY}:
        return base64.b64decode(value[_BYTES_KEY])
    if value.keys() == {_FLOAT_KEY}:
        return float(value[_FLOAT_KEY])
    return {key.removeprefix("$"): _decoded(item) for key, item in value.items()}
