"""Removing the control plane: its stack, and with a consent of its own what outlives it. Planned, then carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from caribou.control.aws import Aws
from caribou.control.deploy.leftovers import control_leftovers
from caribou.control.deploy.steps import Action, Step, Thing
from caribou.control.stacks.deletion import delete_bucket, delete_stack, delete_table
from caribou.control.stacks.deployed import DeployedStack, any_stack, find_stacks, said_of
from caribou.control.stacks.machine_lock import alone_here
from caribou.control.stacks.whereabouts import whereabouts
from caribou.control.target import Target
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.names import CONTROL_PLANE_STACK_ID, stack_name
from caribou.model.template_contract import StackRole


@dataclass(frozen=True, slots=True)
class ControlRemoval:
    """What goes of the control plane: its stack if there is one; with `delete_data`, bucket and tables. A plan."""

    name: str
    region: str
    stack: DeployedStack | None
    bucket: str | None
    tables: tuple[str, ...]
    delete_data: bool

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, in the order in which they are done."""
        return tuple(self._steps())

    def _steps(self) -> Iterator[Step]:
        if self.stack is not None:
            why = "no workflow is deployed or registered; locks and collectors go with it"
            yield Step(Action.DELETE, Thing.STACK, self.name, self.region, why)
        action = Action.DELETE if self.delete_data else Action.KEEP
        why = "its data is given up" if self.delete_data else "the next deploy takes it over; --delete-data deletes it"
        if self.bucket is not None:
            yield Step(action, Thing.BUCKET, self.bucket, self.region, why)
        for table in self.tables:
            yield Step(action, Thing.TABLE, table, self.region, why)


def plan_control_removal(
    aws: Aws, target: Target, workflows: Iterable[KnownWorkflow], *, delete_data: bool
) -> ControlRemoval:
    """What removing the control plane means. `workflows` are the project's and those that are registered.

    Raises InvalidInputError while a workflow is registered or has a stack, or if nothing would go;
    OperationFailedError if that can't be seen.
    """
    workflows = tuple(workflows)
    region = target.control_region
    _refuse_needed(aws, target, workflows)
    name, left = stack_name(CONTROL_PLANE_STACK_ID, target.stage), control_leftovers(aws, target)
    stack = any_stack(aws, name, region)
    stack = None if stack is None else replace(stack, workflow="", role=StackRole.CONTROL)
    removal = ControlRemoval(name, region, stack, left.bucket, left.tables, delete_data)
    if not any(step.action is Action.DELETE for step in removal.steps):
        raise _nothing(removal)
    return removal


def _nothing(removal: ControlRemoval) -> InvalidInputError:
    """What is said where nothing would go."""
    where, data = f"control plane in {removal.region}", [step.name for step in removal.steps]
    if not data:
        return InvalidInputError(
            "there is none, nor data of one", where=where, found=removal.name, fix="none is needed"
        )
    fix = "add --delete-data to delete that too; the next deploy takes it over"
    return InvalidInputError("only its data is there", where=where, found=", ".join(data), fix=fix)


def remove_control_plane(aws: Aws, removal: ControlRemoval, target: Target, notify: Callable[[str], None]) -> None:
    """Carry a removal out. Raises OperationFailedError at the first step that fails."""
    with alone_here(aws, target, CONTROL_PLANE_STACK_ID, "removing it"):
        for step in removal.steps:
            if step.action is Action.DELETE:
                notify(step.text)
                _delete(aws, step, removal)


def _delete(aws: Aws, step: Step, removal: ControlRemoval) -> None:
    if step.thing is Thing.BUCKET:
        delete_bucket(aws, step.region, step.name)
    elif step.thing is Thing.TABLE:
        delete_table(aws, step.region, step.name)
    elif removal.stack is not None:
        delete_stack(aws, removal.stack, empty_buckets=False)


def _refuse_needed(aws: Aws, target: Target, workflows: tuple[KnownWorkflow, ...]) -> None:
    """Raise while workflows need it, or if a region where one may be can't be searched."""
    where = whereabouts(aws, target, (region for known in workflows for region in known.regions))
    found = find_stacks(aws, target.stage, [known.name for known in workflows], where.regions)
    registered = {known.name for known in workflows if known.registration is not None}
    deployed = {stack.workflow for stack in found.stacks if stack.role != StackRole.CONTROL}
    if needed := sorted({*registered, *deployed}):
        raise InvalidInputError(
            "is needed by workflows that are deployed or registered",
            where=f"control plane in {target.control_region}",
            found=", ".join(needed),
            fix=f"remove them first: {', '.join(f'`caribou remove {name}`' for name in needed)}",
        )
    if unseen := {region: why for region, why in found.unsearched.items() if found.may_come_back(region)}:
        raise OperationFailedError(
            f"Not known whether a workflow is deployed in {said_of(unseen)}, so the control plane stays. To repeat "
            f"when that answers: `caribou remove --control-plane`"
        )
