"""The files of AWS's Price List: which products they have, and what these cost on demand.

Documented under "Reading the service price list file for an AWS service" (AWS Billing user guide): `products` by SKU
with their attributes, and `terms.OnDemand` by SKU and offer, each with `priceDimensions`: a tier each, with its unit
and its price by currency. They are at `/offers/v1.0/aws/<service>/current/<region>/index.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import isfinite
from threading import Lock
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from caribou.collectors.sources.http import HttpClient, Reason
from caribou.model.errors import OperationFailedError

USD = "USD"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A price: the service, attributes that its product has, how its usage type ends, its units, and a bound, USD.

    `of` is the attribute that has the region's code. Units are in small letters.
    """

    service: str
    attributes: Mapping[str, str]
    usage: str
    units: frozenset[str]
    most_usd: float
    of: str = "regionCode"

    def also(self, attributes: Mapping[str, str]) -> Wanted:
        """The one of these whose product has more attributes."""
        return replace(self, attributes={**self.attributes, **attributes})

    def is_of(self, attributes: Mapping[str, object], region: str) -> bool:
        """Whether a product with these attributes has this price in a region.

        A usage type has the region's short name in front, or nothing: `EU-Request`, `Request`.
        """
        usage = str(attributes.get("usagetype", ""))
        return (
            attributes.get(self.of) == region
            and all(attributes.get(key) == value for key, value in self.attributes.items())
            and (usage == self.usage or usage.endswith(f"-{self.usage}" if self.usage else ""))
        )

    def __str__(self) -> str:
        """As in messages: `AmazonSNS, group SNS-Requests-Tier1`."""
        said = (f"{key} {value}" for key, value in self.attributes.items())
        return ", ".join([self.service, *said, *([self.usage] if self.usage else [])])


class _Tier(BaseModel):
    """A tier of a price: from how much on, per what, and the price by currency."""

    begin: Annotated[float, Field(alias="beginRange", ge=0)] = 0.0
    unit: str
    price: Annotated[dict[str, float], Field(alias="pricePerUnit")]


class _Term(BaseModel):
    """An offer of a product."""

    tiers: Annotated[dict[str, _Tier], Field(alias="priceDimensions")]


class _Product(BaseModel):
    """A product that is wanted."""

    sku: str
    attributes: dict[str, str]


class _Terms(BaseModel):
    """Offers on demand, by SKU; None are those that are not wanted."""

    on_demand: Annotated[dict[str, dict[str, _Term | None]], Field(alias="OnDemand")]


class _File(BaseModel):
    """What is kept of a file."""

    service: Annotated[str, Field(alias="offerCode")]
    published: Annotated[AwareDatetime, Field(alias="publicationDate")]
    products: dict[str, _Product | None]
    terms: _Terms


@dataclass(frozen=True)
class Offer:
    """What a file says of a region."""

    client: HttpClient
    region: str
    file: _File

    @property
    def published(self) -> datetime:
        """When it was published."""
        return self.file.published

    def has(self, wanted: Wanted) -> bool:
        """Whether there is such a product."""
        return bool(self._products(wanted))

    def price(self, wanted: Wanted) -> float:
        """The price of the first tier that costs something, USD. Raises OperationFailedError unless there is one."""
        found = {price for product in self._products(wanted) for price in self._prices(product, wanted)}
        if len(found) == 1:
            return found.pop()
        where = f"{self.region}: {wanted}"
        if not found:
            raise OperationFailedError(f"{self.client.service} has no price of {where}")
        listed = " and ".join(f"{price:g}" for price in sorted(found))
        raise OperationFailedError(f"{self.client.service} has several prices of {where}: {listed} USD")

    def _products(self, wanted: Wanted) -> list[_Product]:
        products = (product for product in self.file.products.values() if product is not None)
        return [product for product in products if wanted.is_of(product.attributes, self.region)]

    def _prices(self, product: _Product, wanted: Wanted) -> Iterator[float]:
        """Of each offer of a product; several tiers that begin at the same amount are several prices."""
        for term in self.file.terms.on_demand.get(product.sku, {}).values():
            if term is None:
                continue
            tiers = [(tier.begin, self._usd(tier, wanted)) for tier in term.tiers.values()]
            paid = [(begin, usd) for begin, usd in tiers if usd > 0]
            first = min((begin for begin, _ in paid), default=None)
            yield from (usd for begin, usd in paid if begin == first)

    def _usd(self, tier: _Tier, wanted: Wanted) -> float:
        where = f"{self.region}: {wanted}"
        if USD not in tier.price:
            raise self.client.error(Reason.UNITS, f"{where} in {', '.join(tier.price) or 'no currency'}")
        if tier.unit.lower() not in wanted.units:
            raise self.client.error(Reason.UNITS, f"{where} per {tier.unit}")
        usd = tier.price[USD]
        if not (isfinite(usd) and 0 <= usd <= wanted.most_usd):
            raise self.client.error(Reason.UNITS, f"{where} is {usd:g} USD")
        return usd


@dataclass(frozen=True)
class PriceFiles:
    """Reads files, and keeps of them the products that are wanted."""

    client: HttpClient
    wanted: Sequence[Wanted]
    _parsing: Lock = field(default_factory=Lock, repr=False)

    def offer(self, service: str, region: str) -> Offer:
        """What a service's file says of a region. Raises SourceError."""
        path = f"offers/v1.0/aws/{service}/current/{region}/index.json"
        body = self.client.body(path)
        with self._parsing:
            kept = self._kept(body, [one for one in self.wanted if one.service == service], region, path)
        try:
            file = _File.model_validate(kept)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise self.client.error(Reason.SCHEMA, f"{path}: {place}: {first['msg']}") from None
        if file.service != service:
            raise self.client.error(Reason.SCHEMA, f"{path}: it is of {file.service}")
        return Offer(self.client, region, file)

    def _kept(self, body: bytes, wanted: Sequence[Wanted], region: str, path: str) -> Any:  # noqa: ANN401 - not yet checked
        """The file without products that are not wanted, and without their offers, dropped as they are read.

        Products come before their offers, as in the documentation. What has another shape stays, and is seen when it
        is checked.
        """
        skus: set[str] = set()

        def keep(value: dict[str, Any]) -> dict[str, Any] | None:
            if isinstance(attributes := value.get("attributes"), dict):
                if not any(one.is_of(attributes, region) for one in wanted):
                    return None
                skus.add(str(value.get("sku")))
            return value if "priceDimensions" not in value or str(value.get("sku")) in skus else None

        try:
            return json.loads(body, object_hook=keep)
        except (ValueError, RecursionError) as error:
            raise self.client.error(Reason.GARBLED, f"{path}: {error}"[:200]) from None
