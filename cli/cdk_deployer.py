"""Deploying for the control room: its requests as command lines of the CDK CLI."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from caribou.cli.cdk_run import run_cdk
from caribou.cli.project import asked_stage
from caribou.control.deploy.planning import DeployRequest
from caribou.model.names import CONTROL_PLANE_STACK_ID, STAGE_KEY, workflow_stack_id


@dataclass(frozen=True)
class CdkDeployer:
    """Deploys the project in a folder. `notify` is given the command, and where its output is."""

    root: Path
    notify: Callable[[str], None]

    def deploy(self, request: DeployRequest) -> None:
        """Run `cdk deploy` to its end. Raises OperationFailedError with the end of its output."""
        arguments = [*arguments_of(request), *stage_arguments()]
        log = _log(self.root, request.workflow or "all")
        self.notify(f"cdk {' '.join(arguments)}\n  its output: {log}")
        with tempfile.TemporaryDirectory(prefix="caribou-cdk-") as assembly:  # cdk.out may be in use by another cdk
            run_cdk([*arguments, "--output", assembly], root=self.root, log=log)


def stage_arguments() -> list[str]:
    """What hands the CDK's app the stage that this command was asked for; none if that is the one in `cdk.json`."""
    asked = asked_stage()
    return [] if asked is None else ["-c", f"{STAGE_KEY}={asked.name}"]


def _log(root: Path, what: str) -> Path:
    """A log of this deploy's own: two at once would mix in one."""
    return root / "cdk.out" / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{what}-{os.getpid()}.log"


def arguments_of(request: DeployRequest) -> list[str]:
    """The CDK CLI's arguments."""
    if request.workflow is None:
        stacks = ["--all"]
    else:
        control = [CONTROL_PLANE_STACK_ID] if request.control_plane else []
        asked = [*request.only, "--exclusively"] if request.only else [*control, workflow_stack_id(request.workflow)]
        stacks = [*asked, "-c", f"workflow={request.workflow}"]
    placement = [] if request.placement is None else ["-c", f"placement={request.placement}"]
    adopt = ["--import-existing-resources"] if request.adopt else []
    adopt += [] if request.account is None else ["-c", f"account={request.account}"]
    return ["deploy", *stacks, *placement, "--require-approval", "never", "--concurrency", "4", *adopt]
