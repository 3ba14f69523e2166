"""What AWS refuses, and the forms in memory with it: sizes, keys, numbers, characters.

DynamoDB: `caribou.model.item_limits`; SNS: `Publish`; SQS: `SendMessage`; S3: "Object keys".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from caribou.model.item_limits import MAX_ITEM_BYTES, MAX_NUMBER, MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES

MAX_MESSAGE_BYTES = 256 * 1024
MAX_OBJECT_KEY_BYTES = 1024
_NO_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class RefusedError(ValueError):
    """AWS would refuse this: as the ValidationException, or whatever it is called there."""


def check_item(partition_key: str, sort_key: str | None, texts: Iterable[str], numbers: Iterable[float] = ()) -> None:
    """An item of DynamoDB, by its keys and what else is in it."""
    check_key(partition_key, MAX_PARTITION_KEY_BYTES)
    if sort_key is not None:
        check_key(sort_key, MAX_SORT_KEY_BYTES)
    size = sum(size_of(text) for text in (partition_key, sort_key or "", *texts))
    if size > MAX_ITEM_BYTES:
        raise RefusedError(f"an item of {size} bytes; DynamoDB keeps {MAX_ITEM_BYTES}")
    for number in numbers:
        if not math.isfinite(number) or abs(number) > MAX_NUMBER:
            raise RefusedError(f"the number {number}; DynamoDB keeps up to {MAX_NUMBER}")


def check_key(key: str, most_bytes: int) -> None:
    """A key: some text, not too long."""
    if not 0 < size_of(key) <= most_bytes:
        raise RefusedError(f"a key of {size_of(key)} bytes; 1 to {most_bytes} are taken")


def check_message(text: str) -> None:
    """A message that SNS takes, and hands to a queue if a function is not there."""
    if not 0 < size_of(text) <= MAX_MESSAGE_BYTES:
        raise RefusedError(f"a message of {size_of(text)} bytes; SNS takes 1 to {MAX_MESSAGE_BYTES}")
    if found := _NO_CHARACTERS.search(text):
        raise RefusedError(f"the character {found[0]!a}, which SQS refuses")


def size_of(text: str) -> int:
    """Size of a text in UTF-8; half a character is none."""
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise RefusedError(f"text that is no Unicode: {error.object[error.start : error.end]!r}") from error
