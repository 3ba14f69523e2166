"""A table below botocore that takes transactions as DynamoDB documents them, strictly: MiniStack has no conflicts."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSResponse

MOST_ACTIONS, MOST_BYTES, MOST_ITEM_BYTES = 100, 4 * 2**20, 400 * 2**10


class Killed(BaseException):
    """The process ended here."""


@dataclass
class TransactingTable:
    """What stands in a table of facts, by kind and region.

    Each of `first` is done at a request: it may raise Killed, or give the codes of a cancellation. `killed_after` ends
    the process once the table has written.
    """

    items: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    first: list[Callable[[], list[str] | None]] = field(default_factory=list)
    killed_after: bool = False
    requests: int = 0

    def serve(self, table: Any) -> None:
        """Answer what is asked of a table."""
        table.meta.client.meta.events.register("before-send.dynamodb", self._answer)

    def _answer(self, request: Any, **_: object) -> AWSResponse:
        target, body = request.headers["X-Amz-Target"], json.loads(request.body)
        target = target.decode() if isinstance(target, bytes) else target
        if target.endswith(".Query"):
            return _response(request.url, {"Items": self._of_kind(body)})
        assert target.endswith(".TransactWriteItems"), target
        self.requests += 1
        codes = self.first.pop(0)() if self.first else None
        if codes is not None:
            return _response(request.url, _cancelled(codes), 400)
        written = [_plain(action["Put"]["Item"]) for action in body["TransactItems"]]
        _check(written)
        self.items.update({(item["kind"], item["region"]): item for item in written})
        if self.killed_after:
            raise Killed
        return _response(request.url, {})

    def _of_kind(self, query: dict[str, Any]) -> list[dict[str, dict[str, str]]]:
        (kind,) = (value["S"] for value in query["ExpressionAttributeValues"].values())
        found = [item for key, item in sorted(self.items.items()) if key[0] == kind]
        return [{name: {"S": value} for name, value in item.items()} for item in found]


def _check(items: list[dict[str, str]]) -> None:
    sizes = [sum(len(name) + len(value.encode()) for name, value in item.items()) for item in items]
    assert len({(item["kind"], item["region"]) for item in items}) == len(items) <= MOST_ACTIONS
    assert max(sizes) <= MOST_ITEM_BYTES
    assert sum(sizes) <= MOST_BYTES


def _plain(item: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: value["S"] for name, value in item.items()}


def _cancelled(codes: list[str]) -> dict[str, object]:
    reasons = [{"Code": code} for code in codes]
    return {"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "CancellationReasons": reasons}


def _response(url: str, value: object, status: int = 200) -> AWSResponse:
    body = json.dumps(value).encode()
    raw = io.BytesIO(body)
    raw.stream = lambda **_: iter([body])  # type: ignore[attr-defined]  # as urllib3's have it
    return AWSResponse(url, status, {}, raw)
