"""The CDK app: which stacks there are, out of the project's folder, the context and the time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from aws_cdk import Annotations, App, Stack, Validations
from cdk_nag import AwsSolutionsChecks

from caribou.model.errors import CaribouError, InvalidInputError
from caribou.model.names import DEFAULT_CONTROL_REGION, DEFAULT_STAGE
from caribou.model.placement import Placement
from caribou.model.schema.workflow import Workflow, read_workflow, workflow_folders
from caribou.stacks.control_plane import ControlPlaneStack
from caribou.stacks.placing import HOME, asked_for, committed, read_placement
from caribou.stacks.workflow import Deployment, add_workflow

PLACEMENT, WORKFLOW = "placement", "workflow"
STAGE, CONTROL_REGION = "caribou:stage", "caribou:control_region"
_FLAGS = {"@aws-cdk/core:enablePartitionLiterals": True, "@aws-cdk/aws-iam:minimizePolicies": True}
"""CDK's feature flags that our templates are made with; a project's `cdk.json` may say otherwise."""
_OURS = {STAGE: "the stage, in front of every name", CONTROL_REGION: "the region of the control plane"}


def synthesise(now: datetime, root: Path | None = None) -> None:
    """Synthesise the project in a folder (the working directory by default), as `cdk` asks an app to.

    A user's mistake is told in one message on standard error, with exit code 2. cdk-nag
    looks at the stacks when CDK validates their templates: unless `CDK_VALIDATION` is `false`.
    """
    try:
        app = App(context=_FLAGS)
        if os.environ.get("CDK_VALIDATION") != "false":
            Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        add_stacks(app, root or Path.cwd(), now)
        app.synth()
    except CaribouError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the CDK CLI shows an app's standard error
        raise SystemExit(error.exit_code) from error


def add_stacks(app: App, root: Path, now: datetime) -> None:
    """Add the control plane and the workflows that the context asks for: one, or all."""
    context = _context(app)
    stage = context.get(STAGE, DEFAULT_STAGE)
    control_region = context.get(CONTROL_REGION, DEFAULT_CONTROL_REGION)
    ControlPlaneStack(app, stage=stage, control_region=control_region)
    for workflow in _workflows(root, context):
        placement = _placement(workflow, context, root, now)
        stack = add_workflow(app, Deployment(workflow, placement, stage, control_region))
        if placement.is_expired(now):
            Annotations.of(stack).add_warning_v2(
                "caribou:placementExpired",
                f"The committed placement expired at {placement.expires_at}: runs stay home until it is solved again",
            )
    _refuse_equal_names(app)


def _context(app: App) -> Mapping[str, str]:
    """Our context keys. Raises InvalidInputError for one of ours that does not exist, or whose value is no text."""
    known = {PLACEMENT, WORKFLOW, *_OURS}
    everything: Mapping[str, object] = app.node.get_all_context()
    for key, value in everything.items():
        if key.startswith("caribou:") and key not in known:
            raise InvalidInputError("is no context key", where=key, fix=f"use one of {', '.join(sorted(known))}")
        if key in known and not isinstance(value, str):
            raise InvalidInputError("is not a text", where=f"context key {key}", found=value, fix="write a text")
    return {key: str(value) for key, value in everything.items() if key in known}


def _workflows(root: Path, context: Mapping[str, str]) -> Iterable[Workflow]:
    folders = {folder.name: folder for folder in workflow_folders(root)}
    name = _only(root, context)
    if name is None:
        return [read_workflow(folder) for folder in folders.values()]
    if name not in folders:
        raise InvalidInputError(
            "is no workflow of this project", where=name, fix=f"use one of {', '.join(folders) or 'workflows/<name>/'}"
        )
    return [read_workflow(folders[name])]


def _only(root: Path, context: Mapping[str, str]) -> str | None:
    """The one workflow that is asked for, by its name or by its placement; None for all."""
    if WORKFLOW in context:
        return context[WORKFLOW]
    choice = context.get(PLACEMENT, HOME)
    return None if choice == HOME else read_placement(root / choice).workflow


def _placement(workflow: Workflow, context: Mapping[str, str], root: Path, now: datetime) -> Placement:
    choice = context.get(PLACEMENT)
    return committed(workflow) if choice is None else asked_for(choice, root / choice, workflow, now)


def _refuse_equal_names(app: App) -> None:
    seen: dict[tuple[str, str], Stack] = {}
    for stack in app.node.find_all():
        if not isinstance(stack, Stack):
            continue
        other = seen.setdefault((stack.stack_name, stack.region), stack)
        if other is not stack:
            raise InvalidInputError(
                "two stacks have the same name",
                where=stack.stack_name,
                found=f"{other.node.id} and {stack.node.id}",
                fix="rename a workflow",
            )
