"""What DynamoDB takes as an item, for the forms of its tables in memory: they must refuse what it would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caribou.model.item_limits import (
    MAX_ITEM_BYTES,
    MAX_NUMBER_DIGITS,
    MAX_PARTITION_KEY_BYTES,
    MAX_SORT_KEY_BYTES,
)


def refusal(item: Mapping[str, Any], partition: str, sort: str) -> str | None:
    """Why DynamoDB would not take an item of texts and whole numbers with these keys; None if it would."""
    try:
        sizes = {name: _size(value) for name, value in item.items()}
    except UnicodeEncodeError:
        return "a text has half a character"
    reasons = (
        (not 0 < sizes[partition] <= MAX_PARTITION_KEY_BYTES, f"{partition} has {sizes[partition]} bytes"),
        (not 0 < sizes[sort] <= MAX_SORT_KEY_BYTES, f"{sort} has {sizes[sort]} bytes"),
        (
            any(_digits(value) > MAX_NUMBER_DIGITS for value in item.values()),
            f"a number has over {MAX_NUMBER_DIGITS} digits",
        ),
        (sum(sizes.values()) + sum(map(len, item)) > MAX_ITEM_BYTES, "the item has over 400 KB"),
    )
    return next((reason for applies, reason in reasons if applies), None)


def _size(value: str | int) -> int:
    """Bytes that a value counts: of a number about one for two digits, and one."""
    return len(value.encode()) if isinstance(value, str) else _digits(value) // 2 + 1


def _digits(value: object) -> int:
    return len(str(abs(value)).rstrip("0")) if isinstance(value, int) else 0
