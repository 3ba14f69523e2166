"""Of when figures are, as it is said of facts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from caribou.collectors.dated import dated, is_offline, sources_text
from caribou.collectors.sources.snapshot import packaged_facts

FACTS = packaged_facts(datetime(2026, 7, 1, tzinfo=UTC))


def of(*provenances):
    """Carbon facts that say so of where they come from."""
    fact = FACTS.carbon["us-east-1"]
    return [replace(fact, source="Grid", body=replace(fact.body, provenance=said)) for said in provenances]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ([], ""),
        (of({}), ""),
        (of({"history": "none"}), ""),
        (of({"level_year": 2025, "shape_year": None}), "levels of 2025"),
        (of({"level_year": 2025, "shape_year": 2023}, {"level_year": 2025, "shape_year": 2021}),
         "levels of 2025, shapes of 2021 to 2023"),
        (of({"history": "2026-05-01T00:00Z to 2026-06-30T23:00Z"}), "hours up to 2026-06-30T23:00Z"),
        (of({"history": "a to 2026-06-30T23:00Z"}, {"history": "a to 2026-06-30T20:00Z"}),
         "hours up to 2026-06-30T20:00Z or later"),
        (list(FACTS.provider.values()), "prices of August to October 2025; egress: 2023, PUE of 2024 to 2025"),
    ],
)  # fmt: skip
def test_date_when_facts_say_of_when_they_are_then_years_are_a_span_and_the_last_hour_is_that_of_all(facts, said):
    """A service that gives nothing new is seen by it."""
    assert dated(facts) == said


def test_sources_when_facts_are_of_two_then_each_has_its_date_and_together_they_are_not_offline():
    """One live source is enough."""
    packaged, live = list(FACTS.carbon.values()), of({})
    assert sources_text([*packaged, *live]).startswith(
        "Grid; the snapshot of Electricity Maps, lifecycle (levels of 2025"
    )
    assert is_offline(packaged)
    assert not is_offline([*packaged, *live])
