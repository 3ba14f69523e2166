"""What is said of the facts that a problem is made of: too old to use, old, of several sources, or not alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from caribou.collectors.age import Freshness, age_text, freshness
from caribou.collectors.bodies import KINDS, Body, CarbonBody, Kind
from caribou.collectors.chain import FALLBACK
from caribou.collectors.dated import OFFLINE, is_offline, sources_text
from caribou.collectors.facts import Fact, Facts
from caribou.collectors.series import BASES, named_basis
from caribou.control.plan.noted import BY_FALLBACK, MIXED, NOT_ALIKE, OLD, SOURCES, VALID_UNTIL
from caribou.model.errors import InvalidProblemError

_NOT_SAID = "of a basis that is not said"
_SHOWN = 4


def check_age(regions: Sequence[str], facts: Facts, now: datetime) -> None:
    """Raise InvalidProblemError, one for all kinds and regions, if a fact is past its `valid_until`."""
    expired = {kind: own for kind in KINDS if (own := _of_state(Freshness.EXPIRED, kind, regions, facts, now))}
    if not expired:
        return
    command = next(iter(expired)) if len(expired) == 1 else "all"
    raise InvalidProblemError(
        "facts are too old to solve from",
        where="; ".join(f"{kind} of {_listed([fact.region for fact in own])}" for kind, own in expired.items()),
        found="; ".join(_lifetime(own, now) for own in expired.values()),
        fix=f"run `caribou data_collect {command}`; if the chosen source no longer gives a region, choose another or "
        "leave the region out",
    )


def fact_notes(regions: Sequence[str], facts: Facts, now: datetime) -> dict[str, str]:
    """What a reader of a problem has to know of its facts, by key of provenance."""
    said = {
        SOURCES: "; ".join(_source(kind, [facts.of(kind)[region] for region in regions]) for kind in KINDS),
        VALID_UNTIL: _valid_until(regions, facts),
        OLD: "; ".join(_old(regions, facts, now)),
        MIXED: "; ".join(_mixed(regions, facts)),
        NOT_ALIKE: "; ".join(_not_alike(regions, facts)),
        BY_FALLBACK: "; ".join(_by_fallback(regions, facts)),
    }
    return {key: text for key, text in said.items() if text}


def _source(kind: Kind, facts: Sequence[Fact[Body]]) -> str:
    oldest = min(fact.retrieved_at for fact in facts)
    offline = f", {OFFLINE}" if is_offline(facts) else ""
    return f"{kind} from {sources_text(facts)}, collected on {oldest:%Y-%m-%d}{offline}"


def _valid_until(regions: Sequence[str], facts: Facts) -> str:
    ends = (facts.of(kind)[region].valid_until for kind in KINDS for region in regions)
    return min((end.isoformat() for end in ends if end is not None), default="")


def _old(regions: Sequence[str], facts: Facts, now: datetime) -> Iterator[str]:
    for kind in KINDS:
        if own := _of_state(Freshness.OLD, kind, regions, facts, now):
            oldest = min(fact.retrieved_at for fact in own)
            yield (
                f"{kind} of {_listed([fact.region for fact in own])} is of {oldest:%Y-%m-%d}, "
                f"{age_text(now - oldest)} ago: `caribou data_collect {kind}`"
            )


def _mixed(regions: Sequence[str], facts: Facts) -> Iterator[str]:
    for kind in KINDS:
        by_source = _grouped((fact.source, region) for region in regions for fact in [facts.of(kind)[region]])
        if len(by_source) > 1:
            yield f"{kind} from {_groups(by_source)}"


def _not_alike(regions: Sequence[str], facts: Facts) -> Iterator[str]:
    for words in BASES:
        bases = ((str(facts.carbon[region].body.provenance.get("basis", "")), region) for region in regions)
        by_word = _grouped((named_basis(words, basis) or _NOT_SAID, region) for basis, region in bases)
        if len(by_word) > 1:
            yield f"intensities are {_groups(by_word)}, which do not compare: choose sources of one basis"
    bodies = ((facts.carbon[region].body, region) for region in regions)
    by_span = _grouped((_span(body), region) for body, region in bodies if body.marginal is not None)
    if len(by_span) > 1:
        yield f"marginal intensities are means {_groups(by_span)}, which don't compare: only some know the season"


def _by_fallback(regions: Sequence[str], facts: Facts) -> Iterator[str]:
    for kind in KINDS:
        found = ((facts.of(kind)[region].body.provenance.get(FALLBACK), region) for region in regions)
        for why, own in _grouped((str(why), region) for why, region in found if why).items():
            yield f"{kind} of {_listed(own)}: {why}"


def _span(body: CarbonBody) -> str:
    return "of the last weeks" if body.has_live_marginal else "of a year"


def _of_state(state: Freshness, kind: Kind, regions: Iterable[str], facts: Facts, now: datetime) -> list[Fact[Body]]:
    return [fact for region in regions if freshness(fact := facts.of(kind)[region], now, facts.every[kind]) is state]


def _lifetime(facts: Sequence[Fact[Body]], now: datetime) -> str:
    oldest = min(facts, key=lambda fact: fact.retrieved_at)
    until = "" if oldest.valid_for is None else f", to be used for {age_text(oldest.valid_for)}"
    return f"of {oldest.retrieved_at:%Y-%m-%d}, {age_text(now - oldest.retrieved_at)} ago{until}"


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, region in pairs:
        found.setdefault(name, []).append(region)
    return found


def _groups(by_name: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{name} ({_listed(own)})" for name, own in by_name.items())


def _listed(regions: Sequence[str]) -> str:
    if len(regions) <= _SHOWN:
        return ", ".join(regions)
    return f"{', '.join(regions[:_SHOWN])} and {len(regions) - _SHOWN} more"
