"""The sweeper's list where it is longer than one sweep has room for."""

from contextlib import nullcontext

import pytest

from caribou.model.errors import UnreachableError
from caribou.model.run.envelope import Run
from caribou.runtime import run_items
from caribou.runtime.run_items import DynamoRunStore, _item_of

HOME, A_PAGE = "us-east-1", 10


class Index:
    """A table's index in pages, and the clients that lead to it; a page that is in `down` is not answered."""

    def __init__(self, runs):
        self.items = [_item_of(Run(name, "1", "g", "p", {}, 1.0, 2.0), frozenset("x")) for name in runs]
        self.down, self.asked = set(), []

    def dynamodb(self, _region):
        """A client."""
        return self

    def reaching(self, _region):
        """Errors stay as they are."""
        return nullcontext()

    def scan(self, *, ExclusiveStartKey=None, **_):  # noqa: N803 - boto3's
        """A page, after the item that is named."""
        start = 0 if ExclusiveStartKey is None else ExclusiveStartKey["place"] + 1
        self.asked.append(start)
        if start in self.down:
            raise UnreachableError("down")
        end = start + A_PAGE
        more = {"LastEvaluatedKey": {"place": end - 1}} if end < len(self.items) else {}
        return {"Items": self.items[start:end], **more}


@pytest.fixture
def index(monkeypatch):
    """Fifty open runs, of which one sweep has room for twenty."""
    monkeypatch.setattr(run_items, "LISTED_AT_ONCE", 2 * A_PAGE)
    return Index([f"run-{i}" for i in range(5 * A_PAGE)])


def _names(store):
    return {item.run.run_id for item in store.listed().items}


def test_list_when_it_is_longer_than_a_sweep_has_room_for_then_each_sweep_reads_on_and_all_have_their_turn(index):
    """A list that is read as a whole stops the sweeper for good, once it is longer than its memory."""
    store, all_of_them = DynamoRunStore(index, "runs", HOME), {f"run-{i}" for i in range(50)}
    parts = [_names(store) for _ in range(3)]
    assert [len(part) for part in parts] == [20, 20, 10]
    assert set.union(*parts) == all_of_them
    assert _names(store) == parts[0]


def test_list_when_a_page_is_not_answered_then_the_next_sweep_reads_the_same_part_again(index):
    """What was not looked at must not wait for a whole round."""
    store = DynamoRunStore(index, "runs", HOME)
    first = _names(store)
    index.down = {30}
    with pytest.raises(UnreachableError):
        store.listed()
    index.down = set()
    assert _names(store) == {f"run-{i}" for i in range(20, 40)}
    assert first.isdisjoint(_names(store))


def test_list_when_it_is_short_then_it_is_read_from_its_start_each_time(index):
    """One call a sweep, for what most workflows have open."""
    del index.items[A_PAGE:]
    store = DynamoRunStore(index, "runs", HOME)
    assert _names(store) == _names(store) == {f"run-{i}" for i in range(10)}
    assert index.asked == [0, 0]
