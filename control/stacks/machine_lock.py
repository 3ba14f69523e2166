"""What keeps the commands of one machine apart while there is no table yet to lock in: a file, locked by the system.

    A:  lock ── ok ── makes the control plane and the workflow ──────────── ends, however
    B:      lock ── refused: "process A … since …"          lock ── ok

The system lets go of it when the process ends. Commands on other machines see what CloudFormation says of the stacks.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from caribou.control.aws import Aws
from caribou.control.target import Target
from caribou.model.cache import cache_folder
from caribou.model.errors import OperationFailedError
from caribou.model.names import stack_name


@contextmanager
def alone_here(
    aws: Aws, target: Target, construct_id: str, purpose: str, wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold this machine's lock of a stack at the target, within the `with`.

    Another's is waited for if `wait` is given, which is given the reason; else it is an OperationFailedError.
    """
    path = _path(aws, target, construct_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8", errors="replace")
    except OSError as error:
        raise _not_made(path, error) from error
    with file:
        try:
            is_ours = _takes(file.fileno())
        except OSError as error:  # a folder on a network may know no locks
            raise _not_made(path, error) from error
        if not is_ours:
            file.seek(0)
            said = f"{construct_id}: {file.read() or 'another process'} on this machine"
            if wait is None:
                raise OperationFailedError(f"{said}. Wait until that has ended")
            wait(f"{said}; this one waits until that has ended")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"process {os.getpid()} has been {purpose} since {datetime.now(UTC).isoformat(timespec='seconds')}")
        file.flush()
        yield


def _takes(descriptor: int) -> bool:
    """Take the lock if it is free; whether it is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _not_made(path: Path, error: OSError) -> OperationFailedError:
    return OperationFailedError(
        f"The lock {path} can't be made: {error.strerror}. Set CARIBOU_CACHE_DIR to a folder of this machine that you "
        f"may write to"
    )


def _path(aws: Aws, target: Target, construct_id: str) -> Path:
    """The file: another one for each account, and for each cloud."""
    stack, region = stack_name(construct_id, target.stage), target.control_region
    where = f"{aws.cloudformation(region).meta.endpoint_url} {aws.account(region)}"
    return cache_folder() / "deploying" / f"{stack}-{hashlib.sha256(where.encode()).hexdigest()[:12]}.lock"
