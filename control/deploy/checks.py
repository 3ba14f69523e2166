"""What is refused before a deployment changes anything. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from caribou.control.stacks.deployed import DeployedWorkflow
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.placement import ALL_HOURS, Placement
from caribou.model.project.workflow import COMMITTED_PLACEMENT, Workflow


@dataclass(frozen=True, slots=True)
class Wanted:
    """A workflow with the placement that it is to have; `argument` is what was asked for, None for the committed."""

    workflow: Workflow
    placement: Placement
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """What a deployment meets: what is deployed, how many runs are open, and the home that is registered."""

    deployed: DeployedWorkflow | None
    open_runs: int = 0
    registered_home: str | None = None


def refuse(wanted: Wanted, situation: Situation, *, force: bool) -> None:
    """Raise unless the deployment may go on. Pure.

    InvalidInputError for a move that was not asked for, or another home; OperationFailedError for runs to wait for.
    """
    _refuse_other_home(wanted, situation.registered_home)
    if situation.deployed is None:
        return
    _refuse_unasked_move(wanted, situation.deployed)
    if not force:
        _refuse_changed_graph(wanted, situation)


def is_same_place(one: Placement, other: Placement) -> bool:
    """Whether two placements run every node in the same regions, whatever versions of the workflow they are for.

    Two that keep everything at home are the same, even if the nodes differ: code may change without a move.
    """
    if one.home_region != other.home_region:
        return False
    if one.regions == other.regions == {one.home_region}:
        return True
    return all(dict(one.regions_at(hour)) == dict(other.regions_at(hour)) for hour in ALL_HOURS)


def _refuse_other_home(wanted: Wanted, registered_home: str | None) -> None:
    home, name = wanted.workflow.manifest.home_region, wanted.workflow.name
    if registered_home not in (None, home):
        raise InvalidInputError(
            "the workflow is deployed with another home region, which would be left behind with its runs",
            where=f"{name}: home_region",
            found=f"{home}, deployed: {registered_home}",
            fix=f"remove it first: `caribou remove {name}`, with the old home_region in the manifest",
        )


def _refuse_unasked_move(wanted: Wanted, deployed: DeployedWorkflow) -> None:
    name = wanted.workflow.name
    if wanted.argument is not None or is_same_place(wanted.placement, deployed.placement):
        return
    raise InvalidInputError(
        "deploying it would change its placement, which was not asked for",
        where=name,
        found=f"{wanted.placement.summary} to deploy, {deployed.placement.summary} deployed",
        fix=f"keep what is deployed, and commit it: `caribou deploy {name} --placement deployed`; or ask for a "
        f"placement: `--placement FILE`, `--placement {wanted.workflow.folder / COMMITTED_PLACEMENT}` or "
        f"`--placement home`",
    )


def _refuse_changed_graph(wanted: Wanted, situation: Situation) -> None:
    deployed, graph = situation.deployed, wanted.workflow.graph
    if deployed is None or not situation.open_runs or deployed.graph_digest in (None, graph.digest):
        return
    raise OperationFailedError(
        f"{graph.workflow}: its graph has changed, and {situation.open_runs} of its runs are still open; their "
        f"messages may not fit the new graph. Wait until they have ended (`caribou list` shows them), or use --force"
    )
