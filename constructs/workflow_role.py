"""What a function of a workflow may do: start its successors and keep its state, where the manifest allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from caribou.constructs.acknowledge import WILDCARD_RULE, acknowledge, acknowledge_wildcards
from caribou.constructs.naming import allow_in_regions, allow_logging, arn
from caribou.constructs.own_roles import tag, tags_of_roles
from caribou.model.graph import Graph
from caribou.model.names import WorkflowNames

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


class WorkflowRole(Construct):
    """The role of one function. Its name is CloudFormation's: IAM names are global to an account."""

    def __init__(self, scope: Construct, construct_id: str, props: RoleProps, log_group: logs.ILogGroup) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        tag(self.role, tags_of_roles(props.names))
        ours = (allow_logging(log_group), *_publish(props), *_state(props))
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


def _state(props: RoleProps) -> list[iam.PolicyStatement]:
    names, home = props.names, (props.home_region,)
    is_entry = props.graph.entry.function == props.function
    run_actions = ["dynamodb:UpdateItem", *(["dynamodb:PutItem", "dynamodb:GetItem"] if is_entry else [])]
    buckets = [f"arn:{Aws.PARTITION}:s3:::{names.payload_bucket(Aws.ACCOUNT_ID, region)}/*" for region in props.regions]
    return [
        allow_in_regions(
            ["dynamodb:UpdateItem", "dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Query"],
            [arn("dynamodb", f"table/{names.sync_table}")],
            props.regions,
        ),
        allow_in_regions(run_actions, [arn("dynamodb", f"table/{names.run_table}", props.home_region)], home),
        allow_in_regions(["s3:PutObject", "s3:GetObject"], buckets, props.regions),
    ]
