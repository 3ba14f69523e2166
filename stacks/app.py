"""The CDK app: which stacks there are, out of the project's folder, the context and the time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from aws_cdk import Annotations, App, Stack, Validations
from cdk_nag import AwsSolutionsChecks
from constructs import Construct

from caribou.model.errors import CaribouError, InvalidInputError
from caribou.model.names import ALARM_TOPIC_KEY, refuse_reserved_name
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
from caribou.stacks.workflow_stacks import Deployment
from caribou.stacks.workflows import WorkflowStacks, add_workflow

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
        end_with(error)


def end_with(error: CaribouError) -> NoReturn:
    """End the app with an error as one message, and the error's exit code."""
    print(printable(str(error)), file=sys.stderr)  # noqa: T201 - the CDK CLI shows an app's standard error
    raise SystemExit(error.exit_code) from error


def add_stacks(app: App, root: Path, now: datetime) -> None:
    """Add the control plane and the workflows that the context asks for: one, or all."""
    context = read_context(app)
    folders = checked_folders(root)
    add_control_plane(app, context)
    for workflow in read_workflows(folders, asked_workflow(root, context), context.settings.stage):
        add_placed(app, workflow, placement_of(workflow, context, root, now), context, now)


def add_control_plane(scope: Construct, context: Context) -> ControlPlaneStack:
    """Add the stack of the control plane."""
    settings = context.settings
    control = ControlPlaneStack(
        scope,
        stage=settings.stage,
        control_region=settings.control_region,
        sources=context.sources,
        schedules=context.schedules,
        log_reader=settings.log_reader,
        account=settings.account or context.account,
        alarm_topic=context.alarm_topics.get(settings.control_region),
    )
    warn_of_silence(control, settings.control_region, context.alarm_topics)
    return control


def checked_folders(root: Path) -> dict[str, Path]:
    """The folders of a project's workflows by their names. Raises InvalidInputError if two would meet in AWS."""
    folders = {folder.name: folder for folder in workflow_folders(root)}
    refuse_equal_names(folders)
    return folders


def add_placed(
    scope: Construct, workflow: Workflow, placement: Placement, context: Context, now: datetime
) -> WorkflowStacks:
    """Add the stacks of a workflow with a placement, and warnings of both."""
    refuse_reserved_name(workflow.name, f"workflows/{workflow.name}")
    refuse_long_names(workflow, context.settings.stage)
    deployment = _deployment(workflow, placement, context)
    stacks = add_workflow(scope, deployment)
    _warn(stacks.home, workflow, placement, now)
    if deployment.alarm_topic is None:
        warn_of_silence(stacks.home, workflow.manifest.home_region, context.alarm_topics)
    return stacks


def _warn(stack: Stack, workflow: Workflow, placement: Placement, now: datetime) -> None:
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
    settings, manifest = context.settings, workflow.manifest
    return Deployment(
        workflow,
        placement,
        settings.stage,
        settings.control_region,
        settings.project_id,
        settings.account,
        alarm_topic=manifest.alarm_topic or context.alarm_topics.get(manifest.home_region),
    )


def warn_of_silence(stack: Stack, region: str, topics: Mapping[str, str]) -> None:
    """Warn that a stack has no alarms although the context names topics: none is in its region, where alarms are."""
    if topics and region not in topics:
        Annotations.of(stack).add_warning_v2(
            "caribou:noAlarms",
            f"There are no alarms in {region}, since {ALARM_TOPIC_KEY} has topics in {', '.join(sorted(topics))} "
            "alone, and an alarm can notify none of another region. Add one, with a comma between",
        )


def read_workflows(folders: Mapping[str, Path], only: str | None, stage: str) -> Iterable[Workflow]:
    """The workflows in some folders at a stage, or only the one of a name. InvalidInputError if there is none."""
    if only is None:
        return [read_workflow(folder, stage) for folder in folders.values()]
    if only not in folders:
        raise InvalidInputError(
            "is no workflow of this project", where=only, fix=f"use one of {', '.join(folders) or 'workflows/<name>/'}"
        )
    return [read_workflow(folders[only], stage)]


def asked_workflow(root: Path, context: Context) -> str | None:
    """The one workflow that is asked for, by its name or by its placement; None for all."""
    if context.workflow is not None or context.placement in {None, HOME}:
        return context.workflow
    return read_placement(root / str(context.placement)).workflow


def placement_of(workflow: Workflow, context: Context, root: Path, now: datetime) -> Placement:
    """The placement that the context asks for, checked; without one, the workflow's committed one, or home."""
    choice = context.placement
    return committed(workflow) if choice is None else asked_for(choice, root / choice, workflow, now)
