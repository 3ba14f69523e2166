"""What is refused before a deployment changes anything. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

from caribou.control.stacks.deployed import DeployedStack, DeployedWorkflow
from caribou.control.stacks.readiness import Unready, bootstrap_command
from caribou.model.errors import InvalidInputError, InvalidPlacementError, OperationFailedError
from caribou.model.names import PROJECT_ID_KEY
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.project.workflow import Workflow
from caribou.model.template_contract import Output

_DIGITS = 12


@dataclass(frozen=True, slots=True)
class PlacedWorkflow:
    """A workflow with the placement that it is to have; `argument` is what was asked for, None for the committed.

    With `commits`, it becomes the committed placement before anything is deployed; with `takes_over`, another project's
    workflow of the same name becomes this one.
    """

    workflow: Workflow
    placement: Placement
    argument: str | None = None
    commits: bool = False
    takes_over: bool = False

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self.workflow.name

    @property
    def home_region(self) -> str:
        """The workflow's home region."""
        return self.workflow.manifest.home_region


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What takes names in a region that a stack, which is not there yet, is to have.

    An earlier deployment left it, or someone else made it. `log_groups` are those with streams in them.
    """

    region: str
    tables: tuple[str, ...] = ()
    bucket: str | None = None
    bucket_is_empty: bool = True
    log_groups: tuple[str, ...] = ()
    empty_log_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """What a deployment meets: what is deployed, how many runs are open, and the home that is registered.

    `stacks` are the names of those stacks of its placement that stand; `left` is what takes the names that the others
    are to have, region by region.
    `leaving` are functions, by their names in Lambda, that stand in a region whose stack will not have them any more,
    each with the region. `busy` are stacks of its placement on which CloudFormation is at work, `foreign` is one that
    another project has deployed; `unready` are the regions that can't be deployed to: then nothing else is known.
    `control_silent` says how the control region does not answer, so that the workflow can't be registered now; empty if
    it does.
    """

    deployed: DeployedWorkflow | None
    open_runs: int = 0
    registered_home: str | None = None
    stacks: AbstractSet[str] = frozenset()
    left: tuple[Leftovers, ...] = ()
    leaving: tuple[tuple[str, str], ...] = ()
    busy: tuple[DeployedStack, ...] = ()
    foreign: DeployedStack | None = None
    unready: tuple[Unready, ...] = ()
    control_silent: str = ""


def refuse(placed: PlacedWorkflow, situation: Situation, *, force: bool) -> None:
    """Raise unless the deployment may go on. Pure.

    InvalidInputError for regions that can't be deployed to, a move that was not asked for, another home, or payloads
    that would be lost;
    OperationFailedError for runs, or another deployment, to wait for.
    """
    if situation.unready:
        _refuse_silent(placed, situation.unready)
        _refuse_unready(placed.name, situation.unready)
    if situation.foreign is not None and not placed.takes_over:
        raise foreign_workflow(placed.name, situation.foreign, "overwritten", f"caribou deploy {placed.name}")
    refuse_busy(situation.busy)
    _refuse_other_home(placed, situation.registered_home)
    for left in situation.left:
        _refuse_left(placed, left)
    if situation.control_silent:
        _refuse_new_regions(placed, situation)
    if situation.deployed is None:
        return
    _refuse_unasked_move(placed, situation.deployed)
    if not force:
        _refuse_same_version(placed, situation.deployed)
        _refuse_changed_graph(placed, situation)
        _refuse_leaving(placed.name, situation)


def refuse_busy(stacks: Iterable[DeployedStack]) -> None:
    """Raise OperationFailedError for a stack on which CloudFormation is at work: it takes no second change."""
    for stack in stacks:
        if stack.is_busy:
            raise OperationFailedError(
                f"Somebody else is at work on the stack {stack.name} in {stack.region}: it is {stack.status}, begun at "
                f"{stack.changed_at:%Y-%m-%d %H:%M} (UTC). Wait until that has ended"
            )


def foreign_workflow(name: str, stack: DeployedStack, what: str, command: str) -> InvalidInputError:
    """The error of a workflow that another project has deployed, as a stack's stamp says, and what can be done."""
    return InvalidInputError(
        f"another project has deployed a workflow of this name at this stage, which would be {what}",
        where=name,
        found=f"{stack.name} in {stack.region}, of the project {stack.project_id}",
        fix="give this workflow another name, or use another stage (--stage). If both are one project, write "
        f'"{PROJECT_ID_KEY}": "{stack.project_id}" into the context of cdk.json; to take it over all the same: '
        f"`{command} --take-over`",
    )


def is_same_place(one: Placement, other: Placement) -> bool:
    """Whether two placements run every node in the same regions, whatever versions of the workflow they are for.

    Two that keep everything at home are the same, even if the nodes differ: code may change without a move.
    """
    if one.home_region != other.home_region:
        return False
    if one.regions == other.regions == {one.home_region}:
        return True
    return all(dict(one.regions_at(hour)) == dict(other.regions_at(hour)) for hour in ALL_HOURS)


def kept(workflow: Workflow, placement: Placement, where: str = "placement") -> Placement:
    """The deployed placement as the workflow of today may keep it: all at home fits every version.

    Raises InvalidPlacementError for one that it may not have. Pure.
    """
    if placement.regions == {workflow.manifest.home_region}:
        return workflow.home
    workflow.check(placement, where)
    return placement


def _refuse_silent(placed: PlacedWorkflow, unready: Sequence[Unready]) -> None:
    """Raise for a region that does not answer; where the placement has nodes, with what brings them home."""
    for one in unready:
        if not one.silent:
            continue
        out = f"{placed.name}: {one.region} is out of reach ({one.silent})"
        if one.region == placed.home_region:
            raise OperationFailedError(f"{out}, its home: nothing of it can be deployed until that answers")
        home = f"`caribou deploy {placed.name} --placement home`"
        raise OperationFailedError(f"{out}, where the placement has nodes. To bring them home: {home}")


def _refuse_unready(name: str, unready: Sequence[Unready]) -> None:
    """Raise with the one command that bootstraps all that lack it; regions that are not enabled come first."""
    account = unready[0].account
    where = f"{name}: home, the control region, and the regions of its placement"
    if off := [one.region for one in unready if not one.is_enabled]:
        enable = ", ".join(f"`aws account enable-region --region-name {region}`" for region in off)
        raise InvalidInputError(
            "the account has not enabled a region, or it refuses these credentials, so nothing can be deployed there",
            where=where,
            found=f"{', '.join(off)}, account {account}",
            fix=f"enable it ({enable}) and bootstrap it (`{bootstrap_command(unready)}`), or take another placement",
        )
    raise InvalidInputError(
        "the CDK is not bootstrapped in a region, so nothing can be deployed there",
        where=where,
        found=f"{', '.join(one.region for one in unready)}, account {account}",
        fix=f"`{bootstrap_command(unready)}`",
    )


def _refuse_other_home(placed: PlacedWorkflow, registered_home: str | None) -> None:
    home, name = placed.home_region, placed.name
    if registered_home not in (None, home):
        raise InvalidInputError(
            "the workflow is deployed with another home region, which would be left behind with its runs",
            where=f"{name}: home_region",
            found=f"{home}, deployed: {registered_home}",
            fix=f"remove it first: `caribou remove {name}`, with the old home_region in the manifest",
        )


def _refuse_new_regions(placed: PlacedWorkflow, situation: Situation) -> None:
    """Raise for a move while the control region is silent: what goes on is the way home, and new code in its place."""
    there = frozenset() if situation.deployed is None else situation.deployed.placement.regions
    if new := sorted(placed.placement.regions - there - {placed.home_region}):
        raise OperationFailedError(
            f"{placed.name}: the control region is out of reach ({situation.control_silent}), so nothing is moved to "
            f"{', '.join(new)} now. What goes on: `caribou deploy {placed.name} --placement home`, or `--placement "
            f"deployed`, which keeps what is deployed"
        )


def _refuse_left(placed: PlacedWorkflow, left: Leftovers) -> None:
    """Raise for what can neither be taken over nor be made anew: only home's tables outlive a stack, so are adopted."""
    at_home = left.region == placed.home_region
    where = f"{placed.name} in {left.region}"
    if left.bucket is not None and not left.bucket_is_empty:
        command = f"aws s3 rb --force s3://{left.bucket} --region {left.region}"
        raise InvalidInputError(
            "an earlier deployment left a bucket with payloads, so its name is taken",
            where=where,
            found=left.bucket,
            fix=_fix(f"`caribou remove {placed.name} --delete-data`" if at_home else f"`{command}`"),
        )
    if left.tables and not at_home:
        commands = (f"aws dynamodb delete-table --region {left.region} --table-name {table}" for table in left.tables)
        raise InvalidInputError(
            "the workflow's home was here once, and left a table whose name this region's stack needs",
            where=where,
            found=", ".join(left.tables),
            fix=_fix(", ".join(f"`{command}`" for command in commands)),
        )
    refuse_logs(placed.name, left)


def refuse_logs(name: str, left: Leftovers) -> None:
    """Raise InvalidInputError for log groups into which something was logged, where a stack is to make its own."""
    if left.log_groups:
        group = left.log_groups[0]
        raise InvalidInputError(
            "a log group that is in none of its stacks has the name of its function's",
            where=f"{name} in {left.region}",
            found=", ".join(left.log_groups),
            fix=_fix(f"`aws logs delete-log-group --region {left.region} --log-group-name {group}`"),
        )


def _fix(command: str) -> str:
    return f"save what you need of it, and delete the rest: {command}"


def _refuse_unasked_move(placed: PlacedWorkflow, deployed: DeployedWorkflow) -> None:
    name = placed.name
    if placed.argument is not None or is_same_place(placed.placement, deployed.placement):
        return
    raise InvalidInputError(
        "deploying it would change its placement, which was not asked for",
        where=name,
        found=f"{placed.placement.summary} to deploy, {deployed.placement.summary} deployed",
        fix="; or ".join(_remedies(placed, deployed)),
    )


def _remedies(placed: PlacedWorkflow, deployed: DeployedWorkflow) -> Iterator[str]:
    """What can be done about a move that was not asked for: only what would not be refused in its turn."""
    with suppress(InvalidPlacementError):
        kept(placed.workflow, deployed.placement)
        yield f"keep what is deployed, and commit it: `caribou deploy {placed.name} --placement deployed`"
    yield "ask for a placement: `--placement FILE`"
    if placed.placement.regions != {placed.home_region}:  # else there may be no such file, and home is the same
        until = placed.placement.expires_at
        valid = "" if until is None else f" (valid until {until:%Y-%m-%d %H:%M} UTC)"
        yield f"ask for the committed one: `--placement {placed.workflow.committed_placement}`{valid}"
    yield "ask for home: `--placement home`"


def _refuse_same_version(placed: PlacedWorkflow, deployed: DeployedWorkflow) -> None:
    """Raise for another graph under one version: runs, records and placements say by it which graph they are of."""
    graph, before = placed.workflow.graph, deployed.graph_digest
    version = deployed.home.outputs.get(Output.WORKFLOW_VERSION)
    if before in (None, graph.digest) or version != graph.version:
        return
    raise InvalidInputError(
        "its graph has changed, and its version has not: runs, records and placements are known by the version",
        where=f"{placed.name}: version",
        found=f"{version}, deployed with graph {before[:_DIGITS]}, now with graph {graph.digest[:_DIGITS]}",
        fix="raise the version in app.py, and `workflow_version` in .caribou/config.yml; or use --force, while you try",
    )


def _refuse_changed_graph(placed: PlacedWorkflow, situation: Situation) -> None:
    deployed, graph = situation.deployed, placed.workflow.graph
    if deployed is None or not situation.open_runs or deployed.graph_digest in (None, graph.digest):
        return
    raise OperationFailedError(
        f"{graph.workflow}: its graph has changed, and {situation.open_runs} of its runs are still open; their "
        f"messages may not fit the new graph. Wait until they have ended (`caribou list` shows them), or use --force"
    )


def _refuse_leaving(name: str, situation: Situation) -> None:
    if not situation.open_runs or not situation.leaving:
        return
    function, region = situation.leaving[0]
    raise OperationFailedError(
        f"{name}: its manifest allows {function} in {region} no longer, and {situation.open_runs} of its runs are "
        f"still open; what lies in that function's queue, or is in its retries, would be lost. Wait until they have "
        f"ended (`caribou list` shows them), or use --force"
    )
