"""What DynamoDB takes as an item: AWS, "Quotas in Amazon DynamoDB" and "Item sizes and formats"."""

from __future__ import annotations

MAX_ITEM_BYTES = 400 * 1024
"""Names and values of all attributes together."""
MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES = 2048, 1024
MAX_NUMBER, MAX_NUMBER_DIGITS = 9.99e125, 38
