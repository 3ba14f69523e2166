"""What is known of the facts of a kind, for whoever asks which data placements rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from caribou.collectors.age import Freshness, freshness
from caribou.collectors.bodies import Body, Kind
from caribou.collectors.chain import FALLBACK, MARGINAL_FALLBACK, MARGINAL_SOURCE
from caribou.collectors.dated import dated
from caribou.collectors.facts import Fact, Facts
from caribou.model.regions import KNOWN_REGIONS

_LICENCE, _ESTIMATED = "licence", "estimated_share"


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """Facts of one source and method: of which regions, of when their figures are, and under which terms."""

    source: str
    method: str
    regions: tuple[str, ...]
    data: str
    licence: str

    def to_json(self) -> dict[str, Any]:
        """The status as a JSON object."""
        return {
            "source": self.source,
            "method": self.method,
            "data": self.data,
            "licence": self.licence or None,
            "regions": list(self.regions),
        }


@dataclass(frozen=True, slots=True)
class KindStatus:
    """The facts of a kind, as of a time: of the regions that are `wanted`, those that are there.

    They are collected `every` so often. `covered` counts them among all regions that Caribou knows.
    """

    kind: Kind
    wanted: tuple[str, ...]
    facts: tuple[Fact[Body], ...]
    covered: int
    newest_at: datetime | None
    now: datetime
    every: timedelta

    @property
    def missing(self) -> tuple[str, ...]:
        """Regions that are wanted and have no fact."""
        return tuple(region for region in self.wanted if region not in {fact.region for fact in self.facts})

    @property
    def oldest_at(self) -> datetime | None:
        """When the oldest fact was collected."""
        return min((fact.retrieved_at for fact in self.facts), default=None)

    @property
    def valid_until(self) -> datetime | None:
        """Until when all of them are to be used; None if they do not say."""
        return min((fact.valid_until for fact in self.facts if fact.valid_until is not None), default=None)

    @property
    def state(self) -> Freshness | None:
        """The worst of them; None without any."""
        found = {freshness(fact, self.now, self.every) for fact in self.facts}
        return next((state for state in reversed(Freshness) if state in found), None)

    @property
    def next_by(self) -> datetime | None:
        """When the control plane collects them anew, at the latest; None if they never were collected."""
        return None if self.newest_at is None else self.newest_at + self.every

    @property
    def sources(self) -> tuple[SourceStatus, ...]:
        """By source and method."""
        found: dict[tuple[str, str], list[Fact[Body]]] = {}
        for fact in self.facts:
            found.setdefault((fact.source, fact.method), []).append(fact)
        return tuple(_source(source, method, own) for (source, method), own in found.items())

    @property
    def fallbacks(self) -> Mapping[str, tuple[str, ...]]:
        """Why facts are not of the source that was chosen first, to regions."""
        marginal = {f"marginal intensity: {why}": own for why, own in self._said(MARGINAL_FALLBACK).items()}
        return {**self._said(FALLBACK), **marginal}

    @property
    def marginal_sources(self) -> Mapping[str, tuple[str, ...]]:
        """Live source of marginal intensity, with its terms, to regions that have a mean of weeks from it."""
        licences = {region: licence for licence, own in self._said("marginal_licence").items() for region in own}
        found: dict[str, tuple[str, ...]] = {}
        for source, own in self._said(MARGINAL_SOURCE).items():
            for region in own:
                named = f"{source} ({licences.get(region, 'terms not said')})"
                found[named] = (*found.get(named, ()), region)
        return found

    def _said(self, key: str) -> dict[str, tuple[str, ...]]:
        """What stands at a key of provenance, to regions."""
        found: dict[str, tuple[str, ...]] = {}
        for fact in self.facts:
            if said := fact.body.provenance.get(key):
                found[str(said)] = (*found.get(str(said), ()), fact.region)
        return found

    @property
    def estimated_share(self) -> float | None:
        """The share of hours or round trips that was estimated, mean over regions where it is known; None of none."""
        shares = [share for fact in self.facts if (share := _share(fact)) is not None]
        return fmean(shares) if shares else None

    @property
    def estimated_unknown(self) -> tuple[str, ...]:
        """Regions of which the share of estimates is not known."""
        return tuple(fact.region for fact in self.facts if _share(fact) is None)

    def to_json(self) -> dict[str, Any]:
        """The status as a JSON object."""
        return {
            "kind": self.kind,
            "state": None if self.state is None else self.state.value,
            "oldest_at": _time(self.oldest_at),
            "newest_at": _time(self.newest_at),
            "valid_until": _time(self.valid_until),
            "next_by": _time(self.next_by),
            "wanted": list(self.wanted),
            "missing": list(self.missing),
            "covered": self.covered,
            "known": len(KNOWN_REGIONS),
            "estimated_share": self.estimated_share,
            "estimated_unknown": list(self.estimated_unknown),
            "sources": [source.to_json() for source in self.sources],
            "marginal_sources": [
                {"source": source, "regions": list(regions)} for source, regions in self.marginal_sources.items()
            ],
            "fallbacks": [{"why": why, "regions": list(regions)} for why, regions in self.fallbacks.items()],
        }


def status_of(kind: Kind, all_facts: Facts, wanted: Sequence[str], now: datetime) -> KindStatus:
    """The status of a kind, for regions that are wanted."""
    facts = all_facts.of(kind)
    return KindStatus(
        kind=kind,
        wanted=tuple(wanted),
        facts=tuple(facts[region] for region in wanted if region in facts),
        covered=len(facts.keys() & set(KNOWN_REGIONS)),
        newest_at=max((fact.retrieved_at for fact in facts.values()), default=None),
        now=now,
        every=all_facts.every[kind],
    )


def _source(source: str, method: str, facts: Sequence[Fact[Body]]) -> SourceStatus:
    licences = {str(licence) for fact in facts if (licence := fact.body.provenance.get(_LICENCE))}
    regions = tuple(fact.region for fact in facts)
    return SourceStatus(source, method, regions, dated(facts), "; ".join(sorted(licences)))


def _share(fact: Fact[Body]) -> float | None:
    share = fact.body.provenance.get(_ESTIMATED)
    return float(share) if isinstance(share, int | float) else None


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
