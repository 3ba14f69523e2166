"""Every interleaving of a sync node's predecessors, with one crash or one duplicate at any operation."""

import pytest
from exhaustive import Search, fan_in

FAN_INS = [(taken, total - taken) for total in range(1, 5) for taken in range(total, -1, -1)]


@pytest.mark.parametrize(("taken", "skipped"), FAN_INS)
def test_sync_node_when_one_process_crashes_anywhere_then_every_interleaving_fires_it_once(taken, skipped):
    """Before, between and after all operations, the sync node's own included; all edges skipped: it never runs."""
    search = Search(fan_in(taken, skipped), crashes=1)
    assert search.schedules() > 0


@pytest.mark.parametrize(("taken", "skipped"), FAN_INS)
def test_sync_node_when_one_message_comes_twice_anytime_then_every_interleaving_fires_it_once(taken, skipped):
    """Before, while and after it is processed; the message that fires the sync node too."""
    search = Search(fan_in(taken, skipped), duplicates=1)
    assert search.schedules() > 0


@pytest.mark.parametrize(
    ("taken", "skipped"),
    [pytest.param(*fan, marks=[pytest.mark.slow] if sum(fan) == 2 else []) for fan in FAN_INS if sum(fan) <= 2],
)
def test_sync_node_when_a_crash_and_a_duplicate_meet_then_every_interleaving_fires_it_once(taken, skipped):
    """Both at once, of up to two predecessors."""
    search = Search(fan_in(taken, skipped), crashes=1, duplicates=1)
    assert search.schedules() > 0


def test_search_when_states_are_merged_then_the_schedules_are_still_counted_one_by_one():
    """Four predecessors and a crash: hundreds of millions of millions of schedules, in some thousand steps."""
    search = Search(fan_in(4, 0), crashes=1)
    assert search.schedules() > 10**14
    assert search.steps < 10_000
