"""Going on with a run that failed or expired, where its messages are parked: the sweeper's work, when a person asks."""

from __future__ import annotations

import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from caribou.model.errors import InvalidInputError, OperationFailedError, UnreachableError
from caribou.model.graph import Graph
from caribou.model.manifest import Manifest
from caribou.model.run.item import Parked, RunItem, RunState
from caribou.runtime.aws import aws_ports
from caribou.runtime.clients import Clients
from caribou.runtime.settings import Settings
from caribou.runtime.sweeping import Sweeper

LIMIT_S = 10.0
"""How long to look for the message of a run that failed a moment ago: Lambda is putting it into the failure queue."""
_POLL_S = 0.5


def sweeper_of(graph: Graph, manifest: Manifest, stage: str, account: str) -> Sweeper:
    """The sweeper of a deployed workflow, as it is at home."""
    settings = Settings(
        graph=graph,
        function="",
        home_region=manifest.home_region,
        region=manifest.home_region,
        stage=stage,
        runs=manifest.runs,
    )
    clients = Clients(home_region=manifest.home_region)
    return Sweeper(settings, aws_ports(settings, partition="aws", account=account, clients=clients))


def redrive(
    sweeper: Sweeper, run_id: str, *, limit_s: float = LIMIT_S, sleep: Callable[[float], None] = time.sleep
) -> tuple[Parked, ...]:
    """Send what is parked of a run again, with a new deadline for it; the messages that were sent.

    One that was interrupted is gone on with. Raises InvalidInputError for a run that is not known, has not failed, or
    has nothing parked; OperationFailedError if AWS does not take a message, which then stays parked.
    """
    try:
        _refuse(sweeper, run_id)
        for _ in range(max(1, round(limit_s / _POLL_S))):
            if sent := sweeper.redrive(run_id):
                return sent
            sleep(_POLL_S)
    except (UnreachableError, ClientError, BotoCoreError) as error:
        raise OperationFailedError(
            f"Redriving run {run_id} failed: {error}. What was not sent stays parked: try again later"
        ) from error
    raise InvalidInputError(
        "nothing of it is parked, so there is nothing to send",
        where=f"run {run_id}",
        fix=f"look at `caribou trace {run_id}`, and try again in a minute: Lambda may still be trying",
    )


def _refuse(sweeper: Sweeper, run_id: str) -> None:
    item = sweeper.ports.runs.get(run_id)
    if item is None:
        raise InvalidInputError("there is no such run", where=f"run {run_id}", fix="see `caribou runs`")
    may_go_on = item.state in (RunState.FAILED, RunState.EXPIRED) or sweeper.ports.parking.parked(run_id)
    if item.state is RunState.SUCCEEDED or not may_go_on:
        raise InvalidInputError(
            "only a run that failed or expired can go on",
            where=f"run {run_id}",
            found=item.state,
            fix=f"see `caribou trace {run_id}`",
        )
    for parked in sweeper.ports.parking.parked(run_id):
        _refuse_on_nothing(sweeper, item, parked.node)


def _refuse_on_nothing(sweeper: Sweeper, item: RunItem, node: str) -> None:
    """A sync node whose state is gone would have no inputs: with its region, which was retired, say."""
    graph, home = sweeper.settings.graph, sweeper.settings.home_region
    if not graph.has_node(node) or not graph.node(node).sync:
        return
    region = item.run.region_of(node, home)
    reported = sweeper.ports.syncs.read(region, item.run.run_id, node).state.reported()
    if reported < len(graph.in_edges(node)):
        raise InvalidInputError(
            f"what its predecessors had sent to {node} is gone from {region}, so it can't go on",
            where=f"run {item.run.run_id}",
            found=f"{reported} of {len(graph.in_edges(node))} reports",
            fix="start a new run",
        )
