"""The sources that users may choose from, by kind and name.

A new source is a file beside this one, and a row here. A project chooses in its `cdk.json`, by the context key
`caribou:<kind>_source`; `caribou data_collect` and the control plane's collectors then both take those, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from caribou.collectors.bodies import Body, CarbonBody, Kind, PerformanceBody, ProviderBody
from caribou.collectors.facts import FactSource
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.settings import AllSettings, SourceSettings
from caribou.collectors.sources.snapshot import CarbonSnapshot, PerformanceSnapshot, ProviderSnapshot
from caribou.model.errors import InvalidInputError

B_co = TypeVar("B_co", bound=Body, covariant=True)
DEFAULT_SOURCE = "snapshot"


@dataclass(frozen=True, slots=True)
class Row(Generic[B_co]):
    """A source that may be chosen. `url` is where its service is, None if it asks nobody.

    `make` gets the settings, whose `url` is never None if the row has one; it imports the source's module, so that
    nobody loads what he did not choose.
    """

    make: Callable[[SourceSettings, KeyRing], FactSource[B_co]]
    url: str | None = None
    takes_key: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """Name to source, for each kind."""

    carbon: Mapping[str, Row[CarbonBody]]
    provider: Mapping[str, Row[ProviderBody]]
    performance: Mapping[str, Row[PerformanceBody]]

    def of(self, kind: Kind) -> Mapping[str, Row[Body]]:
        """Name to source of a kind."""
        by_kind: dict[Kind, Mapping[str, Row[Body]]] = {
            "carbon": self.carbon,
            "provider": self.provider,
            "performance": self.performance,
        }
        return by_kind[kind]

    def by_name(self) -> Mapping[str, Row[Body]]:
        """Every source; those of one name in two kinds take the same settings."""
        return {**self.carbon, **self.provider, **self.performance}


def _cloudping(settings: SourceSettings, _: KeyRing) -> FactSource[PerformanceBody]:
    from caribou.collectors.sources.cloudping import CloudPing  # noqa: PLC0415 - httpx, for who chose it
    from caribou.collectors.sources.http import HttpClient  # noqa: PLC0415

    return CloudPing(HttpClient("CloudPing", settings.url or ""))


def _price_list(settings: SourceSettings, keys: KeyRing) -> FactSource[ProviderBody]:  # noqa: ARG001 - it takes none
    from caribou.collectors.sources.price_list import PriceList  # noqa: PLC0415 - for who has chosen it

    return PriceList.at(str(settings.url))


SOURCES = Sources(
    carbon={
        "snapshot": Row(lambda *_: CarbonSnapshot()),
        "snapshot_other_zones": Row(lambda *_: CarbonSnapshot(other_zones=True)),
    },
    provider={
        "snapshot": Row(lambda *_: ProviderSnapshot()),
        "price_list": Row(_price_list, "https://pricing.us-east-1.amazonaws.com"),
    },
    performance={
        "snapshot": Row(lambda *_: PerformanceSnapshot()),
        "cloudping": Row(_cloudping, url="https://api.cloudping.co"),
    },
)


def source_key(kind: Kind) -> str:
    """The context key of `cdk.json` that chooses the sources of a kind."""
    return f"caribou:{kind}_source"


def names_of(kind: Kind, text: str, where: str) -> tuple[str, ...]:
    """The names in a choice such as `electricity_maps, snapshot`: the first that can give a region's fact counts.

    Raises InvalidInputError, saying where the choice stands, for a name that is none and one that comes twice.
    """
    names, known = tuple(part.strip() for part in text.split(",")), SOURCES.of(kind)
    for name in names:
        if name not in known:
            fix = f"use one of {', '.join(sorted(known))}, or several in their order, with commas between"
            raise InvalidInputError(f"is no source of {kind} facts", where=where, found=name or text, fix=fix)
        if names.count(name) > 1:
            raise InvalidInputError("has a source twice", where=where, found=name, fix="name each once")
    return names


def sources_of(kind: Kind, names: Sequence[str], settings: AllSettings, keys: KeyRing) -> list[FactSource[Body]]:
    """The sources of those names, which `names_of` has checked."""
    made: list[FactSource[Body]] = []
    for name in names:
        row, own = SOURCES.of(kind)[name], settings.get(name, SourceSettings())
        made.append(row.make(replace(own, url=own.url or row.url), keys))
    return made
