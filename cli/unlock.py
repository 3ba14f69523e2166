"""`caribou unlock`: whose the lock of a workflow is, and taking it away from a process that has died."""

from __future__ import annotations

import time
from pathlib import Path

import click

from caribou.cli.output import notify, say
from caribou.cli.session import session, spellings
from caribou.control.stacks.lock import DeployLock
from caribou.control.stacks.lock_item import LockItem
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.project.folders import workflow_folders
from caribou.model.schema.nearest import near


@click.command()
@click.argument("workflow")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Take it away from a process that lives, too.")
def unlock(workflow: str, *, yes: bool, force: bool) -> None:
    """Say who holds the lock of WORKFLOW, and take it away from a process that has died."""
    with session() as here:
        locks = [DeployLock(here.aws, here.target, name, notify) for name in spellings(workflow)]
        found = next(((lock, held) for lock in locks if (held := lock.found()) is not None), None)
        if found is None:
            _check_known(workflow, here.root)
            say(f"{workflow} is not locked")
            return
        lock, held = found
        say(held.text(time.time()))
        if not force and not lock.is_dead(held):
            raise _lives(held)
        if not yes:
            click.confirm("Take the lock away?", abort=True)
        if not lock.break_open(held):
            raise OperationFailedError(f"The lock of {held.workflow} has changed meanwhile. Look at it again")
    say(f"{held.workflow} is not locked any more")


def _check_known(name: str, root: Path) -> None:
    """Raise InvalidInputError for a name that is none of the project's: what was meant may well be locked."""
    known = [folder.name for folder in workflow_folders(root)]
    if not set(spellings(name)) & set(known):
        what = "is not locked, and no workflow of this project"
        raise InvalidInputError(what, where=str(root), found=name, fix=near(name, known))


def _lives(held: LockItem) -> InvalidInputError:
    on = "" if held.holder is None else f", process {held.holder.pid} on {held.holder.host}"
    return InvalidInputError(
        "is held by a process that lives, as far as is known",
        where=f"lock of {held.workflow}",
        found=held.who,
        fix=f"wait until it has ended, or end it{on}; a process that cannot be reached and does no more is given up "
        f"after a minute, or at once with --force",
    )
