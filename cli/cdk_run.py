"""Running the CDK CLI for our own verbs: its output in a log, and none of its processes left behind."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from caribou.local.processes import end_group
from caribou.local.tools import cdk_command, cdk_env
from caribou.model.errors import OperationFailedError
from caribou.model.template_contract import STAGE_VARIABLE

_TAIL_LINES = 15
_END_LIMIT_S = 5.0
_MET_ANOTHER = re.compile(
    r"is in \w+_IN_PROGRESS state"
    r"|AlreadyExistsException\b.*\b(Stack|ChangeSet|change set)\b"
    r"|ChangeSetNotFound|ChangeSet \[.*\] does not exist"
    r"|OperationInProgressException|InvalidChangeSetStatus"
)
"""What CloudFormation answers who comes second: to a stack that is being worked on, or with the same change set."""


def log_of(root: Path, what: str) -> Path:
    """A log of this command's own in a project's folder: two at once would mix in one."""
    return root / "cdk.out" / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{what}-{os.getpid()}.log"


def _environment() -> dict[str, str]:
    """The CDK's environment, without the stage, which `-c` says."""
    return {name: value for name, value in cdk_env(os.environ).items() if name != STAGE_VARIABLE}


def run_cdk(arguments: Sequence[str], *, root: Path, log: Path, **variables: str) -> None:
    """Run `cdk` in a project's folder, with some variables more; its output goes to the end of a log file.

    Raises OperationFailedError, with the end of the output, if it fails. Interrupted, it ends the CLI and the app that
    the CLI runs before it raises.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        begin = output.tell()
        process = subprocess.Popen(
            [*cdk_command(), *arguments],
            cwd=root,
            env={**_environment(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that all of its processes can be ended together
        )
        try:
            code = process.wait()
        except BaseException:
            end_group(process.pid, lambda: process.poll() is None, _END_LIMIT_S)
            raise
    if code != 0:
        said = log.read_bytes()[begin:].decode(errors="replace").strip().splitlines()
        raise failure(f"cdk {' '.join(arguments)}", said, log)


def failure(command: str, said: Sequence[str], log: Path) -> OperationFailedError:
    """The error of a command that failed: that it met another deployment, if its output says so, else how that ends."""
    met = next((line.strip() for line in said if _MET_ANOTHER.search(line)), None)
    if met is not None:
        return OperationFailedError(
            f"Another deployment was at work on the same stack, so `{command}` has stopped. Wait until that has ended, "
            f"and deploy again. CloudFormation said ({log}): {met}"
        )
    return OperationFailedError(f"`{command}` failed. Its output ({log}) ends:\n" + "\n".join(said[-_TAIL_LINES:]))
