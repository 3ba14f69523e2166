"""Which pending placement is applied, and what is remembered of it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from caribou.control.migrate.pending import judge
from caribou.control.placement_bucket import Pending, PlacementBox
from caribou.control.target import Target
from caribou.model.placement import Placement
from caribou.model.registration import ControlNames

HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


def pending(placement, applied=None):
    """A placement as it waits."""
    return Pending(json.dumps(placement.to_json()), applied)


def test_pending_when_it_differs_from_what_is_deployed_then_it_is_applied(workflow, placed):
    """Another digest, valid and not expired: that is what waits for the migrator."""
    solved = placed(WEST, expires_at=NOW + WEEK)
    decision = judge(pending(solved), workflow, placed(), NOW)
    assert decision.placement == solved
    assert "us-west-2" in decision.reason


def test_pending_when_there_is_none_then_nothing_is_applied(workflow, placed):
    """No file, no move."""
    assert judge(None, workflow, placed(), NOW).placement is None


def test_pending_when_it_was_applied_before_then_going_back_by_hand_is_not_undone(workflow, placed):
    """Who deployed home after it meant it."""
    solved = pending(placed(WEST, expires_at=NOW + WEEK))
    applied = Pending(solved.text, solved.sha256)
    decision = judge(applied, workflow, placed(), NOW)
    assert decision.placement is None
    assert "applied before" in decision.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", "is of no use"),
        ('{"schema": "caribou.placement/9"}', "is of no use"),
    ],
)
def test_pending_when_it_can_not_be_read_then_it_says_so_and_is_not_applied(workflow, placed, text, reason):
    """A broken file in the bucket is no reason to fail, nor to move."""
    decision = judge(Pending(text), workflow, placed(), NOW)
    assert decision.placement is None
    assert reason in decision.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"last": "eu-west-1"}, "does not allow"),
        ({"version": "0.0.2"}, "another version"),
        ({"home": CANADA}, "another home"),
        ({"name": "other"}, "another workflow"),
        ({"expires_at": NOW}, "expired at"),
    ],
)
def test_pending_when_it_is_not_valid_then_it_says_so_and_is_not_applied(workflow, placed, changes, reason):
    """The manifest, the version and the clock are asked before any deploy."""
    solved = placed(**{"last": WEST, "expires_at": NOW + WEEK, **changes})
    decision = judge(pending(solved), workflow, placed(), NOW)
    assert decision.placement is None
    assert reason in decision.reason


def test_pending_when_it_is_older_than_the_deployed_one_then_it_is_not_applied(workflow, placed):
    """A newer one was deployed by hand meanwhile."""
    old = placed(WEST, expires_at=NOW + WEEK, solved_at="2026-06-01T00:00:00Z")
    deployed = placed(CANADA, expires_at=NOW + WEEK, solved_at="2026-06-02T00:00:00Z")
    assert "older" in judge(pending(old), workflow, deployed, NOW).reason


def test_pending_when_it_is_deployed_but_holds_longer_then_it_is_applied(workflow, placed):
    """Else the placement would expire although it is still the best."""
    deployed, solved = placed(WEST, expires_at=NOW + WEEK), placed(WEST, expires_at=NOW + 2 * WEEK)
    assert judge(pending(solved), workflow, deployed, NOW).placement == solved


@pytest.mark.parametrize(("last", "expires_at"), [(WEST, NOW + WEEK), (HOME, None)])
def test_pending_when_it_is_deployed_and_holds_no_longer_then_it_is_not_applied(workflow, placed, last, expires_at):
    """Nothing would change; home never expires."""
    solved = placed(last, expires_at=NOW + WEEK)
    decision = judge(pending(solved), workflow, placed(last, expires_at=expires_at), NOW)
    assert decision.placement is None
    assert decision.reason == "the pending placement is deployed"


@pytest.mark.local_cloud
def test_box_when_a_placement_was_noted_as_applied_then_it_is_known_until_another_is_put(aws, placed):
    """The bucket remembers what was applied, by its content."""
    target = Target("box", WEST)
    assert PlacementBox(aws, target).pending("example") is None
    bucket = ControlNames("box").placement_bucket(aws.account(WEST), WEST)
    aws.s3(WEST).create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": WEST})
    box = PlacementBox(aws, target)
    assert box.pending("example") is None
    box.put("example", json.dumps(placed(WEST).to_json()))
    first = box.pending("example")
    assert first.applied_sha256 is None
    box.note_applied("example", first, placed(WEST).digest, NOW)
    assert box.pending("example").applied_sha256 == first.sha256
    box.put("example", json.dumps(placed(CANADA).to_json()))
    again = box.pending("example")
    assert again.applied_sha256 == first.sha256 != again.sha256
    assert Placement.from_json(json.loads(again.text)) == placed(CANADA)


def test_pending_when_it_was_solved_in_the_future_then_it_is_refused_and_locks_nothing_out(workflow, placed):
    """A `solved_at` of 2990 would be younger than every honest placement, for ever."""
    later, honest = "2990-01-01T00:00:00Z", NOW.isoformat()
    decision = judge(pending(placed(WEST, solved_at=later)), workflow, placed(), NOW)
    assert decision.placement is None
    assert "of the future: solved_at is 2990-01-01T00:00:00+00:00" in decision.reason
    solved = placed(WEST, solved_at=honest)
    assert judge(pending(solved), workflow, placed(CANADA, solved_at=later), NOW).placement == solved


def test_pending_when_the_solvers_clock_is_a_little_ahead_then_it_is_applied(workflow, placed):
    """Clocks differ."""
    solved = placed(WEST, solved_at=(NOW + timedelta(minutes=5)).isoformat())
    assert judge(pending(solved), workflow, placed(), NOW).placement == solved
