"""What is said of facts before something is solved from them: too old, old, of several sources, of several bases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from caribou.collectors.sources.snapshot import packaged_facts
from caribou.control.plan.fact_notes import check_age, fact_notes
from caribou.control.plan.noted import BY_FALLBACK, MIXED, NOT_ALIKE, OLD, SOURCES, VALID_UNTIL
from caribou.model.errors import InvalidProblemError

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
REGIONS = ("us-east-1", "us-west-2", "ca-west-1")


def facts_of(age=timedelta(), *, carbon=None, provider=None):
    """The packaged facts, collected so long ago; those of some regions changed: region to changes of a fact."""
    facts = packaged_facts(NOW - age)
    for kind, changes in (("carbon", carbon or {}), ("provider", provider or {})):
        changed = {region: replace(facts.of(kind)[region], **own) for region, own in changes.items()}
        facts = replace(facts, **{kind: {**facts.of(kind), **changed}})
    return facts


def based(basis, **provenance):
    """What changes a carbon fact to one of another source, with a basis."""
    body = facts_of().carbon["us-east-1"].body
    return {"source": "Grid Co", "body": replace(body, provenance={"basis": basis, **provenance})}


@pytest.mark.parametrize("days", [0, 1, 7])
def test_facts_when_they_are_to_be_used_yet_then_they_are_taken(days):
    """To the last second."""
    check_age(REGIONS, facts_of(timedelta(days=days)), NOW)


def test_facts_when_they_are_past_their_time_then_one_message_says_which_how_old_and_what_to_run():
    """Of a kind, its regions; and of several kinds all of them."""
    carbon = {region: {"retrieved_at": NOW - timedelta(days=12)} for region in REGIONS[:2]}
    provider = {"ca-west-1": {"retrieved_at": NOW - timedelta(days=91)}}
    with pytest.raises(InvalidProblemError) as caught:
        check_age(REGIONS, facts_of(carbon=carbon), NOW)
    assert str(caught.value).startswith(
        "carbon of us-east-1, us-west-2: facts are too old to solve from (found: of 2026-06-19, 12 days ago, "
        "to be used for 7 days). To fix: run `caribou data_collect carbon`"
    )
    with pytest.raises(InvalidProblemError, match=r"carbon of us-east-1.*; provider of ca-west-1.*data_collect all`"):
        check_age(REGIONS, facts_of(carbon=carbon, provider=provider), NOW)


def test_facts_when_an_earlier_version_wrote_them_then_they_are_old_and_used():
    """They do not say until when."""
    facts = facts_of(timedelta(days=400), provider={})
    ageless = {
        kind: {region: replace(fact, valid_for=None) for region, fact in facts.of(kind).items()}
        for kind in ("carbon", "provider", "performance")
    }
    facts = replace(facts, **ageless)
    check_age(REGIONS, facts, NOW)
    assert (
        "carbon of us-east-1, us-west-2, ca-west-1 is of 2025-05-27, 400 days ago"
        in fact_notes(REGIONS, facts, NOW)[OLD]
    )


def test_facts_when_they_are_of_the_last_days_and_of_one_source_then_there_is_nothing_but_where_they_come_from():
    """With the years of the data, and that it is offline."""
    notes = fact_notes(REGIONS, facts_of(timedelta(days=2)), NOW)
    assert list(notes) == [SOURCES, VALID_UNTIL]
    assert notes[VALID_UNTIL] == "2026-07-06T12:00:00+00:00"
    assert notes[SOURCES].startswith(
        "carbon from the snapshot of Electricity Maps, lifecycle (levels of 2025, shapes of 2023), collected on "
        "2026-06-29, offline; provider from the snapshot of AWS list prices and PUE (prices of August to October 2025"
    )


def test_facts_when_they_are_older_than_their_schedule_then_it_is_said_by_kind():
    """They are used."""
    said = fact_notes(REGIONS, facts_of(timedelta(days=3)), NOW)[OLD]
    assert said.startswith("carbon of us-east-1, us-west-2, ca-west-1 is of 2026-06-28, 3 days ago: `caribou data_coll")
    assert "; provider of" in said


def test_facts_when_a_project_has_changed_its_source_then_it_is_said_which_regions_are_from_which():
    """Both are lifecycle's: they compare."""
    notes = fact_notes(REGIONS, facts_of(carbon={"us-west-2": based("lifecycle, consumption")}), NOW)
    assert notes[MIXED] == (
        "carbon from snapshot of Electricity Maps, lifecycle (us-east-1, ca-west-1), Grid Co (us-west-2)"
    )
    assert NOT_ALIKE not in notes


@pytest.mark.parametrize(
    ("basis", "said"),
    [
        ("direct, consumption", "lifecycle (us-east-1, ca-west-1), direct (us-west-2), which do not compare"),
        ("direct, of consumption: generation with imports; no lifecycle", "direct (us-west-2), which do not compare"),
        ("lifecycle, of generation", "consumption (us-east-1, ca-west-1), generation (us-west-2), which do not"),
        ("by a method of its own", "lifecycle (us-east-1, ca-west-1), of a basis that is not said (us-west-2)"),
        ("lifecycle, of consumption by its flow", None),
    ],
)
def test_facts_when_their_bases_differ_then_it_is_said_that_they_do_not_compare(basis, said):
    """The first word that is named counts; of a basis that is not said nobody knows whether it compares."""
    notes = fact_notes(REGIONS, facts_of(carbon={"us-west-2": based(basis)}), NOW)
    assert (said in notes[NOT_ALIKE]) if said else NOT_ALIKE not in notes


def test_facts_when_marginal_intensities_are_means_of_weeks_and_of_years_then_it_is_said():
    """One knows the season. A region without any, as Calgary, is neither."""
    body = facts_of().carbon["us-west-2"].body.with_provenance({"marginal_source": "WattTime"})
    notes = fact_notes(REGIONS, facts_of(carbon={"us-west-2": {"body": body}}), NOW)
    assert notes[NOT_ALIKE] == (
        "marginal intensities are means of a year (us-east-1), of the last weeks (us-west-2), which don't compare: "
        "only some know the season"
    )


def test_facts_when_one_is_a_fallback_then_the_reason_is_said():
    """A problem says it as the fact does."""
    fallen = based("lifecycle", fallback="Grid Co does not accept the key")
    notes = fact_notes(REGIONS, facts_of(carbon={"us-west-2": fallen}), NOW)
    assert notes[BY_FALLBACK] == "carbon of us-west-2: Grid Co does not accept the key"
