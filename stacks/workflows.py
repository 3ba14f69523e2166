"""A workflow's stacks together: what an app gets that adds one, and builds on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from caribou.stacks.workflow_stacks import Deployment, RegionStack, RegistrationStack, WorkflowStack


@dataclass(frozen=True, slots=True)
class WorkflowStacks:
    """The stacks of one workflow, and what an app builds on: constructs of the CDK, at home, by functions' names.

    `regions` are the stacks of the other regions of the placement that is synthesised, which comes and goes: each has
    `functions`, `topics` and `failures` of its own. An alarm on a queue belongs into its region, so into its stack.
    """

    home: WorkflowStack
    regions: Mapping[str, RegionStack]
    registration: RegistrationStack

    @property
    def entry(self) -> sns.Topic:
        """The topic that starts a run with what is published to it. Who may publish: see `grant_start`."""
        return self.home.start.topic

    def grant_start(self, grantee: iam.IGrantable) -> None:
        """Let a role, or what has one, start runs: publish to `entry`, with the workflow's key if it has one."""
        self.home.start.grant_start(grantee)

    @property
    def functions(self) -> Mapping[str, lambda_.Function]:
        """The Lambda functions at home."""
        return self.home.functions

    @property
    def topics(self) -> Mapping[str, sns.Topic]:
        """The internal topics at home. Only the workflow's own roles may publish to them: runs start at `entry`."""
        return self.home.topics

    @property
    def failures(self) -> Mapping[str, sqs.Queue]:
        """The queues at home of what no attempt could process, until the sweeper comes for it, within a minute."""
        return self.home.failures

    @property
    def runs(self) -> dynamodb.Table:
        """The run table: an item a run, with its state."""
        return self.home.runs.table


def add_workflow(scope: Construct, deployment: Deployment) -> WorkflowStacks:
    """Add all stacks of a workflow. Home comes after the others: make before break."""
    home, registration = WorkflowStack(scope, deployment), RegistrationStack(scope, deployment)
    regions = {region: RegionStack(scope, deployment, region) for region in deployment.other_regions}
    for stack in (registration, *regions.values()):
        home.add_stack_dependency(stack)
    return WorkflowStacks(home, regions, registration)
