"""Workflows in an app that somebody has already: `add_workflows`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from aws_cdk import Stack
from constructs import Construct, IConstruct

from caribou.model.errors import CaribouError, InvalidInputError
from caribou.model.names import CONTROL_PLANE_STACK_ID, workflow_stack_id
from caribou.model.project.placement_choice import committed
from caribou.model.project.settings import AskedStage, checked_control_region
from caribou.stacks.app import (
    add_control_plane,
    add_placed,
    asked_workflow,
    checked_folders,
    end_with,
    placement_of,
    read_workflows,
)
from caribou.stacks.context import Context, read_context
from caribou.stacks.workflows import WorkflowStacks


def add_workflows(
    scope: Construct,
    root: Path | str,
    *,
    now: datetime,
    stage: str | None = None,
    control_region: str | None = None,
    control_plane: bool = True,
) -> Mapping[str, WorkflowStacks]:
    """Add the workflows of a project's folder to an app or a `cdk.Stage`, by their names, and the control plane.

    `stage` and `control_region` stand over the context's. `control_plane` is whether the control plane's stack is
    added: False where another app has it. All workflows are added, whatever `-c workflow` asks for, since the app may
    build on any; `-c placement` is for the workflow that it is for, the others have their committed placement.

    A user's mistake is printed as one message on standard error, with exit code 2, as `synthesise` does.
    """
    try:
        context = _context(scope, stage, control_region)
        return _Adding(scope, Path(root), now, context).all(control_plane=control_plane)
    except CaribouError as error:
        end_with(error)


class _Adding:
    """Adds stacks, of which none may be there already."""

    def __init__(self, scope: Construct, root: Path, now: datetime, context: Context) -> None:
        self._scope, self._root, self._now, self._context = scope, root, now, context
        self._there = {_identity(stack): stack.node.path for stack in _stacks_below(scope.node.root)}

    def all(self, *, control_plane: bool) -> dict[str, WorkflowStacks]:
        context, added = self._context, dict[str, WorkflowStacks]()
        if control_plane:
            self._refuse_same_id(CONTROL_PLANE_STACK_ID)
            self._refuse_same_name(add_control_plane(self._scope, context))
        asked = asked_workflow(self._root, context)
        for workflow in read_workflows(checked_folders(self._root), None, context.settings.stage):
            is_asked = asked in {None, workflow.name}
            placement = placement_of(workflow, context, self._root, self._now) if is_asked else committed(workflow)
            self._refuse_same_id(workflow_stack_id(workflow.name))
            stacks = added[workflow.name] = add_placed(self._scope, workflow, placement, context, self._now)
            self._refuse_same_name(stacks.home)
        return added

    def _refuse_same_id(self, construct_id: str) -> None:
        """Raise InvalidInputError if the scope has such a construct: it was given to `add_workflows` before."""
        if (there := self._scope.node.try_find_child(construct_id)) is not None:
            raise _second(there.node.path, "added before")

    def _refuse_same_name(self, stack: Stack) -> None:
        """Raise InvalidInputError if the app had a stack of that name for that account and region: one would win."""
        if (other := self._there.get(_identity(stack))) is not None:
            raise _second(stack.node.path, f"{other} is called {stack.stack_name} too")


def _second(path: str, found: str) -> InvalidInputError:
    return InvalidInputError(
        "is a second stack of its name in one account and region",
        where=path,
        found=found,
        fix='give each call of add_workflows a stage of its own, as in stage="beta", or each cdk.Stage an account; '
        "where it is the control plane alone, say control_plane=False in one of them",
    )


def _context(scope: Construct, stage: str | None, control_region: str | None) -> Context:
    context = read_context(scope, None if stage is None else AskedStage(stage, "add_workflows: stage"))
    if control_region is None:
        return context
    region = checked_control_region(control_region, "add_workflows: control_region")
    return replace(context, settings=replace(context.settings, control_region=region))


def _identity(stack: Stack) -> tuple[str, str, str]:
    return stack.stack_name, stack.account, stack.region


def _stacks_below(construct: IConstruct) -> Iterator[Stack]:
    for child in construct.node.children:
        if isinstance(child, Stack):
            yield child
        else:
            yield from _stacks_below(child)
