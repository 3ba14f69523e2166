"""The sources that users may choose from, by kind and name.

A new source is a file beside this one, and a row here. A project chooses in its `cdk.json`, by the context key
`caribou:<kind>_source`; `caribou data_collect` and the control plane's collectors then both take that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from caribou.collectors.bodies import Body, CarbonBody, Kind, PerformanceBody, ProviderBody
from caribou.collectors.facts import FactSource
from caribou.collectors.sources.snapshot import CarbonSnapshot, PerformanceSnapshot, ProviderSnapshot
from caribou.model.errors import InvalidInputError

DEFAULT_SOURCE = "snapshot"


@dataclass(frozen=True, slots=True)
class Sources:
    """Name to source, for each kind."""

    carbon: Mapping[str, FactSource[CarbonBody]]
    provider: Mapping[str, FactSource[ProviderBody]]
    performance: Mapping[str, FactSource[PerformanceBody]]

    def of(self, kind: Kind) -> Mapping[str, FactSource[Body]]:
        """Name to source of a kind."""
        by_kind: dict[Kind, Mapping[str, FactSource[Body]]] = {
            "carbon": self.carbon,
            "provider": self.provider,
            "performance": self.performance,
        }
        return by_kind[kind]


SOURCES = Sources(
    carbon={
        "snapshot": CarbonSnapshot(),
        "snapshot_other_zones": CarbonSnapshot(other_zones=True),
    },
    provider={
        "snapshot": ProviderSnapshot(),
    },
    performance={
        "snapshot": PerformanceSnapshot(),
    },
)


def source_key(kind: Kind) -> str:
    """The context key of `cdk.json` that chooses the source of a kind."""
    return f"caribou:{kind}_source"


def source_of(kind: Kind, name: str, where: str) -> FactSource[Body]:
    """The source of that name. Raises InvalidInputError, saying where the name stands, if there is none."""
    known = SOURCES.of(kind)
    if name not in known:
        fix = f"use one of {', '.join(sorted(known))}"
        raise InvalidInputError(f"is no source of {kind} facts", where=where, found=name, fix=fix)
    return known[name]
