"""What each field of a run record may be: its type, and the range that Lambda leaves it.

A record is outside data, since whoever may write to a log decides what stands there. What passes here can be stored,
sorted, added up and printed as a date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from caribou.model.run.fields import LAST_SECOND, is_run_name
from caribou.model.run.record import EndpointRecord, RunRecord, SuccessorRecord

LAMBDA_MAX_S = 900.0
"""The longest that an invocation may take."""
LAMBDA_VCPUS = 6
LAMBDA_MEMORY_MB = (128, 10_240)
MAX_BYTES = 10**13
"""What 900 s at 100 Gbit/s can move."""
MAX_ATTEMPTS = 10_000
"""Three tries each time that it was sent: by a redrive, or every minute by the sweeper while a region is out."""
MAX_ENDPOINTS = 11
"""Ten by themselves, and all others together."""
MAX_CALLS_AT_ONCE = 1000
"""Lambda's limit on threads is 1,024."""
_NAME_BYTES = 300
"""Of nodes and edges: two functions of 64 characters each, and numbers. With a run's id the key has 1,024 bytes."""

_Range = tuple[float, float]
_TEXTS: Mapping[str, int] = dict.fromkeys(
    ("workflow", "workflow_version", "node", "function", "region", "placement"), _NAME_BYTES
)
_FLAGS = ("cold_start", "redirect", "stays_home")
_SECONDS: Mapping[str, _Range] = {
    "started_at": (0, LAST_SECOND),
    "duration_s": (0, LAMBDA_MAX_S),
    "cpu_s": (0, LAMBDA_MAX_S * LAMBDA_VCPUS),
}
_SOMETIMES: Mapping[str, _Range] = {
    "sent_at": (0, LAST_SECOND),
    "init_s": (0, LAMBDA_MAX_S),
    "import_s": (0, LAMBDA_MAX_S),
    "import_cpu_s": (0, LAMBDA_MAX_S * LAMBDA_VCPUS),
}
"""Which may be None."""
_SIZES = ("result_bytes",)
"""Numbers of bytes which may be None."""
_COUNTS: Mapping[str, _Range] = {
    "attempt": (1, MAX_ATTEMPTS),
    "memory_mb": LAMBDA_MEMORY_MB,
    "bytes_in": (0, MAX_BYTES),
    "bytes_out": (0, MAX_BYTES),
}


def wrong_field(record: RunRecord) -> str | None:
    """The first field of a record that has another type or range than it can have, with its value; or None."""
    return next((f"{name} = {ascii(value)[:60]}" for name, value in _wrong(record)), None)


def _wrong(record: RunRecord) -> Iterator[tuple[str, Any]]:
    if not is_run_name(record.run_id):
        yield "run_id", record.run_id
    texts = {name: (getattr(record, name), size) for name, size in _TEXTS.items()}
    texts |= {"edge": (record.edge, _NAME_BYTES)} if record.edge is not None else {}
    yield from ((name, value) for name, (value, size) in texts.items() if not _is_text(value, size))
    yield from ((name, value) for name in _FLAGS if not isinstance(value := getattr(record, name), bool))
    for name, bounds in {**_SECONDS, **_COUNTS}.items():
        if not _is_number(value := getattr(record, name), bounds, whole=name in _COUNTS):
            yield name, value
    for name, bounds in _SOMETIMES.items():
        if (seconds := getattr(record, name)) is not None and not _is_number(seconds, bounds):
            yield name, seconds
    for name in _SIZES:
        if not _is_size(size_bytes := getattr(record, name)):
            yield name, size_bytes
    if not isinstance(record.error, str | None):
        yield "error", record.error
    if len(record.external) > MAX_ENDPOINTS:
        yield "external, how many", len(record.external)
    yield from (wrong for successor in record.successors for wrong in _wrong_in(successor))
    yield from (wrong for endpoint in record.external for wrong in _wrong_of(endpoint))


def _wrong_in(successor: SuccessorRecord) -> Iterator[tuple[str, Any]]:
    where = ascii(successor.edge)[:60]
    texts = {"edge": successor.edge, "node": successor.node}
    texts |= {"region": successor.region} if successor.region is not None else {}
    yield from ((f"{name} of {where}", value) for name, value in texts.items() if not _is_text(value, _NAME_BYTES))
    for name, value in (("offset_s", successor.offset_s), ("seconds", successor.seconds)):
        if not _is_number(value, (0, LAMBDA_MAX_S)):
            yield f"{name} of {where}", value
    if not _is_number(successor.payload_bytes, (0, MAX_BYTES), whole=True):
        yield f"payload_bytes of {where}", successor.payload_bytes
    if not _is_size(successor.message_bytes):
        yield f"message_bytes of {where}", successor.message_bytes


def _wrong_of(endpoint: EndpointRecord) -> Iterator[tuple[str, Any]]:
    where = ascii(endpoint.host)[:60]
    texts = {"service": endpoint.service}
    texts |= {"region": endpoint.region} if endpoint.region is not None else {}
    texts |= {"host": endpoint.host} if endpoint.host != "" else {}
    yield from ((f"{name} of {where}", value) for name, value in texts.items() if not _is_text(value, _NAME_BYTES))
    for name in ("calls", "attempts", "bytes_out", "bytes_in"):
        if not _is_number(value := getattr(endpoint, name), (0, MAX_BYTES), whole=True):
            yield f"{name} of {where}", value
    if not _is_size(endpoint.puts):
        yield f"puts of {where}", endpoint.puts
    if (trips := endpoint.round_trips) is not None and not _is_number(trips, (0, MAX_BYTES), whole=True):
        yield f"round_trips of {where}", trips
    for name in ("seconds", "busy_s"):
        if not _is_number(value := getattr(endpoint, name), (0, LAMBDA_MAX_S * MAX_CALLS_AT_ONCE)):
            yield f"{name} of {where}", value


def _is_text(value: object, size_bytes: int) -> bool:
    """Whether it is a text of at least a character that UTF-8 has, which half a character is not."""
    try:
        return isinstance(value, str) and 0 < len(value.encode()) <= size_bytes
    except UnicodeEncodeError:
        return False


def _is_size(value: object) -> bool:
    return value is None or _is_number(value, (0, MAX_BYTES), whole=True)


def _is_number(value: object, bounds: _Range, *, whole: bool = False) -> bool:
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and bounds[0] <= value <= bounds[1]
