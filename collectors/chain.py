"""Collects facts of a kind: from the first of the chosen sources, and of regions that it can't give, from the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from caribou.collectors.bodies import Body
from caribou.collectors.facts import Fact, FactSource, FactTable, Given
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.regions import KNOWN_REGIONS

B = TypeVar("B", bound=Body)

METHOD, FALLBACK = "method", "fallback"
MARGINAL_SOURCE, MARGINAL_FALLBACK = "marginal_source", "marginal_fallback"
"""Keys of a body's provenance: how its figures were made, and why no earlier source of the chain gave them; from where
its marginal intensity is, if that is another one's, and why no (earlier) live source gave it."""
NOT_COVERED, MARGINAL = "does not cover it", "marginal intensity"
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Gathered(Generic[B]):
    """Facts of one kind. `fallbacks` say, a text for each source and reason, of which regions it gave none, and why.

    `missing` are regions of which no source gave any; `silent` the sources that gave nothing of what they cover. `kept`
    are facts that are there and stay, each from an earlier source than the one that would have taken its place.
    """

    facts: tuple[Fact[B], ...]
    fallbacks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    kept: tuple[Fact[B], ...] = ()

    @property
    def sources(self) -> dict[str, int]:
        """Source to how many regions came from it."""
        return dict(Counter(fact.source for fact in self.facts))

    @property
    def marginal_sources(self) -> dict[str, int]:
        """Live source of marginal intensity to how many regions have theirs from it."""
        said = (fact.body.provenance.get(MARGINAL_SOURCE) for fact in self.facts)
        return dict(Counter(str(source) for source in said if source))


def gather(sources: Sequence[FactSource[B]], now: datetime, regions: Collection[str] = KNOWN_REGIONS) -> Gathered[B]:
    """Ask the sources in turn, each for the regions that are left; what one can't give is said, and no error."""
    facts: dict[str, Fact[B]] = {}
    refused: dict[str, list[tuple[str, str]]] = {region: [] for region in regions}
    silent = []
    for source in sources:
        left = [region for region in refused if region not in facts]
        if not left:
            break
        given = _ask(source, now, left)
        if given.refused and not given.bodies:
            silent.append(source.origin)
        for region in left:
            if region in given.bodies:
                facts[region] = _fact(source, region, _with_fallback(given.bodies[region], refused[region]), now)
            else:
                refused[region].append((source.origin, given.refused.get(region, NOT_COVERED)[:_LONGEST]))
    missing = tuple(region for region in refused if region not in facts)
    marginal = {region: _marginal_refused(fact) for region, fact in facts.items()}
    gathered = Gathered(tuple(facts.values()), (*_texts(refused), *_texts(marginal)), missing, tuple(silent))
    if any(marginal.values()) and not gathered.marginal_sources:
        return replace(gathered, silent=(*gathered.silent, MARGINAL))
    return gathered


def collect(sources: Sequence[FactSource[B]], table: FactTable, now: datetime) -> Gathered[B]:
    """Write what the sources have into the table; a region that none of them has keeps the fact it had.

    And so does one of which an earlier source gave nothing now, while the fact that it gave before is to be used: a
    service that is away for an hour does not give way to what the project has chosen to stand behind it.

    Raises OperationFailedError if nothing was given: the table stays as it is.
    """
    gathered = gather(sources, now)
    if not gathered.facts:
        raise OperationFailedError(
            f"no source gave anything: {'; '.join(gathered.fallbacks)}. The facts that are there stay"
        )
    kept = _kept(gathered.facts, [source.origin for source in sources], table, now)
    facts = tuple(fact for fact in gathered.facts if fact.region not in kept)
    if facts:
        table.put(facts)
    return replace(gathered, facts=facts, kept=tuple(kept.values()))


def _kept(facts: Sequence[Fact[B]], order: Sequence[str], table: FactTable, now: datetime) -> dict[str, Fact[B]]:
    """Region to the fact that stays: of a source before the one that gave a new one, and still to be used."""
    behind = {fact.region: order.index(fact.source) for fact in facts if fact.source != order[0]}
    try:
        there = table.of_kind(type(facts[0].body)) if behind else []
    except InvalidInputError:  # a damaged fact, which is to be written over
        return {}
    return {
        fact.region: fact
        for fact in there
        if fact.region in behind
        and fact.source in order[: behind[fact.region]]
        and fact.valid_until is not None
        and now < fact.valid_until
    }


def facts_of(source: FactSource[B], now: datetime, regions: Collection[str] = KNOWN_REGIONS) -> list[Fact[B]]:
    """Everything that one source has as of `now`. Raises OperationFailedError if it can't be read."""
    return [_fact(source, region, body, now) for region, body in source.collect(now, regions).bodies.items()]


def _ask(source: FactSource[B], now: datetime, regions: Sequence[str]) -> Given[B]:
    try:
        return source.collect(now, regions)
    except OperationFailedError as error:
        return Given({}, dict.fromkeys(regions, str(error).removeprefix(f"{source.origin} ")))


def _fact(source: FactSource[B], region: str, body: B, now: datetime) -> Fact[B]:
    method = str(body.provenance.get(METHOD, source.method))
    return Fact(region, body, source.origin, now, method, source.valid_for)


def _with_fallback(body: B, refused: Iterable[tuple[str, str]]) -> B:
    """The body, which says why no earlier source gave it."""
    said = "; ".join(f"{origin}: {why}" for origin, why in refused)
    return body.with_provenance({FALLBACK: said}) if said else body


def _marginal_refused(fact: Fact[B]) -> list[tuple[str, str]]:
    said = fact.body.provenance.get(MARGINAL_FALLBACK)
    return [(MARGINAL, str(said))] if said else []


def _texts(refused: dict[str, list[tuple[str, str]]]) -> list[str]:
    """For each source and reason, the regions."""
    regions: dict[tuple[str, str], list[str]] = {}
    for region, reasons in refused.items():
        for reason in reasons:
            regions.setdefault(reason, []).append(region)
    return [f"{origin}: {why} ({_listed(own)})" for (origin, why), own in regions.items()]


def _listed(regions: Sequence[str]) -> str:
    shown = 4
    if len(regions) <= shown:
        return ", ".join(regions)
    return f"{', '.join(regions[:shown])} and {len(regions) - shown} more"
