"""Fields of a message as they are read: of the type, the length and the range that they may have, else ValueError.

What is checked here needs no check further in: it fits into keys and numbers of every service behind the border.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_NAME_BYTES = 512
"""Of nodes, edges, versions and digests: far more than any that synth lets through."""
MAX_RUN_ID_BYTES = 256
"""So that a run's keys fit into DynamoDB (2048 bytes) and S3 (1024 bytes) with all that is added to them."""
_MAX_KEY_BYTES = 1024
"""Of an S3 key."""
LAST_SECOND = 253_402_300_799
"""The last second of the year 9999, the last that Python's dates have."""
_REGION = re.compile(r"[a-z0-9-]{1,40}")


def text_of(data: Mapping[str, Any], name: str, most_bytes: int = MAX_NAME_BYTES) -> str:
    """A text of 1 to so many bytes."""
    value = _unicode(data[name], name)
    if not 0 < len(value.encode()) <= most_bytes:
        raise ValueError(f"{name} has 1 to {most_bytes} bytes")
    return value


def optional_text_of(data: Mapping[str, Any], name: str, most_bytes: int = MAX_NAME_BYTES) -> str | None:
    """The same, or None."""
    return None if data[name] is None else text_of(data, name, most_bytes)


def run_name_of(data: Mapping[str, Any], name: str) -> str:
    """The name of a run."""
    if not is_run_name(data[name]):
        raise ValueError(f"{name} has 1 to {MAX_RUN_ID_BYTES} bytes of printable characters, and no #")
    return str(data[name])


def is_run_name(value: object) -> bool:
    """Whether a value can name a run, everywhere that a run is named.

    `#` stands between a run's name and a node's in keys, and roles know functions' keys by what comes after it.
    """
    if not isinstance(value, str) or not value.isprintable() or "#" in value:  # half a character is not printable
        return False
    return 0 < len(value.encode()) <= MAX_RUN_ID_BYTES


def payload_of(data: Mapping[str, Any], name: str) -> str | None:
    """Encoded text of any length, or None."""
    return None if data[name] is None else _unicode(data[name], name)


def count_of(data: Mapping[str, Any], name: str, most: int) -> int:
    """A whole number from 0 to `most`."""
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{name} is a whole number from 0 to {most}")
    return value


def seconds_of(data: Mapping[str, Any], name: str) -> float:
    """Seconds since 1970."""
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LAST_SECOND:
        raise ValueError(f"{name} is in seconds since 1970")
    return float(value)


def truth_of(data: Mapping[str, Any], name: str) -> bool:
    """True or False."""
    value = data[name]
    if not isinstance(value, bool):
        raise ValueError(f"{name} is true or false")  # noqa: TRY004 - one error for all that is wrong in a message
    return value


def region_of(data: Mapping[str, Any], name: str) -> str:
    """What may be a region's name: it becomes part of a host's."""
    return _region(data[name])


def key_of(data: Mapping[str, Any], name: str) -> str:
    """The key of an object."""
    return text_of(data, name, _MAX_KEY_BYTES)


def regions_of(data: Mapping[str, Any], name: str) -> dict[str, str]:
    """Node to region, out of a mapping of regions to lists of nodes."""
    groups = _mapping(data[name], name)
    found: dict[str, str] = {}
    for region, nodes in groups.items():
        if not isinstance(nodes, list):
            raise ValueError(f"{name} has a list of nodes by region")  # noqa: TRY004
        found |= {text_of({"node": node}, "node"): _region(region) for node in nodes}
    return found


def region_by_node(value: Any) -> dict[str, str]:  # noqa: ANN401 - any JSON value
    """Node to region, as a run item has it."""
    nodes = _mapping(value, "regions")
    return {text_of({"node": node}, "node"): _region(region) for node, region in nodes.items()}


def seconds_in(value: str) -> float:
    """Seconds since 1970, out of a number of a table, which may be larger than any of ours."""
    number = float(value)
    if not 0 <= number <= LAST_SECOND:
        raise ValueError(f"{value} is no number of seconds since 1970")
    return number


def _region(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str) or not _REGION.fullmatch(value):
        raise ValueError("a region's name has small letters, digits and `-`")
    return value


def _mapping(value: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is an object")  # noqa: TRY004
    return value


def _unicode(value: Any, name: str) -> str:  # noqa: ANN401 - any JSON value
    """A text without halves of characters."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is text")  # noqa: TRY004
    value.encode()
    return value
