"""The CDK app: which stacks there are, out of the project's folder, the context and the time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from aws_cdk import Annotations, App, Validations
from cdk_nag import AwsSolutionsChecks

from caribou.model.errors import CaribouError, InvalidInputError
from caribou.model.names import refuse_reserved_name
from caribou.model.placement import Placement
from caribou.model.printable import printable
from caribou.model.project.placement_choice import HOME, asked_for, committed
from caribou.model.project.workflow import Workflow, read_workflow, workflow_folders
from caribou.model.run_settings import GOES_HOME_WITHIN_S
from caribou.model.schema.placement import read_placement
from caribou.model.verdict import doubt_of
from caribou.stacks.context import Context, read_context
from caribou.stacks.control_plane import ControlPlaneStack
from caribou.stacks.limits import NO_LIMIT_OF_CDK, refuse_large_templates
from caribou.stacks.naming import refuse_equal_names, refuse_long_names
from caribou.stacks.workflow_stacks import Deployment, add_workflow

_FLAGS = {"@aws-cdk/core:enablePartitionLiterals": True, "@aws-cdk/aws-iam:minimizePolicies": True}
"""CDK's feature flags that our templates are made with; a project's `cdk.json` may say otherwise."""


def synthesise(now: datetime, root: Path | None = None) -> None:
    """Synthesise the project in a folder (the working directory by default), as `cdk` asks an app to.

    A user's mistake is printed as one message on standard error, with exit code 2. cdk-nag
    looks at the stacks when CDK validates their templates: unless `CDK_VALIDATION` is `false`.
    """
    try:
        app = App(context={**_FLAGS, **NO_LIMIT_OF_CDK})
        if os.environ.get("CDK_VALIDATION") != "false":
            Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        add_stacks(app, root or Path.cwd(), now)
        refuse_large_templates(Path(app.synth().directory))
    except CaribouError as error:
        print(printable(str(error)), file=sys.stderr)  # noqa: T201 - the CDK CLI shows an app's standard error
        raise SystemExit(error.exit_code) from error


def add_stacks(app: App, root: Path, now: datetime) -> None:
    """Add the control plane and the workflows that the context asks for: one, or all."""
    context = read_context(app)
    folders = {folder.name: folder for folder in workflow_folders(root)}
    refuse_equal_names(folders)
    settings = context.settings
    ControlPlaneStack(
        app,
        stage=settings.stage,
        control_region=settings.control_region,
        sources=context.sources,
        account=settings.account,
    )
    for workflow in _workflows(folders, _only(root, context), context.settings.stage):
        refuse_reserved_name(workflow.name, f"workflows/{workflow.name}")
        refuse_long_names(workflow, context.settings.stage)
        placement = _placement(workflow, context, root, now)
        stack = add_workflow(app, _deployment(workflow, placement, context))
        if placement.is_expired(now):
            Annotations.of(stack).add_warning_v2(
                "caribou:placementExpired",
                f"The committed placement expired at {placement.expires_at}: runs stay home until it is solved again",
            )
        if doubt := doubt_of(placement):
            Annotations.of(stack).add_warning_v2(
                "caribou:placementInDoubt",
                f"{placement.summary}: {doubt}. `caribou deploy` asks before it applies such a placement",
            )
        if short := sorted(
            name for name, settings in workflow.manifest.functions.items() if settings.timeout_s < GOES_HOME_WITHIN_S
        ):
            Annotations.of(stack).add_warning_v2(
                "caribou:shortTimeout",
                f"{', '.join(short)}: with a timeout under {GOES_HOME_WITHIN_S} s there is no time left to give up a "
                "region that does not answer and to run its nodes at home",
            )
        if any(settings.docker_commands for settings in workflow.manifest.functions.values()):
            Annotations.of(stack).add_warning_v2(
                "caribou:dockerCommands",
                "The manifest's additional_docker_commands are not run, since functions are no Docker images: what "
                "they install must come with requirements.txt or in the workflow's folder",
            )


def _deployment(workflow: Workflow, placement: Placement, context: Context) -> Deployment:
    settings = context.settings
    return Deployment(
        workflow, placement, settings.stage, settings.control_region, settings.project_id, settings.account
    )


def _workflows(folders: Mapping[str, Path], only: str | None, stage: str) -> Iterable[Workflow]:
    if only is None:
        return [read_workflow(folder, stage) for folder in folders.values()]
    if only not in folders:
        raise InvalidInputError(
            "is no workflow of this project", where=only, fix=f"use one of {', '.join(folders) or 'workflows/<name>/'}"
        )
    return [read_workflow(folders[only], stage)]


def _only(root: Path, context: Context) -> str | None:
    """The one workflow that is asked for, by its name or by its placement; None for all."""
    if context.workflow is not None or context.placement in {None, HOME}:
        return context.workflow
    return read_placement(root / str(context.placement)).workflow


def _placement(workflow: Workflow, context: Context, root: Path, now: datetime) -> Placement:
    choice = context.placement
    return committed(workflow) if choice is None else asked_for(choice, root / choice, workflow, now)
