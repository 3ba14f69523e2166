"""Facts of a kind are written as one: whatever ends a collection, all of the old ones are there, or of the new ones."""

from datetime import UTC, datetime

import pytest
from transacting import Killed, TransactingTable

from caribou.collectors.bodies import CarbonBody
from caribou.collectors.facts import MOST_FACTS, DynamoFactTable, Fact, InMemoryFactTable
from caribou.model.errors import OperationFailedError
from caribou.model.regions import KNOWN_REGIONS

CONTROL, NOW = "us-west-2", datetime(2026, 3, 1, tzinfo=UTC)
FREE = ["None"] * (len(KNOWN_REGIONS) - 1)


def snapshot(average, regions=KNOWN_REGIONS, **provenance):
    """A fact of each region."""
    return [Fact(region, CarbonBody(average, (average,) * 24, provenance=provenance), "x", NOW) for region in regions]


@pytest.fixture
def waits():
    """What was waited for, s."""
    return []


@pytest.fixture
def served():
    """What stands in the table: facts of an earlier collection."""
    return TransactingTable({(one.kind, one.region): one.to_item() for one in snapshot(1.0)})


@pytest.fixture
def table(served, waits, monkeypatch):
    """The fact table."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    made = DynamoFactTable("facts", CONTROL, waits.append)
    served.serve(made._table)
    return made


def averages(table):
    """Every average that can be read, each once."""
    facts = table.of_kind(CarbonBody)
    assert [fact.region for fact in facts] == sorted(KNOWN_REGIONS)
    return {fact.body.average for fact in facts}


def killed():
    """End the process."""
    raise Killed


def test_facts_when_the_process_ends_beside_a_request_then_the_old_ones_are_there_or_the_new_ones(table, served):
    """There is one request, so that there is no between."""
    served.first = [killed]
    with pytest.raises(Killed):
        table.put(snapshot(2.0))
    assert averages(table) == {1.0}

    served.killed_after = True
    with pytest.raises(Killed):
        table.put(snapshot(2.0))
    assert averages(table) == {2.0}


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_facts_when_others_are_in_the_way_then_they_are_written_as_soon_as_they_are_not(table, served, waits, code):
    """Another collector, or a table that is asked too much at once."""
    served.first = [lambda: [code, *FREE]] * 3
    table.put(snapshot(2.0))
    assert averages(table) == {2.0}
    assert len(waits) == 3
    assert waits == sorted(waits)


@pytest.mark.parametrize(("code", "requests"), [("TransactionConflict", 6), ("ValidationError", 1)])
def test_facts_when_the_table_never_takes_them_then_one_error_says_why_and_the_old_ones_stay(
    table, served, waits, code, requests
):
    """What does not pass is not tried again."""
    served.first = [lambda: [code, *FREE]] * 9
    with pytest.raises(OperationFailedError, match=rf"none of 32 facts \({code}\); the earlier ones stay"):
        table.put(snapshot(2.0))
    assert averages(table) == {1.0}
    assert served.requests == requests
    assert sum(waits) < 10


def test_facts_when_two_collect_at_once_then_they_are_of_one_of_them(table, served):
    """The second finds the first one's transaction under way, whose facts are then replaced as a whole."""

    def other():
        served.items.update({(one.kind, one.region): one.to_item() for one in snapshot(3.0)})
        return ["TransactionConflict", *FREE]

    served.first = [other]
    table.put(snapshot(2.0))
    assert averages(table) == {2.0}


@pytest.fixture(params=["memory", "strict"])
def any_table(request):
    """A fact table of each form, with facts of an earlier collection."""
    if request.param == "strict":
        return request.getfixturevalue("table")
    table = InMemoryFactTable()
    table.put(snapshot(1.0))
    return table


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (snapshot(2.0, [f"region-{i}" for i in range(MOST_FACTS + 1)]), "101 facts of"),
        (snapshot(2.0, note="x" * 410_000), "can't be written as one"),
        (snapshot(2.0, note="x" * 145_000), "can't be written as one"),
    ],
)
def test_facts_when_they_are_too_many_or_too_large_then_none_is_written(any_table, facts, said):
    """Not a part of them: the table holds what one transaction takes."""
    with pytest.raises(OperationFailedError, match=said):
        any_table.put(facts)
    assert averages(any_table) == {1.0}


def test_facts_when_a_region_comes_twice_or_there_are_none_then_the_last_one_counts(any_table):
    """A transaction may name an item once."""
    any_table.put(snapshot(3.0) + snapshot(2.0))
    any_table.put([])
    assert averages(any_table) == {2.0}
