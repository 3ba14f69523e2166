"""Facts about regions: what a collector learns, and the control plane's table of them.

A fact is one body of a kind for one region. Kinds and their bodies:

- `carbon`: `{"average", "hourly": [24], "provenance": {…}}`, g CO2eq/kWh by hour of day, UTC; and `"marginal"`, the
  annual mean of marginal intensity, where somebody tells it;
- `provider`: `{"pue", "cpu_kw_per_vcpu": {"idle", "full"}, "memory_kw_per_gb", "price_usd": {…}, "provenance": {…}}`;
- `performance`: `{"relative_run_time", "ping_s": {TO: [samples]}, "provenance": {…}}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, get_args

import boto3
from boto3.dynamodb.conditions import Key

from caribou.model.errors import InvalidInputError

Json = dict[str, Any]
Kind = Literal["carbon", "provider", "performance"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a region: a body of one kind, from where, and when it was collected (UTC)."""

    kind: Kind
    region: str
    body: Json
    source: str
    collected_at: datetime

    def to_item(self) -> dict[str, str]:
        """The fact as an item of the fact table; the body is JSON text, since DynamoDB has no floats."""
        return {
            "kind": self.kind,
            "region": self.region,
            "body": json.dumps(self.body, sort_keys=True),
            "source": self.source,
            "collected_at": self.collected_at.isoformat(),
        }

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Fact:
        """The fact that `to_item` wrote. Raises InvalidInputError for an item that is none."""
        try:
            return cls(
                kind=item["kind"],
                region=item["region"],
                body=json.loads(item["body"]),
                source=item["source"],
                collected_at=datetime.fromisoformat(item["collected_at"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(
                "an item of the fact table is not a fact",
                where=f"{item.get('kind')} of {item.get('region')}",
                found=repr(error),
                fix=f"run `caribou data_collect {item.get('kind')}` again",
            ) from error


class FactSource(Protocol):
    """Where the facts of one kind come from: the packaged snapshot now, a live API later."""

    @property
    def kind(self) -> Kind:
        """The kind of its facts."""

    @property
    def name(self) -> str:
        """What stands in the facts as their source."""

    def bodies(self, now: datetime) -> Mapping[str, Json]:
        """Region to body, as of `now` (aware)."""


class FactTable(Protocol):
    """The control plane's table of facts."""

    def put(self, facts: Iterable[Fact]) -> None:
        """Write facts, each in place of the earlier one of its kind and region."""

    def of_kind(self, kind: Kind) -> list[Fact]:
        """The facts of a kind, one a region."""


@dataclass(frozen=True, slots=True)
class InMemoryFactTable:
    """A fact table in memory."""

    items: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def put(self, facts: Iterable[Fact]) -> None:
        """Write facts."""
        self.items.update({(fact.kind, fact.region): fact.to_item() for fact in facts})

    def of_kind(self, kind: Kind) -> list[Fact]:
        """The facts of a kind."""
        return [Fact.from_item(item) for key, item in sorted(self.items.items()) if key[0] == kind]


class DynamoFactTable:
    """The fact table in DynamoDB."""

    def __init__(self, name: str, region: str) -> None:
        self._table = boto3.resource("dynamodb", region_name=region).Table(name)

    def put(self, facts: Iterable[Fact]) -> None:
        """Write facts, 25 in a request."""
        with self._table.batch_writer() as batch:
            for fact in facts:
                batch.put_item(Item=fact.to_item())

    def of_kind(self, kind: Kind) -> list[Fact]:
        """The facts of a kind, read page by page."""
        condition = Key("kind").eq(kind)
        page = self._table.query(KeyConditionExpression=condition)
        items = list(page["Items"])
        while last := page.get("LastEvaluatedKey"):
            page = self._table.query(KeyConditionExpression=condition, ExclusiveStartKey=last)
            items += page["Items"]
        return [Fact.from_item(item) for item in items]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known about regions: region to fact, by kind."""

    carbon: Mapping[str, Fact]
    provider: Mapping[str, Fact]
    performance: Mapping[str, Fact]

    def of(self, kind: Kind) -> Mapping[str, Fact]:
        """Region to fact of a kind."""
        by_kind: dict[Kind, Mapping[str, Fact]] = {
            "carbon": self.carbon,
            "provider": self.provider,
            "performance": self.performance,
        }
        return by_kind[kind]


def facts_of(source: FactSource, now: datetime) -> list[Fact]:
    """Everything that a source tells as of `now`."""
    return [Fact(source.kind, region, body, source.name, now) for region, body in source.bodies(now).items()]


def collect(source: FactSource, table: FactTable, now: datetime) -> int:
    """Write what a source tells into the table; the number of facts written."""
    facts = facts_of(source, now)
    table.put(facts)
    return len(facts)


def read_facts(table: FactTable) -> Facts:
    """Everything in the table."""
    return Facts(**{kind: {fact.region: fact for fact in table.of_kind(kind)} for kind in KINDS})


def facts_from(sources: Iterable[FactSource], now: datetime) -> Facts:
    """The same straight from sources, with no table between."""
    by_kind = {source.kind: {fact.region: fact for fact in facts_of(source, now)} for source in sources}
    return Facts(**{kind: by_kind.get(kind, {}) for kind in KINDS})
