"""Facts about regions: what a source gives, and the control plane's table of them.

A fact is one body of a kind for one region; what bodies hold is `bodies.py`'s matter.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from caribou.collectors.bodies import KINDS, Body, CarbonBody, Kind, PerformanceBody, ProviderBody
from caribou.collectors.clients import table_of
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.item_limits import MAX_ITEM_BYTES

_DAMAGES = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading a value of the wrong shape may raise."""
_SHOWN = 200
_HOUR = timedelta(hours=1)
EACH_DAY: Mapping[Kind, timedelta] = dict.fromkeys(KINDS, timedelta(days=1))
"""How often facts are collected, where a project does not say otherwise."""

MOST_FACTS = 100
_MOST_BYTES = 4 * 2**20
"""What one transaction takes (DynamoDB API Reference, TransactWriteItems): 100 actions, items of 4 MB in all."""
_WORTH_A_RETRY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Codes of CancellationReasons that pass (the same page): somebody else writes these items, or too much is written."""
_TURNS, _FIRST_WAIT_S = 6, 0.2
"""Up to 6 s in all: botocore does not try again what was cancelled."""

B = TypeVar("B", bound=Body)
B_co = TypeVar("B_co", bound=Body, covariant=True)


@dataclass(frozen=True, slots=True)
class Fact(Generic[B_co]):
    """What is known of a region: a body of one kind, from where, how it was made, and when it was got (UTC).

    It is to be used for `valid_for` from then on. Facts of earlier versions say neither how nor for how long: "", None.
    """

    region: str
    body: B_co
    source: str
    retrieved_at: datetime
    method: str = ""
    valid_for: timedelta | None = None

    @property
    def kind(self) -> Kind:
        """The kind of its body."""
        return self.body.kind

    @property
    def valid_until(self) -> datetime | None:
        """Until when it is to be used; None if it does not say."""
        return None if self.valid_for is None else self.retrieved_at + self.valid_for

    def to_item(self) -> dict[str, str]:
        """The fact as an item of the fact table; the body is JSON text, since DynamoDB has no floats."""
        return {
            "kind": self.kind,
            "region": self.region,
            "body": json.dumps(self.body.to_json(), sort_keys=True),
            "source": self.source,
            "retrieved_at": self.retrieved_at.isoformat(),
            "method": self.method,
            **({} if self.valid_for is None else {"valid_for_h": f"{self.valid_for / _HOUR:g}"}),
        }


class DamagedFactError(InvalidInputError):
    """An item of the fact table is not a fact."""


def fact_in(item: Mapping[str, Any], body: type[B]) -> Fact[B]:
    """The fact that `to_item` wrote, with a body of this type. Raises DamagedFactError for an item that is none."""
    try:
        return Fact(
            region=_text(item["region"]),
            body=body.from_json(json.loads(item["body"])),
            source=_text(item["source"]),
            retrieved_at=_aware(datetime.fromisoformat(item.get("retrieved_at") or item["collected_at"])),
            method=_text(item.get("method", "")),
            valid_for=float(item["valid_for_h"]) * _HOUR if "valid_for_h" in item else None,
        )
    except (*_DAMAGES, InvalidInputError) as error:
        raise DamagedFactError(
            "an item of the fact table is not a fact",
            where=f"{body.kind} of {_shown(item.get('region'))}",
            found=_shown(error),
            fix=f"run `caribou data_collect {body.kind}` again",
        ) from error


def _shown(value: object) -> str:
    return ascii(value).strip("'")[:_SHOWN]


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError("a region or a source that is no text")
    return value


def _aware(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return time


@dataclass(frozen=True, slots=True)
class Given(Generic[B_co]):
    """What a source gave: region to body, and of regions that it could not give, why."""

    bodies: Mapping[str, B_co]
    refused: Mapping[str, str] = field(default_factory=dict)


class FactSource(Protocol[B_co]):
    """Where the facts of one kind come from: a packaged snapshot, or a live service."""

    @property
    def origin(self) -> str:
        """What stands in the facts as their source."""

    @property
    def method(self) -> str:
        """How the figures are made, in a few words; a body's provenance may say it of one region, as `method`."""

    @property
    def valid_for(self) -> timedelta:
        """For how long a fact is to be used."""

    def collect(self, now: datetime, regions: Collection[str]) -> Given[B_co]:
        """What is known of regions as of `now` (aware); those that the source does not cover are in neither mapping.

        Raises OperationFailedError if nothing of it can be read.
        """


class FactTable(Protocol):
    """The control plane's table of facts."""

    def put(self, facts: Iterable[Fact[Body]]) -> None:
        """Write all of the facts or none, each in place of the earlier one of its kind and region.

        Whoever dies within it leaves the old facts or the new ones. Raises OperationFailedError, and the old ones stay,
        for more than `MOST_FACTS` of them, or larger ones than the table takes.
        """

    def of_kind(self, body: type[B]) -> list[Fact[B]]:
        """The facts with bodies of this type, one a region."""


@dataclass(frozen=True, slots=True)
class InMemoryFactTable:
    """A fact table in memory."""

    items: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def put(self, facts: Iterable[Fact[Body]]) -> None:
        """Write all of the facts or none."""
        self.items.update({(item["kind"], item["region"]): item for item in _checked_items(facts)})

    def of_kind(self, body: type[B]) -> list[Fact[B]]:
        """The facts with bodies of this type."""
        return [fact_in(item, body) for key, item in sorted(self.items.items()) if key[0] == body.kind]


class DynamoFactTable:
    """The fact table in DynamoDB. `sleep` is there for tests."""

    def __init__(self, name: str, region: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._table, self._sleep = table_of(name, region), sleep

    def put(self, facts: Iterable[Fact[Body]]) -> None:
        """Write all of the facts or none, in one transaction, which is tried again while others are in its way."""
        items = _checked_items(facts)
        for attempt in range(_TURNS):
            reasons = self._refused(items)
            if not reasons:
                return
            if not reasons <= _WORTH_A_RETRY:
                break
            if attempt < _TURNS - 1:
                self._sleep(random.uniform(0.5, 1.0) * _FIRST_WAIT_S * 2**attempt)  # noqa: S311 - apart, not secret
        raise OperationFailedError(
            f"the fact table took none of {len(items)} facts ({', '.join(sorted(reasons))}); the earlier ones stay. "
            "Try again later"
        )

    def _refused(self, items: Sequence[Mapping[str, str]]) -> set[str]:
        """Write the items; why DynamoDB cancelled that, which it does as a whole, by the codes of its items."""
        if not items:
            return set()
        name, client = self._table.name, self._table.meta.client
        try:
            client.transact_write_items(TransactItems=[{"Put": {"TableName": name, "Item": item}} for item in items])
        except client.exceptions.TransactionCanceledException as error:
            return _codes(error)
        return set()

    def of_kind(self, body: type[B]) -> list[Fact[B]]:
        """The facts with bodies of this type, read page by page."""
        condition = Key("kind").eq(body.kind)
        page = self._table.query(KeyConditionExpression=condition)
        items = list(page["Items"])
        while last := page.get("LastEvaluatedKey"):
            page = self._table.query(KeyConditionExpression=condition, ExclusiveStartKey=last)
            items += page["Items"]
        return [fact_in(item, body) for item in items]


def _checked_items(facts: Iterable[Fact[Body]]) -> list[dict[str, str]]:
    """The facts as items, the last one of each kind and region. Raises OperationFailedError if they are too many."""
    items = {(fact.kind, fact.region): fact.to_item() for fact in facts}
    sizes = [sum(len(name) + len(value.encode()) for name, value in item.items()) for item in items.values()]
    if len(items) > MOST_FACTS or sum(sizes) > _MOST_BYTES or max(sizes, default=0) > MAX_ITEM_BYTES:
        raise OperationFailedError(
            f"{len(items)} facts of {sum(sizes):,} bytes, the largest of {max(sizes):,}, can't be written as one: "
            f"the fact table takes {MOST_FACTS}, of {_MOST_BYTES:,} bytes in all and {MAX_ITEM_BYTES:,} each; "
            "the earlier ones stay"
        )
    return list(items.values())


def _codes(error: ClientError) -> set[str]:
    """Why a transaction was cancelled; DynamoDB says `None` of items that were not to blame."""
    reasons: Sequence[Mapping[str, str]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]  # of this error alone
    return {reason.get("Code", "None") for reason in reasons} - {"None"} or {"no reason given"}


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known about regions: region to fact, by kind; and after how long each kind is collected again."""

    carbon: Mapping[str, Fact[CarbonBody]]
    provider: Mapping[str, Fact[ProviderBody]]
    performance: Mapping[str, Fact[PerformanceBody]]
    every: Mapping[Kind, timedelta] = field(default_factory=lambda: EACH_DAY)

    def of(self, kind: Kind) -> Mapping[str, Fact[Body]]:
        """Region to fact of a kind."""
        by_kind: dict[Kind, Mapping[str, Fact[Body]]] = {
            "carbon": self.carbon,
            "provider": self.provider,
            "performance": self.performance,
        }
        return by_kind[kind]


def by_region(facts: Iterable[Fact[B]]) -> dict[str, Fact[B]]:
    """Region to fact."""
    return {fact.region: fact for fact in facts}


def read_facts(table: FactTable, every: Mapping[Kind, timedelta] = EACH_DAY) -> Facts:
    """Everything in the table; `every` is how often each kind is collected."""
    return Facts(
        carbon=by_region(table.of_kind(CarbonBody)),
        provider=by_region(table.of_kind(ProviderBody)),
        performance=by_region(table.of_kind(PerformanceBody)),
        every=every,
    )
