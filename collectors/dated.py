"""Of when the figures of facts are, which may be years before they were collected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from caribou.collectors.bodies import Body, Kind
from caribou.collectors.facts import Fact

OFFLINE = "offline"
"""How the method of a packaged snapshot begins."""
_HISTORY, _TO = "history", " to "
_SNAPSHOT = "snapshot"
"""How the name of a packaged source begins."""
_WORDS: Mapping[Kind, Mapping[str, str]] = {
    "carbon": {"level_year": "levels of {}", "shape_year": "shapes of {}"},
    "provider": {"prices": "prices of {}", "pue_year": "PUE of {}"},
    "performance": {"date": "{}"},
}
"""Of each kind: a key of provenance, and how what stands there is said. Years are said from the first to the last."""


def dated(facts: Iterable[Fact[Body]]) -> str:
    """Of when the figures are, such as `levels of 2025, shapes of 2022 to 2023`; "" where their sources do not say."""
    facts = tuple(facts)
    if not facts:
        return ""
    said = ((words, _values(facts, key)) for key, words in _WORDS[facts[0].kind].items())
    return ", ".join([*(words.format(values) for words, values in said if values), *_last_hours(facts)])


def sources_text(facts: Iterable[Fact[Body]]) -> str:
    """The sources of facts of a kind, and of when their figures are."""
    by_source: dict[str, list[Fact[Body]]] = {}
    for fact in facts:
        by_source.setdefault(fact.source, []).append(fact)
    return "; ".join(sorted(with_date(source, dated(own)) for source, own in by_source.items()))


def is_offline(facts: Iterable[Fact[Body]]) -> bool:
    """Whether none of them comes from a service."""
    return all(fact.source.startswith(_SNAPSHOT) for fact in facts)


def with_date(source: str, date: str) -> str:
    """A source, as it stands in a sentence, and behind it of when its figures are."""
    named = f"the {source}" if source.startswith(_SNAPSHOT) else source
    return f"{named} ({date})" if date else named


def _last_hours(facts: Iterable[Fact[Body]]) -> list[str]:
    """The last hour that all facts of published hours have, `2026-11-01T18:00Z to 2026-11-29T16:00Z` each."""
    spans = (str(fact.body.provenance.get(_HISTORY, "")) for fact in facts)
    last = [span.rpartition(_TO)[2] for span in spans if _TO in span]
    return [f"hours up to {min(last)}{'' if len(set(last)) == 1 else ' or later'}"] if last else []


def _values(facts: Iterable[Fact[Body]], key: str) -> str:
    found = {value for fact in facts if (value := fact.body.provenance.get(key)) is not None}
    years = sorted(value for value in found if isinstance(value, int))
    if years and len(years) == len(found):
        return str(years[0]) if len(years) == 1 else f"{years[0]} to {years[-1]}"
    return "; ".join(sorted(map(str, found)))
