"""The lock of one machine, which needs no table."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace

import pytest
from waiting import BACKSTOP_S

from caribou.control.stacks.machine_lock import alone_here
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError

TARGET = Target("dev", "us-west-2")


class Account:
    """AWS as far as the lock asks: which account it is, and of which cloud."""

    def __init__(self, number="123456789012", endpoint="https://cloudformation"):
        self._number, self._endpoint = number, endpoint

    def account(self, _region):
        """Its number."""
        return self._number

    def cloudformation(self, _region):
        """A client, of which only the endpoint is looked at."""
        return SimpleNamespace(meta=SimpleNamespace(endpoint_url=self._endpoint))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, in which the locks lie."""
    monkeypatch.setenv("CARIBOU_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_lock_when_another_process_has_it_then_it_is_refused_and_says_which():
    """Before the first deployment there is no table that could."""
    with (
        alone_here(Account(), TARGET, "Workflow-shop", "deploying"),
        pytest.raises(OperationFailedError, match=r"Workflow-shop: process \d+ has been deploying since .*Wait until"),
        alone_here(Account(), TARGET, "Workflow-shop", "removing"),
    ):
        pytest.fail("two have the lock")


@pytest.mark.parametrize(
    ("account", "target", "stack"),
    [
        (Account(), TARGET, "Workflow-bakery"),
        (Account(), Target("prod", "us-west-2"), "Workflow-shop"),
        (Account("999999999999"), TARGET, "Workflow-shop"),
        (Account(endpoint="http://127.0.0.1:4566"), TARGET, "Workflow-shop"),
    ],
    ids=["workflow", "stage", "account", "cloud"],
)
def test_lock_when_it_is_of_something_else_then_both_are_held(account, target, stack):
    """Two local clouds on one machine have the same account."""
    with alone_here(Account(), TARGET, "Workflow-shop", "deploying"), alone_here(account, target, stack, "deploying"):
        pass


def test_lock_when_it_is_waited_for_then_the_second_says_so_and_goes_on_after_the_first():
    """What both need is made once."""
    waits, order = Event(), []

    def second():
        with alone_here(Account(), TARGET, "CaribouControlPlane", "deploying it", wait=said):
            order.append("second")

    def said(why):
        order.append(why)
        waits.set()

    with ThreadPoolExecutor() as threads:
        with alone_here(Account(), TARGET, "CaribouControlPlane", "deploying it"):
            other = threads.submit(second)
            assert waits.wait(BACKSTOP_S)
            order.append("first")
        other.result(BACKSTOP_S)
    assert "this one waits until that has ended" in order.pop(0)
    assert order == ["first", "second"]


def test_lock_when_its_process_was_killed_then_it_is_free(cache):
    """Nobody has to delete a file by hand."""
    with alone_here(Account(), TARGET, "Workflow-shop", "deploying"):
        [path] = cache.glob("deploying/*")
    code = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()
        with pytest.raises(OperationFailedError), alone_here(Account(), TARGET, "Workflow-shop", "deploying"):
            pytest.fail("the other process has it")
        holder.send_signal(signal.SIGKILL)
    with alone_here(Account(), TARGET, "Workflow-shop", "deploying"):
        pass


def test_lock_when_its_folder_can_not_be_made_then_it_is_one_message(cache, monkeypatch):
    """With what to set."""
    (cache / "file").write_text("")
    monkeypatch.setenv("CARIBOU_CACHE_DIR", str(cache / "file"))
    with (
        pytest.raises(OperationFailedError, match="CARIBOU_CACHE_DIR"),
        alone_here(Account(), TARGET, "Workflow-shop", "deploying"),
    ):
        pytest.fail("without a lock")


def test_lock_when_its_folder_knows_no_locks_then_it_is_one_message(monkeypatch):
    """A home folder on a network may lie on a server without them."""

    def knows_none(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", knows_none)
    with (
        pytest.raises(OperationFailedError, match=r"No locks available.*CARIBOU_CACHE_DIR to a folder of this machine"),
        alone_here(Account(), TARGET, "Workflow-shop", "deploying"),
    ):
        pytest.fail("without a lock")


def test_lock_when_its_file_is_no_text_then_the_message_says_what_it_can(cache):
    """A disk that was full, or another program, may have left anything there."""
    with alone_here(Account(), TARGET, "Workflow-shop", "deploying"):
        [path] = cache.glob("deploying/*")
        path.write_bytes(b"\xff\xfe")
        with (
            pytest.raises(OperationFailedError, match="Wait until"),
            alone_here(Account(), TARGET, "Workflow-shop", "removing"),
        ):
            pytest.fail("two have the lock")
