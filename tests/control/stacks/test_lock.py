"""The lock that keeps deploying, retiring and removing a workflow apart."""

import pytest

from caribou.control.runs.run_table import run_uses
from caribou.control.stacks.lock import LOCK_ID, LOCK_S, DeployLock, deploy_lock
from caribou.model.errors import OperationFailedError

pytestmark = pytest.mark.local_cloud
HOME = "us-east-1"


def lock_item(world):
    """The lock's item in the run table, or None."""
    key = {"run_id": {"S": LOCK_ID}}
    return world.aws.dynamodb(HOME).get_item(TableName=world.names.run_table, Key=key, ConsistentRead=True).get("Item")


def test_lock_when_another_holds_it_then_it_is_refused_and_says_who(world, placed):
    """One at a time; the other hears whose lock it is, and for what."""
    world.home(placed())
    with deploy_lock(world.aws, world.names, HOME, "deploying"):
        with pytest.raises(OperationFailedError, match=r"@.* has held the lock since .*, for: deploying"):
            DeployLock(world.aws, world.names.run_table, HOME).take("migrating")
        assert lock_item(world)["purpose"] == {"S": "deploying"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, OperationFailedError, None])
def test_lock_when_the_block_ends_then_it_is_free_however_it_ended(world, placed, error):
    """Ctrl-C gives it back too."""
    world.home(placed())
    try:
        with deploy_lock(world.aws, world.names, HOME, "deploying"):
            if error is not None:
                raise error
    except (KeyboardInterrupt, OperationFailedError):
        pass
    assert lock_item(world) is None


def test_lock_when_its_owner_died_then_it_is_free_once_it_has_expired(world, placed):
    """Nobody has to delete it by hand, but may have to wait."""
    world.home(placed())
    table, started = world.names.run_table, 1_000_000.0
    DeployLock(world.aws, table, HOME, clock=lambda: started).take("deploying")
    with pytest.raises(OperationFailedError):
        DeployLock(world.aws, table, HOME, clock=lambda: started + LOCK_S).take("migrating")
    later = DeployLock(world.aws, table, HOME, clock=lambda: started + LOCK_S + 1).take("migrating")
    later.release()


def test_lock_when_it_expired_and_another_took_it_then_the_first_can_neither_renew_nor_release(world, placed):
    """Who lost it stops before the next step, and does not free another's lock."""
    world.home(placed())
    table, started = world.names.run_table, 1_000_000.0
    first = DeployLock(world.aws, table, HOME, clock=lambda: started).take("deploying")
    second = DeployLock(world.aws, table, HOME, clock=lambda: started + LOCK_S + 1).take("migrating")
    with pytest.raises(OperationFailedError, match="for: migrating"):
        first.renew()
    first.release()
    assert lock_item(world)["owner"] == {"S": second.owner}


def test_lock_when_it_is_renewed_then_it_holds_longer(world, placed):
    """A step that takes long does not lose it."""
    world.home(placed())
    times = iter([0.0, 5000.0])
    lock = DeployLock(world.aws, world.names.run_table, HOME, clock=lambda: next(times)).take("deploying")
    lock.renew()
    assert float(lock_item(world)["lock_until"]["N"]) == 5000.0 + LOCK_S


def test_lock_when_there_is_no_run_table_then_none_is_needed(world):
    """Before the first deployment there is nothing to guard, and nothing to give back."""
    with deploy_lock(world.aws, world.names, HOME, "deploying") as lock:
        lock.renew()
        assert lock.table is None


def test_lock_when_the_table_is_deleted_meanwhile_then_the_end_is_quiet(world, placed):
    """Removing a workflow with its data takes the lock's table away."""
    world.home(placed())
    with deploy_lock(world.aws, world.names, HOME, "removing"):
        world.aws.dynamodb(HOME).delete_table(TableName=world.names.run_table)


def test_lock_when_it_is_held_then_it_is_no_run(world, placed):
    """It lies among the runs, and is not counted as one."""
    world.home(placed())
    world.begin_run("r1", ["us-west-2"])
    with deploy_lock(world.aws, world.names, HOME, "deploying"):
        assert [use.run_id for use in run_uses(world.aws, world.names, HOME)] == ["r1"]
