"""Deploying for the control room: its requests as command lines of the CDK CLI."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from caribou.cli.cdk_progress import changed_nothing, shown_progress
from caribou.cli.cdk_run import log_of, run_cdk
from caribou.cli.cdk_stages import paths_in_stages
from caribou.cli.project import asked_stage, stage
from caribou.control.deploy.planning import DeployRequest
from caribou.model.errors import OperationFailedError
from caribou.model.names import CONTROL_PLANE_STACK_ID, STAGE_KEY, stack_name, workflow_stack_id


@dataclass(frozen=True)
class CdkDeployer:
    """Deploys the project in a folder. `notify` is given the command, and where its output is."""

    root: Path
    notify: Callable[[str], None]

    def deploy(self, request: DeployRequest) -> None:
        """Run `cdk deploy` to its end. Raises OperationFailedError with the end of its output."""
        arguments = [*arguments_of(request), *stage_arguments()]
        log = log_of(self.root, request.workflow or "all")
        self.notify(f"cdk {' '.join(arguments)}\n  its output: {log}")
        with tempfile.TemporaryDirectory(prefix="caribou-cdk-") as assembly:  # cdk.out may be in use by another cdk
            self._run([*arguments, "--output", assembly], request, Path(assembly), log)
        if changed_nothing(log):
            self.notify("nothing to change: every stack is as it should be")

    def _run(self, arguments: list[str], request: DeployRequest, assembly: Path, log: Path) -> None:
        """Run the CLI; and again, by paths, for stacks that the app has in a Stage, where their ids select nothing."""
        failure: OperationFailedError | None = None
        try:
            self._cdk(arguments, log)
        except OperationFailedError as error:
            failure = error
        names = {construct_id: stack_name(construct_id, stage(self.root)) for construct_id in stacks_of(request)}
        paths = paths_in_stages(assembly, names)
        if paths:
            self.notify(f"cdk deploy {' '.join(paths.values())}: the app has them in a Stage")
            self._cdk([paths.get(word, word) for word in arguments], log)
        elif failure is not None:
            raise failure

    def _cdk(self, arguments: list[str], log: Path) -> None:
        with shown_progress(log, "Synthesising"):
            run_cdk(arguments, root=self.root, log=log)


def stacks_of(request: DeployRequest) -> list[str]:
    """The construct ids of the stacks that are requested; none if that is everything."""
    if request.workflow is None:
        return []
    if request.only:
        return [*request.only]
    control = [CONTROL_PLANE_STACK_ID] if request.control_plane else []
    return [*control, workflow_stack_id(request.workflow)]


def arguments_of(request: DeployRequest) -> list[str]:
    """The CDK CLI's arguments."""
    stacks = [*(stacks_of(request) or ["--all"]), *(["--exclusively"] if request.only else [])]
    adopt = ["--import-existing-resources"] if request.adopt else []
    return ["deploy", *stacks, *context_of(request), "--require-approval", "never", "--concurrency", "4", *adopt]


def context_of(request: DeployRequest) -> list[str]:
    """The context in which the app makes what is requested, as arguments."""
    given = {"workflow": request.workflow, "placement": request.placement, "account": request.account}
    return [word for key, value in given.items() if value is not None for word in ("-c", f"{key}={value}")]


def stage_arguments() -> list[str]:
    """What hands the CDK's app the stage that this command was asked for; none if that is the one in `cdk.json`."""
    asked = asked_stage()
    return [] if asked is None else ["-c", f"{STAGE_KEY}={asked.name}"]
