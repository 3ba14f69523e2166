"""The lock that keeps deploying, retiring and removing a workflow apart."""

import os
import subprocess
import sys
import threading

import pytest
from botocore.exceptions import ConnectTimeoutError
from waiting import eventually

from caribou.control.stacks import lock, lock_item
from caribou.control.stacks.lock import DeployLock, deploy_lock
from caribou.control.stacks.lock_item import LEASE_S
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.registration import ControlNames

pytestmark = pytest.mark.local_cloud
WEST = "us-west-2"
SILENT = lambda _: None  # noqa: E731 - nobody hears it


@pytest.fixture
def guarded(world):
    """A workflow beside a control plane's table of locks."""
    world.lock_table()
    return world


def lock_of(world, at=None, said=None, sleep=None):
    """A lock of the workflow that nobody has taken yet; `at` is what the clock says, `sleep` what happens meanwhile."""
    clock = {} if at is None else {"clock": lambda: at}
    notify = SILENT if said is None else said.append
    return DeployLock(world.aws, world.target, world.name, notify, **clock, sleep=sleep or (lambda _: None))


@pytest.fixture
def elsewhere(monkeypatch):
    """Locks are taken by a process of another machine, until `elsewhere()` is called."""
    machines = ["another"]
    real = lock_item.this_machine
    monkeypatch.setattr(lock_item, "this_machine", lambda: machines[0] if machines else real())
    return machines.clear


def item_of(world):
    """The lock's item in the control plane's table, or None."""
    key, table = {"workflow": {"S": world.name}}, ControlNames(world.target.stage).lock_table
    return world.aws.dynamodb(WEST).get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


def test_lock_when_another_holds_it_then_it_is_refused_and_says_who(guarded):
    """One at a time; the other hears whose lock it is, and for what."""
    with deploy_lock(guarded.aws, guarded.target, guarded.name, "deploying", SILENT):
        with pytest.raises(OperationFailedError, match=r"@.* has held the lock of w.* since .*, for: deploying"):
            lock_of(guarded).take("migrating")
        assert item_of(guarded)["purpose"] == {"S": "deploying"}


def test_lock_when_another_workflow_holds_its_own_then_it_is_free(guarded):
    """One table has the locks of all."""
    with (
        deploy_lock(guarded.aws, guarded.target, guarded.name, "deploying", SILENT),
        deploy_lock(guarded.aws, guarded.target, f"{guarded.name}_2", "deploying", SILENT) as other,
    ):
        assert other.is_held


def test_lock_when_it_is_taken_then_nothing_is_written_where_functions_may_write(guarded, placed):
    """A function may write its workflow's run table: a lock there would be its to take."""
    guarded.home(placed())
    with deploy_lock(guarded.aws, guarded.target, guarded.name, "deploying", SILENT):
        found = guarded.aws.dynamodb("us-east-1").scan(TableName=guarded.names.run_table)
        assert found["Items"] == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OperationFailedError, None])
def test_lock_when_the_block_ends_then_it_is_free_however_it_ended(guarded, error):
    """Ctrl-C gives it back too."""
    try:
        with deploy_lock(guarded.aws, guarded.target, guarded.name, "deploying", SILENT):
            if error is not None:
                raise error
    except (KeyboardInterrupt, OperationFailedError):
        pass
    assert item_of(guarded) is None


def test_lock_when_no_heartbeat_comes_any_more_then_another_machine_takes_it_over_and_says_so(guarded, elsewhere):
    """Nobody has to delete it by hand: it is overdue after a minute, and watched for a while."""
    started, said = 1_000_000.0, []
    lock_of(guarded, started).take("deploying")
    elsewhere()
    with pytest.raises(OperationFailedError, match=r"for: deploying \(heartbeat 60 s old\).*caribou unlock"):
        lock_of(guarded, started + LEASE_S).take("migrating")
    lock_of(guarded, started + LEASE_S + 1, said).take("migrating").release()
    assert "waiting 20 s for a sign of life" in said[0]
    assert "taken over, as that has ended" in said[1]


def test_lock_when_its_holders_clock_is_behind_then_a_heartbeat_keeps_it(guarded, elsewhere):
    """By two clocks it looks overdue; it is watched, and its holder lives."""
    held = lock_of(guarded, 1_000_000.0).take("deploying")
    elsewhere()
    beat = DeployLock(guarded.aws, guarded.target, guarded.name, SILENT, held.owner, clock=lambda: 1_000_015.0).renew
    with pytest.raises(OperationFailedError, match="for: deploying"):
        lock_of(guarded, 1_000_600.0, sleep=lambda _: beat()).take("migrating")


def test_lock_when_its_dead_holders_clock_was_ahead_then_it_is_free_all_the_same(guarded, elsewhere):
    """A heartbeat of the future says nothing of when the next is due: it is watched, and a living holder keeps it."""
    held = lock_of(guarded, 1_003_600.0).take("deploying")
    elsewhere()
    beat = DeployLock(guarded.aws, guarded.target, guarded.name, SILENT, held.owner, clock=lambda: 1_003_615.0).renew
    with pytest.raises(OperationFailedError, match="for: deploying"):
        lock_of(guarded, 1_000_000.0, sleep=lambda _: beat()).take("migrating")
    lock_of(guarded, 1_000_000.0).take("migrating")
    assert item_of(guarded)["purpose"] == {"S": "migrating"}


def test_lock_when_its_holder_was_killed_on_this_machine_then_it_is_free_at_once(guarded, monkeypatch):
    """That there is no such process any more is seen."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    monkeypatch.setattr(os, "getpid", lambda: ended.pid)
    lock_of(guarded).take("deploying")
    monkeypatch.undo()
    said = []
    lock_of(guarded, said=said).take("migrating")
    assert "whose process has ended" in said[0]


def test_lock_when_an_earlier_version_holds_it_then_it_holds_as_long_as_that_says(guarded):
    """It writes no heartbeat, and says until when."""
    table = ControlNames(guarded.target.stage).lock_table
    item = {"workflow": {"S": guarded.name}, "owner": {"S": "o"}, "who": {"S": "maya"}, "lock_until": {"N": "1000.5"}}
    guarded.aws.dynamodb(WEST).put_item(TableName=table, Item=item)
    with pytest.raises(OperationFailedError, match="maya has held the lock of w"):
        lock_of(guarded, 1000.0).take("migrating")
    lock_of(guarded, 1001.0).take("migrating")
    assert item_of(guarded)["purpose"] == {"S": "migrating"}


def test_lock_when_it_expired_and_another_took_it_then_the_first_can_neither_renew_nor_release(guarded, elsewhere):
    """Who lost it stops before the next step, and does not free another's lock."""
    started = 1_000_000.0
    first = lock_of(guarded, started).take("deploying")
    elsewhere()
    second = lock_of(guarded, started + LEASE_S + 1).take("migrating")
    with pytest.raises(OperationFailedError, match=r"was taken from this process: .*for: migrating"):
        first.renew()
    first.release()
    assert item_of(guarded)["owner"] == {"S": second.owner}


def test_lock_when_it_is_held_then_its_heart_beats(guarded, monkeypatch):
    """Beside whatever is done; when that is over, it ends."""
    monkeypatch.setattr(lock, "BEAT_S", 0.01)
    with deploy_lock(guarded.aws, guarded.target, guarded.name, "deploying", SILENT):
        taken = float(item_of(guarded)["beat"]["N"])
        eventually(lambda: float(item_of(guarded)["beat"]["N"]) > taken, "a heartbeat")
    assert not [thread for thread in threading.enumerate() if thread.name == "caribou-lock"]
    assert item_of(guarded) is None


def test_lock_when_the_control_region_does_not_answer_then_none_is_held_and_that_is_said(world, monkeypatch):
    """What is done then is done without: the machine's lock and CloudFormation are left."""
    monkeypatch.setattr(world.aws, "dynamodb", lambda _: Unanswering(world.aws.ssm(WEST)))
    taken = lock_of(world).take("deploying")
    taken.renew()
    taken.release()
    assert not taken.is_held
    assert f"the control region {WEST} is out of reach (no answer), so {world.name} is not locked" in taken.warning


class Unanswering:
    """A table's client that never hears anything."""

    def __init__(self, client):
        self.exceptions = client.exceptions
        self.exceptions.ResourceNotFoundException = self.exceptions.ConditionalCheckFailedException = KeyError

    def put_item(self, **_):
        """No answer."""
        raise ConnectTimeoutError(endpoint_url="u")


def test_lock_when_there_is_no_control_plane_then_none_is_needed(world):
    """Before the first deployment there is nothing to guard, and nothing to give back."""
    with deploy_lock(world.aws, Target("none", WEST), world.name, "deploying", SILENT) as lock:
        lock.renew()
        assert not lock.is_held


def test_lock_when_the_control_plane_has_no_table_of_locks_then_it_is_refused_with_the_remedy(world):
    """One of an earlier version: going on without a lock would be silent."""
    world.target = Target("old", WEST)
    world.control_plane()
    with (
        pytest.raises(OperationFailedError, match=r"earlier version.*cdk deploy CaribouControlPlane"),
        deploy_lock(world.aws, world.target, world.name, "deploying", SILENT),
    ):
        pytest.fail("nothing may be done without a lock")


def test_lock_when_the_table_is_deleted_meanwhile_then_the_end_is_quiet(world):
    """The control plane may be taken away by hand."""
    world.target = Target("gone", WEST)
    table = world.lock_table()
    with deploy_lock(world.aws, world.target, world.name, "removing", SILENT):
        world.aws.dynamodb(WEST).delete_table(TableName=table)
