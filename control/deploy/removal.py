"""Removing a workflow: which stacks go in which order, and what stays unless its loss was agreed to.

Home goes first, so that no run begins whose regions then vanish; then the regions, then the registration. Tables and
bucket of home are not part of that: they outlive their stack (it retains them), and go only if their data is to go. So
do run records and placements that the control plane keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from caribou.control.aws import Aws
from caribou.control.deploy.checks import Leftovers, foreign_workflow
from caribou.control.deploy.control_data import ControlData, control_data, delete_placements, delete_records
from caribou.control.deploy.leftovers import former_homes, leftovers
from caribou.control.deploy.steps import Action, Step, Thing
from caribou.control.runs.run_table import open_runs
from caribou.control.stacks.deletion import delete_bucket, delete_stack, delete_table
from caribou.control.stacks.deployed import DeployedStack, Found, find_stacks, is_foreign
from caribou.control.stacks.lock import DeployLock, deploy_lock
from caribou.control.stacks.machine_lock import alone_here
from caribou.control.stacks.stateful import home_tables
from caribou.control.target import Target
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.names import workflow_stack_id
from caribou.model.regions import KNOWN_REGIONS
from caribou.model.template_contract import StackRole

_ORDER = (StackRole.HOME, StackRole.REGION, StackRole.REGISTRATION)
_WHY = {
    StackRole.HOME: "home goes first: no run begins any more",
    StackRole.REGION: "nothing comes to it any more",
    StackRole.REGISTRATION: "the control plane forgets the workflow",
}


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes: stacks in this order, then, with `delete_data`, bucket and tables of home. A plan; nothing is done.

    `tables` and `bucket` are those that home has. `earlier` is what former homes left, `control` what the control
    plane keeps of it: with `delete_data`, both go. In the regions `unseen`, each with AWS's error code, it can't be
    seen whether there are stacks.
    """

    workflow: str
    home_region: str
    stacks: tuple[DeployedStack, ...]
    tables: tuple[str, ...]
    bucket: str | None
    delete_data: bool
    open_runs: int = 0
    unseen: Mapping[str, str] = field(default_factory=dict)
    earlier: tuple[Leftovers, ...] = ()
    control_region: str = ""
    control: ControlData = field(default_factory=ControlData)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, in the order in which they are done."""
        return (*self._noted(), *self._stacks(), *self._data(), *self._control_data())

    def _noted(self) -> Iterator[Step]:
        if self.open_runs:
            runs = f"{self.open_runs} open run{'' if self.open_runs == 1 else 's'}"
            yield Step(Action.ABANDON, Thing.RUNS, runs, self.home_region, "will never end", self.workflow)
        for region, code in self.unseen.items():
            why = f"its stacks can't be listed: {code}; any there stay"
            yield Step(Action.SKIP, Thing.REGION, region, region, why, self.workflow)

    def _stacks(self) -> Iterator[Step]:
        for stack in self.stacks:
            yield Step(Action.DELETE, Thing.STACK, stack.name, stack.region, _WHY[StackRole(stack.role)], self.workflow)

    def _data(self) -> Iterator[Step]:
        action = Action.DELETE if self.delete_data else Action.KEEP
        why = "its data is given up" if self.delete_data else "deploying again finds it; --delete-data deletes it"
        for thing, name in _things(self.bucket, self.tables):
            yield Step(action, thing, name, self.home_region, why, self.workflow)
        for left in self.earlier:
            for thing, name in _things(left.bucket, left.tables):
                why = "its home was here once; its data is given up"
                yield Step(Action.DELETE, thing, name, left.region, why, self.workflow)

    def _control_data(self) -> Iterator[Step]:
        action = Action.DELETE if self.delete_data else Action.KEEP
        why = "its data is given up" if self.delete_data else "the control plane keeps it; --delete-data deletes it"
        for thing, name in ((Thing.RECORDS, self.control.records), (Thing.PLACEMENT, self.control.placements)):
            if name is not None:
                yield Step(action, thing, name, self.control_region, why, self.workflow)


def _things(bucket: str | None, tables: Iterable[str]) -> Iterator[tuple[Thing, str]]:
    if bucket is not None:
        yield Thing.BUCKET, bucket
    for table in tables:
        yield Thing.TABLE, table


def in_order(found: Found, workflow: str) -> tuple[DeployedStack, ...]:
    """The workflow's stacks in the order in which they go."""
    return tuple(stack for role in _ORDER for stack in found.of(workflow, role))


def plan_removal(
    aws: Aws,
    workflow: str,
    home_region: str | None,
    target: Target,
    *,
    delete_data: bool,
    now_s: float,
    take_over: bool = False,
    regions: Iterable[str] = KNOWN_REGIONS,
) -> Removal:
    """What removing a workflow means: what there is of it.

    The home stack's region counts, if there is one; else `home_region`, None if nobody knows it, for the data that an
    earlier removal kept. `regions` are those that it may be in. Raises InvalidInputError if nothing of it is there, or,
    without `take_over`, if another project has deployed it; OperationFailedError if its home can't be seen.
    """
    found = find_stacks(aws, target.stage, [workflow])
    home = next((stack.region for stack in found.of(workflow, StackRole.HOME)), home_region)
    if home is None:
        raise _nothing(workflow, found)
    if home in found.unsearched:
        raise OperationFailedError(
            f"{workflow}: it can't be seen whether its home stack is in {home}: {found.unsearched[home]}. Nothing is "
            f"removed. Look at the credentials, and at whether the account has enabled the region"
        )
    stacks, names = in_order(found, workflow), target.names(workflow)
    foreign = next((stack for stack in stacks if is_foreign(stack, target)), None)
    if foreign is not None and not take_over:
        raise foreign_workflow(workflow, foreign, "removed", f"caribou remove {workflow}")
    others = set(KNOWN_REGIONS) - {home, *found.unsearched, *(s.region for s in found.of(workflow, StackRole.REGION))}
    left = leftovers(aws, names, home, home_tables(names))
    removal = Removal(
        workflow=workflow,
        home_region=home,
        stacks=stacks,
        tables=left.tables,
        bucket=left.bucket,
        delete_data=delete_data,
        open_runs=open_runs(aws, names, home, now_s),
        unseen=found.unseen({*regions, target.control_region}),
        earlier=former_homes(aws, names, others) if delete_data else (),
        control_region=target.control_region,
        control=ControlData() if target.control_region in found.unsearched else control_data(aws, workflow, target),
    )
    if not removal.steps:
        raise _nothing(workflow, found)
    return removal


def _nothing(workflow: str, found: Found) -> InvalidInputError:
    """What is said of a name of which nothing is there, be it a typing error or a workflow that is gone."""
    others = ", ".join(found.workflows)
    fix = f"use one of {others}" if others else "none is needed: there are no workflows to remove"
    return InvalidInputError("nothing of it is deployed", where=workflow, fix=fix)


def remove(aws: Aws, removal: Removal, target: Target, notify: Callable[[str], None]) -> None:
    """Carry a removal out, under the workflow's lock. Raises OperationFailedError at the first step that fails."""
    with (
        alone_here(aws, target, workflow_stack_id(removal.workflow), "removing"),
        deploy_lock(aws, target, removal.workflow, "removing") as lock,
    ):
        for step in removal.steps:
            if step.action is Action.DELETE:
                notify(step.text)
                _delete(aws, step, removal, lock)


def _delete(aws: Aws, step: Step, removal: Removal, lock: DeployLock) -> None:
    if step.thing is Thing.BUCKET:
        delete_bucket(aws, step.region, step.name)
    elif step.thing is Thing.TABLE:
        delete_table(aws, step.region, step.name)
    elif step.thing is Thing.RECORDS:
        delete_records(aws, step.region, step.name, removal.workflow)
    elif step.thing is Thing.PLACEMENT:
        delete_placements(aws, step.region, step.name)
    else:
        lock.renew()
        stack = next(stack for stack in removal.stacks if (stack.name, stack.region) == (step.name, step.region))
        delete_stack(aws, stack, empty_buckets=stack.role == StackRole.REGION)
