"""Facts about regions: what a source gives, and the control plane's table of them.

A fact is one body of a kind for one region; what bodies hold is `bodies.py`'s matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from boto3.dynamodb.conditions import Key

from caribou.collectors.bodies import Body, CarbonBody, Kind, PerformanceBody, ProviderBody
from caribou.collectors.clients import table_of
from caribou.model.errors import InvalidInputError

_DAMAGES = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading a value of the wrong shape may raise."""
_SHOWN = 200

B = TypeVar("B", bound=Body)
B_co = TypeVar("B_co", bound=Body, covariant=True)


@dataclass(frozen=True, slots=True)
class Fact(Generic[B_co]):
    """What is known of a region: a body of one kind, from where, and when it was collected (UTC)."""

    region: str
    body: B_co
    source: str
    collected_at: datetime

    @property
    def kind(self) -> Kind:
        """The kind of its body."""
        return self.body.kind

    def to_item(self) -> dict[str, str]:
        """The fact as an item of the fact table; the body is JSON text, since DynamoDB has no floats."""
        return {
            "kind": self.kind,
            "region": self.region,
            "body": json.dumps(self.body.to_json(), sort_keys=True),
            "source": self.source,
            "collected_at": self.collected_at.isoformat(),
        }


def fact_in(item: Mapping[str, Any], body: type[B]) -> Fact[B]:
    """The fact that `to_item` wrote, with a body of this type. Raises InvalidInputError for an item that is none."""
    try:
        return Fact(
            region=_text(item["region"]),
            body=body.from_json(json.loads(item["body"])),
            source=_text(item["source"]),
            collected_at=_aware(datetime.fromisoformat(item["collected_at"])),
        )
    except (*_DAMAGES, InvalidInputError) as error:
        raise InvalidInputError(
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


class FactSource(Protocol[B_co]):
    """Where the facts of one kind come from: a packaged snapshot, or a live API."""

    @property
    def origin(self) -> str:
        """What stands in the facts as their source."""

    def bodies(self, now: datetime) -> Mapping[str, B_co]:
        """Region to body, as of `now` (aware). Raises OperationFailedError if the source can't be read."""


class FactTable(Protocol):
    """The control plane's table of facts."""

    def put(self, facts: Iterable[Fact[Body]]) -> None:
        """Write facts, each in place of the earlier one of its kind and region."""

    def of_kind(self, body: type[B]) -> list[Fact[B]]:
        """The facts with bodies of this type, one a region."""


@dataclass(frozen=True, slots=True)
class InMemoryFactTable:
    """A fact table in memory."""

    items: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def put(self, facts: Iterable[Fact[Body]]) -> None:
        """Write facts."""
        self.items.update({(fact.kind, fact.region): fact.to_item() for fact in facts})

    def of_kind(self, body: type[B]) -> list[Fact[B]]:
        """The facts with bodies of this type."""
        return [fact_in(item, body) for key, item in sorted(self.items.items()) if key[0] == body.kind]


class DynamoFactTable:
    """The fact table in DynamoDB."""

    def __init__(self, name: str, region: str) -> None:
        self._table = table_of(name, region)

    def put(self, facts: Iterable[Fact[Body]]) -> None:
        """Write facts, 25 in a request."""
        with self._table.batch_writer() as batch:
            for fact in facts:
                batch.put_item(Item=fact.to_item())

    def of_kind(self, body: type[B]) -> list[Fact[B]]:
        """The facts with bodies of this type, read page by page."""
        condition = Key("kind").eq(body.kind)
        page = self._table.query(KeyConditionExpression=condition)
        items = list(page["Items"])
        while last := page.get("LastEvaluatedKey"):
            page = self._table.query(KeyConditionExpression=condition, ExclusiveStartKey=last)
            items += page["Items"]
        return [fact_in(item, body) for item in items]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known about regions: region to fact, by kind."""

    carbon: Mapping[str, Fact[CarbonBody]]
    provider: Mapping[str, Fact[ProviderBody]]
    performance: Mapping[str, Fact[PerformanceBody]]

    def of(self, kind: Kind) -> Mapping[str, Fact[Body]]:
        """Region to fact of a kind."""
        by_kind: dict[Kind, Mapping[str, Fact[Body]]] = {
            "carbon": self.carbon,
            "provider": self.provider,
            "performance": self.performance,
        }
        return by_kind[kind]


def facts_of(source: FactSource[B], now: datetime) -> list[Fact[B]]:
    """Everything that a source has as of `now`."""
    return [Fact(region, body, source.origin, now) for region, body in source.bodies(now).items()]


def collect(source: FactSource[Body], table: FactTable, now: datetime) -> int:
    """Write what a source has into the table; the number of facts written."""
    facts = facts_of(source, now)
    table.put(facts)
    return len(facts)


def by_region(facts: Iterable[Fact[B]]) -> dict[str, Fact[B]]:
    """Region to fact."""
    return {fact.region: fact for fact in facts}


def read_facts(table: FactTable) -> Facts:
    """Everything in the table."""
    return Facts(
        carbon=by_region(table.of_kind(CarbonBody)),
        provider=by_region(table.of_kind(ProviderBody)),
        performance=by_region(table.of_kind(PerformanceBody)),
    )
