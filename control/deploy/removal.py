"""Removing a workflow: which stacks go in which order, and what stays unless its loss was agreed to.

Home goes first, so that no run begins whose regions then vanish; then the regions, then the registration. Tables and
bucket of home are not part of that: they outlive their stack (it retains them), and go only if their data is to go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caribou.control.aws import Aws
from caribou.control.runs.run_table import open_runs
from caribou.control.stacks.deletion import delete_bucket, delete_stack, delete_table
from caribou.control.stacks.deployed import DeployedStack, Found, find_stacks
from caribou.control.stacks.lock import DeployLock, deploy_lock
from caribou.control.stacks.stateful import home_tables
from caribou.control.target import Target
from caribou.model.errors import InvalidInputError
from caribou.model.template_contract import StackRole

_ORDER = (StackRole.HOME, StackRole.REGION, StackRole.REGISTRATION)


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes: stacks in this order, then, with `delete_data`, tables and bucket of home. A plan; nothing is done.

    In the regions `denied` it can't be seen whether there are stacks.
    """

    workflow: str
    home_region: str
    stacks: tuple[DeployedStack, ...]
    tables: tuple[str, ...]
    bucket: str
    delete_data: bool
    open_runs: int = 0
    denied: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The plan in words, a line each step."""
        plural = "" if self.open_runs == 1 else "s"
        runs = [f"{self.open_runs} open run{plural} will never end"] if self.open_runs else []
        stacks = [f"delete stack {stack.name} in {stack.region}" for stack in self.stacks]
        verb = "delete" if self.delete_data else "keep"
        data = [f"{verb} table {table} in {self.home_region}" for table in self.tables]
        denied = [f"pass over {region}, where stacks may not be listed" for region in self.denied]
        return [*runs, *denied, *stacks, *data, f"{verb} bucket {self.bucket} in {self.home_region}"]


def in_order(found: Found, workflow: str) -> tuple[DeployedStack, ...]:
    """The workflow's stacks in the order in which they go."""
    return tuple(stack for role in _ORDER for stack in found.of(workflow, role))


def plan_removal(
    aws: Aws, workflow: str, home_region: str | None, target: Target, *, delete_data: bool, now_s: float
) -> Removal:
    """What removing a workflow means. Raises InvalidInputError if nothing of it is known: `home_region` is None then.

    The home stack's region counts, if there is one; else `home_region`, for the data that an earlier removal kept.
    """
    found = find_stacks(aws, target.stage)
    home = next((stack.region for stack in found.of(workflow, StackRole.HOME)), home_region)
    if home is None:
        raise InvalidInputError(
            "nothing of it is deployed", where=workflow, fix=f"use one of {', '.join(found.workflows) or 'none there'}"
        )
    names = target.names(workflow)
    return Removal(
        workflow=workflow,
        home_region=home,
        stacks=in_order(found, workflow),
        tables=home_tables(names),
        bucket=names.payload_bucket(aws.account(target.control_region), home),
        delete_data=delete_data,
        open_runs=open_runs(aws, names, home, now_s),
        denied=found.denied,
    )


def remove(aws: Aws, removal: Removal, target: Target, tell: Callable[[str], None]) -> None:
    """Carry a removal out, under the workflow's lock. Raises OperationFailedError at the first step that fails."""
    names = target.names(removal.workflow)
    with deploy_lock(aws, names, removal.home_region, "removing") as lock:
        for stack in removal.stacks:
            _delete(aws, stack, lock, tell)
        if removal.delete_data:
            _delete_data(aws, removal, tell)


def _delete(aws: Aws, stack: DeployedStack, lock: DeployLock, tell: Callable[[str], None]) -> None:
    lock.renew()
    tell(f"deleting stack {stack.name} in {stack.region}")
    delete_stack(aws, stack, empty_buckets=stack.role == StackRole.REGION)


def _delete_data(aws: Aws, removal: Removal, tell: Callable[[str], None]) -> None:
    tell(f"deleting bucket {removal.bucket}")
    delete_bucket(aws, removal.home_region, removal.bucket)
    for table in removal.tables:
        tell(f"deleting table {table}")
        delete_table(aws, removal.home_region, table)
