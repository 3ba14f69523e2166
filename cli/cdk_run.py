"""Running the CDK CLI for our own verbs: its output in a log, and none of its processes left behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from caribou.local import leash
from caribou.local.processes import end_group
from caribou.local.tools import cdk_command, cdk_env
from caribou.model.errors import AppRefusedError, CaribouError, OperationFailedError
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
_REFUSED = re.compile(r"Subprocess exited with error 2$")
_BUNDLING = "Bundling asset "
"""How the CDK CLI reports that an app has ended so, and what of its own stands between the app's lines."""


def log_of(root: Path, what: str) -> Path:
    """A log of this command's own in a project's folder: two at once would mix in one."""
    return root / "cdk.out" / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{what}-{os.getpid()}.log"


def _environment() -> dict[str, str]:
    """The CDK's environment, without the stage, which `-c` says."""
    return {name: value for name, value in cdk_env(os.environ).items() if name != STAGE_VARIABLE}


def run_cdk(arguments: Sequence[str], *, root: Path, log: Path, **variables: str) -> None:
    """Run `cdk` in a project's folder, with some variables more; its output goes to the end of a log file.

    Raises OperationFailedError, with the end of the output, if it fails, and AppRefusedError if its app refuses the
    project. Interrupted, it ends the CLI and the app that the CLI runs before it raises. If this process is killed,
    they end too; what CloudFormation has begun goes on.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        begin = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-I", leash.__file__, *cdk_command(), *arguments],
            cwd=root,
            env={**_environment(), **variables},
            stdin=subprocess.PIPE,  # closed when this process ends, in any way
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that all of its processes can be ended together
        )
        try:
            code = process.wait()
        except BaseException:
            end_group(process.pid, lambda: process.poll() is None, _END_LIMIT_S)
            raise
        finally:
            assert process.stdin is not None
            process.stdin.close()
    if code != 0:
        said = log.read_bytes()[begin:].decode(errors="replace").strip().splitlines()
        raise failure(f"cdk {' '.join(arguments)}", said, log)


def failure(command: str, said: Sequence[str], log: Path) -> CaribouError:
    """The error of a command that failed, by its output.

    What the app itself refused, as it says so; that it met another deployment; else how the output ends.
    """
    if refused := refusal(said):
        return AppRefusedError(refused)
    met = next((line.strip() for line in said if _MET_ANOTHER.search(line)), None)
    if met is not None:
        return OperationFailedError(
            f"Another deployment was at work on the same stack, so `{command}` has stopped. Wait until that has ended, "
            f"and deploy again. CloudFormation said ({log}): {met}"
        )
    return OperationFailedError(f"`{command}` failed. Its output ({log}) ends:\n" + "\n".join(said[-_TAIL_LINES:]))


def refusal(said: Sequence[str]) -> str:
    """What the app said when it ended with exit code 2, as ours does for a user's mistake; empty if it did not."""
    end = next((at for at, line in enumerate(said) if _REFUSED.search(line)), 0)
    begin = max((at + 1 for at, line in enumerate(said[:end]) if line.startswith(_BUNDLING)), default=0)
    return "\n".join(said[begin:end]).strip()
