"""The lock that keeps deploying, retiring and removing a workflow apart."""

import pytest

from caribou.control.stacks.lock import LOCK_S, DeployLock, deploy_lock
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.registration import ControlNames

pytestmark = pytest.mark.local_cloud
WEST = "us-west-2"


@pytest.fixture
def guarded(world):
    """A workflow beside a control plane's table of locks."""
    world.lock_table()
    return world


def lock_of(world, at=None):
    """A lock of the workflow that nobody has taken yet; `at` is what the clock says."""
    clock = {} if at is None else {"clock": lambda: at}
    return DeployLock(world.aws, world.target, world.name, **clock)


def lock_item(world):
    """The lock's item in the control plane's table, or None."""
    key, table = {"workflow": {"S": world.name}}, ControlNames(world.target.stage).lock_table
    return world.aws.dynamodb(WEST).get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


def test_lock_when_another_holds_it_then_it_is_refused_and_says_who(guarded):
    """One at a time; the other hears whose lock it is, and for what."""
    with deploy_lock(guarded.aws, guarded.target, guarded.name, "deploying"):
        with pytest.raises(OperationFailedError, match=r"@.* has held the lock of w.* since .*, for: deploying"):
            lock_of(guarded).take("migrating")
        assert lock_item(guarded)["purpose"] == {"S": "deploying"}


def test_lock_when_another_workflow_holds_its_own_then_it_is_free(guarded):
    """One table has the locks of all."""
    with (
        deploy_lock(guarded.aws, guarded.target, guarded.name, "deploying"),
        deploy_lock(guarded.aws, guarded.target, f"{guarded.name}_2", "deploying") as other,
    ):
        assert other.is_held


def test_lock_when_it_is_taken_then_nothing_is_written_where_functions_may_write(guarded, placed):
    """A function may write its workflow's run table: a lock there would be its to take."""
    guarded.home(placed())
    with deploy_lock(guarded.aws, guarded.target, guarded.name, "deploying"):
        found = guarded.aws.dynamodb("us-east-1").scan(TableName=guarded.names.run_table)
        assert found["Items"] == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OperationFailedError, None])
def test_lock_when_the_block_ends_then_it_is_free_however_it_ended(guarded, error):
    """Ctrl-C gives it back too."""
    try:
        with deploy_lock(guarded.aws, guarded.target, guarded.name, "deploying"):
            if error is not None:
                raise error
    except (KeyboardInterrupt, OperationFailedError):
        pass
    assert lock_item(guarded) is None


def test_lock_when_its_owner_died_then_it_is_free_once_it_has_expired(guarded):
    """Nobody has to delete it by hand, but may have to wait."""
    started = 1_000_000.0
    lock_of(guarded, started).take("deploying")
    with pytest.raises(OperationFailedError):
        lock_of(guarded, started + LOCK_S).take("migrating")
    later = lock_of(guarded, started + LOCK_S + 1).take("migrating")
    later.release()


def test_lock_when_it_expired_and_another_took_it_then_the_first_can_neither_renew_nor_release(guarded):
    """Who lost it stops before the next step, and does not free another's lock."""
    started = 1_000_000.0
    first = lock_of(guarded, started).take("deploying")
    second = lock_of(guarded, started + LOCK_S + 1).take("migrating")
    with pytest.raises(OperationFailedError, match="for: migrating"):
        first.renew()
    first.release()
    assert lock_item(guarded)["owner"] == {"S": second.owner}


def test_lock_when_it_is_renewed_then_it_holds_longer(guarded):
    """A step that takes long does not lose it."""
    times = iter([0.0, 5000.0])
    lock = DeployLock(guarded.aws, guarded.target, guarded.name, clock=lambda: next(times)).take("deploying")
    lock.renew()
    assert float(lock_item(guarded)["lock_until"]["N"]) == 5000.0 + LOCK_S


def test_lock_when_there_is_no_control_plane_then_none_is_needed(world):
    """Before the first deployment there is nothing to guard, and nothing to give back."""
    with deploy_lock(world.aws, Target("none", WEST), world.name, "deploying") as lock:
        lock.renew()
        assert not lock.is_held


def test_lock_when_the_control_plane_has_no_table_of_locks_then_it_is_refused_with_the_remedy(world):
    """One of an earlier version: going on without a lock would be silent."""
    world.target = Target("old", WEST)
    world.control_plane()
    with (
        pytest.raises(OperationFailedError, match=r"earlier version.*cdk deploy CaribouControlPlane"),
        deploy_lock(world.aws, world.target, world.name, "deploying"),
    ):
        pytest.fail("nothing may be done without a lock")


def test_lock_when_the_table_is_deleted_meanwhile_then_the_end_is_quiet(world):
    """The control plane may be taken away by hand."""
    world.target = Target("gone", WEST)
    table = world.lock_table()
    with deploy_lock(world.aws, world.target, world.name, "removing"):
        world.aws.dynamodb(WEST).delete_table(TableName=table)
