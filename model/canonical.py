"""Canonical JSON and its digest: the same value gives the same bytes everywhere."""

from __future__ import annotations

import hashlib
import json


def canonical_json(value: object) -> str:
    """The value as JSON with sorted keys, no spaces and plain UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: object) -> str:
    """SHA-256 of the value's canonical JSON, as hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def ordered_digest_of(value: object) -> str:
    """SHA-256 of the value's JSON, in which keys stand in the value's own order: where that order counts."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
