"""Texts as queues, topics and tables take them: what user code says may have any length, and halves of characters."""

from __future__ import annotations

import re

MAX_ERROR_CHARACTERS = 2000
"""Of an error or a reason. It stands in run items, parked messages and run records, all of which have limits."""
_NO_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What is no character of XML 1.0, which SQS keeps to, or none of Unicode, which no service takes."""
_TYPE = re.compile(r"[\w.]{1,100}")


def storable(text: str, most: int = MAX_ERROR_CHARACTERS) -> str:
    """The text, cut to so many characters, with what can't be kept as an escape of it."""
    return _NO_CHARACTERS.sub(lambda found: ascii(found[0])[1:-1], text[:most])[:most]


def error_text(error: BaseException) -> str:
    """An exception's type and text, as they are kept: user code's may have any text, or none at all."""
    try:
        text = str(error)
    except Exception as failed:  # noqa: BLE001 - user code's own `__str__`
        text = f"(its text can't be had: {type(failed).__name__})"
    return storable(f"{type(error).__name__}: {text}")


def error_type(error: str | None) -> str | None:
    """The type alone of an error's type and text."""
    if error is None:
        return None
    found = _TYPE.match(error)
    return found.group() if found else "Exception"


def escaped_json(text: str) -> str:
    """JSON whose texts have no U+FFFE and U+FFFF, which SQS refuses, but their escapes: the same value."""
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
