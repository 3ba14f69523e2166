"""What a function of a workflow may do: start its successors and keep its state, where the manifest allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from caribou.constructs.acknowledge import WILDCARD_RULE, acknowledge, acknowledge_wildcards
from caribou.constructs.customer_key import allow_use
from caribou.constructs.naming import (
    OF_THIS_ACCOUNT,
    allow_in_regions,
    allow_logging,
    arn,
    with_attributes,
    with_leading_keys,
)
from caribou.constructs.network import allow_attaching
from caribou.constructs.own_roles import tag, tags_of_roles
from caribou.constructs.surroundings import NOTHING, Surroundings
from caribou.model.graph import Graph
from caribou.model.names import WorkflowNames
from caribou.model.template_contract import NODES_WRITE, RESULT_ATTRIBUTE

_THEIR_POLICY = "the workflow's own policy, iam_policy_file of its manifest, is its owner's to judge"


@dataclass(frozen=True)
class RoleProps:
    """What decides a role: nothing of the placement, so that a migration changes no role.

    `regions` are all regions that the manifest allows, home among them. `user_policy` is the manifest's own policy
    document, or None.
    """

    function: str
    graph: Graph
    names: WorkflowNames
    home_region: str
    regions: tuple[str, ...]
    user_policy: dict[str, Any] | None = None
    around: Surroundings = NOTHING

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the function's nodes."""
        return tuple(node.name for node in self.graph.nodes if node.function == self.function)


class WorkflowRole(Construct):
    """The role of one function. Its name is CloudFormation's: IAM names are global to an account."""

    def __init__(self, scope: Construct, construct_id: str, props: RoleProps, log_group: logs.ILogGroup) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        tag(self.role, tags_of_roles(props.names))
        ours = (allow_logging(log_group), *_publish(props), *_state(props), *_around(props))
        theirs = [iam.PolicyStatement.from_json(s) for s in (props.user_policy or {}).get("Statement", ())]
        for statement in (*ours, *theirs):
            self.role.add_to_policy(statement)
        acknowledge_wildcards(self.role, ours, "regions are a condition, and streams and objects have no fixed names")
        if theirs:
            acknowledge_wildcards(self.role, theirs, _THEIR_POLICY)
            acknowledge(self.role, {WILDCARD_RULE: _THEIR_POLICY})  # said of a `NotAction`, which cdk-nag can't read


def functions_started_by(function: str, graph: Graph) -> tuple[str, ...]:
    """The functions that a function's nodes may have to start, in the order of the graph.

    Those it calls; the functions of all sync nodes behind it, which its last report, or its skips, may fire; and at
    the entry itself, to which home forwards a run.
    """
    nodes = [node.name for node in graph.nodes if node.function == function]
    started = {edge.target for name in nodes for edge in graph.out_edges(name)}
    started |= {n for name in nodes for n in graph.descendants(name) - {name} if graph.node(n).sync}
    functions = {graph.node(name).function for name in started}
    if graph.entry.function == function:
        functions.add(function)
    return tuple(f.name for f in graph.functions if f.name in functions)


def _publish(props: RoleProps) -> list[iam.PolicyStatement]:
    topics = [arn("sns", props.names.topic(f)) for f in functions_started_by(props.function, props.graph)]
    return [allow_in_regions(["sns:Publish"], topics, props.regions)] if topics else []


def _around(props: RoleProps) -> list[iam.PolicyStatement]:
    """The customer's keys, of every region that the function sends to, and its network, if the manifest names any."""
    own_arn = arn("lambda", f"function:{props.names.function(props.function)}")
    return [*allow_use(props.around.all_keys), *(allow_attaching(own_arn) if props.around.network else ())]


def _state(props: RoleProps) -> list[iam.PolicyStatement]:
    """What a function's calls for runs, claims, sync state and large payloads are, and no others of their kind."""
    return [*_runs(props), *_claims_and_syncs(props), payload_statement(props, ["s3:PutObject", "s3:GetObject"])]


def _runs(props: RoleProps) -> Iterator[iam.PolicyStatement]:
    """The run table, at home: whoever begins a run writes and reads its item; all others end leaves, or the run."""
    nodes, home = props.nodes, (props.home_region,)
    table = [arn("dynamodb", f"table/{props.names.run_table}", props.home_region)]
    results = [f"{RESULT_ATTRIBUTE}{node}" for node in props.graph.leaves if node in nodes]
    yield allow_in_regions(
        ["dynamodb:UpdateItem"], table, home, with_attributes([*NODES_WRITE, *results], returning="UPDATED_NEW")
    )
    if props.graph.entry.function == props.function:
        yield allow_in_regions(["dynamodb:PutItem", "dynamodb:GetItem"], table, home)


def _claims_and_syncs(props: RoleProps) -> Iterator[iam.PolicyStatement]:
    """The sync tables: claims of the function's own nodes, reports to sync nodes behind them, inputs of its own."""
    nodes, behind = props.nodes, _syncs_behind(props)
    own_syncs = [node for node in nodes if props.graph.node(node).sync]
    table = [arn("dynamodb", f"table/{props.names.sync_table}")]
    for actions, keys in (
        (["dynamodb:UpdateItem"], (*nodes, *behind)),
        (["dynamodb:PutItem", "dynamodb:GetItem"], behind),
        (["dynamodb:Query"], own_syncs),
    ):
        if keys:
            yield allow_in_regions(actions, table, props.regions, with_leading_keys(f"*#{node}" for node in keys))


def _syncs_behind(props: RoleProps) -> tuple[str, ...]:
    graph = props.graph
    behind = set[str]().union(*(graph.descendants(node) - {node} for node in props.nodes))
    return tuple(node.name for node in graph.nodes if node.sync and node.name in behind)


def payload_statement(props: RoleProps, actions: list[str]) -> iam.PolicyStatement:
    """Some actions on the objects of the workflow's payload buckets, which must be this account's."""
    buckets = [
        f"arn:{Aws.PARTITION}:s3:::{props.names.payload_bucket(Aws.ACCOUNT_ID, region)}/*" for region in props.regions
    ]
    return allow_in_regions(actions, buckets, props.regions, OF_THIS_ACCOUNT)
