"""The stacks of one workflow: home, a stack for each other region of its placement, and its registration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from aws_cdk import Aws, CfnOutput, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from caribou.constructs.alarms import Alarms, workflow_alarms
from caribou.constructs.bundle import Bundle, workflow_bundle
from caribou.constructs.bundling.target_platform import Platform
from caribou.constructs.placement_layer import PlacementLayer
from caribou.constructs.registration_parameter import RegistrationParameter
from caribou.constructs.run_starts import count_starts
from caribou.constructs.run_state import RunState
from caribou.constructs.scheduled_function import ScheduledFunction, ScheduledProps
from caribou.constructs.start_topic import StartTopic
from caribou.constructs.surroundings import Surroundings
from caribou.constructs.sweeper import sweeper_props
from caribou.constructs.sync_state import SyncState
from caribou.constructs.workflow_function import FunctionProps, WorkflowFunction
from caribou.constructs.workflow_role import RoleProps
from caribou.model.graph import Graph
from caribou.model.names import WorkflowNames, stack_name, workflow_stack_id
from caribou.model.placement import Placement
from caribou.model.project.workflow import MANIFEST, Workflow
from caribou.model.schema.iam_policy import read_iam_policy
from caribou.model.template_contract import (
    BUNDLE_FILE,
    BUNDLE_PACKAGE,
    EXPIRY_VARIABLE,
    FUNCTION_VARIABLE,
    REGISTRATION_PART,
    STAGE_VARIABLE,
    Output,
    StackRole,
    metadata_of,
)
from caribou.runtime.settings import bundle_text
from caribou.stacks.surroundings import surroundings_in
from caribou.stacks.tags import mark, stack_tags


@dataclass(frozen=True)
class Deployment:
    """A workflow with the placement that it is deployed with, at a stage.

    The project's id, and the account that it may be deployed to, are None where `cdk.json` does not name them.
    Alarms, if any, go to `alarm_topic`.
    """

    workflow: Workflow
    placement: Placement
    stage: str
    control_region: str
    project_id: str | None = None
    account: str | None = None
    alarm_topic: str | None = None

    @property
    def names(self) -> WorkflowNames:
        """The fixed names of the workflow's resources."""
        return WorkflowNames(self.workflow.name, self.stage)

    @property
    def other_regions(self) -> tuple[str, ...]:
        """The regions of the placement but home."""
        return tuple(sorted(self.placement.regions - {self.workflow.manifest.home_region}))

    @cached_property
    def bundle(self) -> Bundle:
        """The code of every function of the workflow: the same in every region."""
        workflow, manifest = self.workflow, self.workflow.manifest
        text = bundle_text(workflow.graph, manifest.home_region, manifest.runs)
        ours = {f"{BUNDLE_PACKAGE}/__init__.py": b"", f"{BUNDLE_PACKAGE}/{BUNDLE_FILE}": text.encode()}
        return workflow_bundle(
            workflow.folder, Platform.of_target(manifest.architecture, manifest.python_version), ours
        )

    @cached_property
    def user_policy(self) -> dict[str, Any] | None:
        """The policy document that the manifest names, whose statements every function's role gets.

        `${account}` in it is the account that the stack is deployed to.
        """
        named = self.workflow.manifest.iam_policy_file
        if named is None:
            return None
        document = read_iam_policy(self.workflow.folder / MANIFEST.parent / named)
        filled: dict[str, Any] = json.loads(json.dumps(document).replace("${account}", Aws.ACCOUNT_ID))
        return filled

    def function_props(
        self, function: str, code: lambda_.Code, around: Surroundings, layers: Sequence[lambda_.ILayerVersion] = ()
    ) -> FunctionProps:
        """What decides one function, the same in every region but for the layers and what is around it there."""
        manifest = self.workflow.manifest
        settings = manifest.functions[function]
        ours = {FUNCTION_VARIABLE: function, STAGE_VARIABLE: self.stage}
        return FunctionProps(
            role=RoleProps(
                function=function,
                graph=self.workflow.graph,
                names=self.names,
                home_region=manifest.home_region,
                regions=self.workflow.regions,
                user_policy=self.user_policy,
                around=around,
            ),
            code=code,
            python_version=manifest.python_version,
            architecture=manifest.architecture,
            timeout_s=settings.timeout_s,
            memory_mb=settings.memory_mb,
            log_retention_days=manifest.log_retention_days,
            environment={**settings.environment_variables, **ours},
            layers=layers,
        )

    def sweeper_props(self, code: lambda_.Code, around: Surroundings) -> ScheduledProps:
        """What decides the sweeper: the entry's, without user code's environment, and the placement's expiry."""
        props = self.function_props(self.workflow.graph.entry.function, code, around)
        expires_at = self.placement.expires_at
        expiry = {EXPIRY_VARIABLE: expires_at.isoformat()} if expires_at else {}
        return sweeper_props(replace(props, environment={STAGE_VARIABLE: self.stage, **expiry}))


class _FunctionsStack(Stack):
    """A stack with functions of a workflow: what they are made of, by their names. `made` are our constructs."""

    def __init__(self, scope: Construct, construct_id: str, **props: Any) -> None:  # noqa: ANN401 - those of Stack
        super().__init__(scope, construct_id, **props)
        self.made = dict[str, WorkflowFunction]()

    @property
    def functions(self) -> Mapping[str, lambda_.Function]:
        """The Lambda functions."""
        return {name: made.function for name, made in self.made.items()}

    @property
    def topics(self) -> Mapping[str, sns.Topic]:
        """The internal topics, to which the workflow's own roles publish alone."""
        return {name: made.topic for name, made in self.made.items()}

    @property
    def failures(self) -> Mapping[str, sqs.Queue]:
        """The queues of what no attempt could process."""
        return {name: made.failures for name, made in self.made.items()}


class WorkflowStack(_FunctionsStack):
    """`Workflow-<name>`: every function at home, the entry with its placement, the topic of starts, and runs' state."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        name, manifest = deployment.workflow.name, deployment.workflow.manifest
        super().__init__(
            scope,
            workflow_stack_id(name),
            **_stack_props(deployment, None, manifest.home_region, StackRole.HOME),
            description=f"Caribou workflow {name}, at home",
        )
        placement = PlacementLayer(self, "Placement", deployment.placement)
        around = surroundings_in(self, manifest, manifest.home_region)
        self.runs = RunState(self, "Runs", names=deployment.names, key=around.key)
        self.syncs = SyncState(self, "Syncs", names=deployment.names, keep=True, key=around.key)
        code = deployment.bundle.code(self)
        entry, made = deployment.workflow.graph.entry.function, self.made
        for function in deployment.workflow.graph.functions:
            layers = (placement.layer,) if function.name == entry else ()
            props = deployment.function_props(function.name, code, around, layers)
            made[function.name] = WorkflowFunction(self, _function_id(function.name), props)
        self.start = StartTopic(self, "Start", deployment.names, made[entry], around.key)
        sweeper = ScheduledFunction(self, "Sweeper", deployment.sweeper_props(code, around))
        count_starts(made[entry].log_group, deployment.names, deployment.workflow.graph.entry.name)
        if deployment.alarm_topic is not None:
            each = workflow_alarms(deployment.names, sweeper=sweeper.function, entry_failures=made[entry].failures)
            Alarms(self, "Alarms", prefix=deployment.names.alarm, topic=deployment.alarm_topic, each=each)
        CfnOutput(self, Output.SWEEPER, value=sweeper.function.function_name)
        self._publish(deployment.placement, deployment.workflow.graph)
        _mark(self, deployment, StackRole.HOME)

    def _publish(self, placement: Placement, graph: Graph) -> None:
        """Say in outputs where runs start, and in outputs and metadata which placement is deployed.

        The migrator believes these, not a file.
        """
        CfnOutput(self, Output.START_TOPIC, value=self.start.topic.topic_arn)
        CfnOutput(self, Output.PLACEMENT_DIGEST, value=placement.digest)
        CfnOutput(self, Output.PLACEMENT_REGIONS, value=",".join(sorted(placement.regions)))
        expiry = placement.expires_at.isoformat() if placement.expires_at else "never"
        CfnOutput(self, Output.PLACEMENT_EXPIRES_AT, value=expiry)
        CfnOutput(self, Output.GRAPH_DIGEST, value=graph.digest)
        CfnOutput(self, Output.WORKFLOW_VERSION, value=graph.version)
        self.template_options.metadata = metadata_of(placement.to_json())


class RegionStack(_FunctionsStack):
    """`Workflow-<name>-<region>`: every function that may run in a region, and that region's state.

    Of the placement it depends only whether the stack is there: what is in it follows from the manifest, so that no
    move takes a function from under its runs, the messages in its queue and those on their way.
    """

    def __init__(self, scope: Construct, deployment: Deployment, region: str) -> None:
        name = deployment.workflow.name
        super().__init__(
            scope,
            workflow_stack_id(name, region),
            **_stack_props(deployment, region, region, StackRole.REGION),
            description=f"Caribou workflow {name}, in {region}",
        )
        around = surroundings_in(self, deployment.workflow.manifest, region)
        SyncState(self, "Syncs", names=deployment.names, keep=False, key=around.key)
        code = deployment.bundle.code(self)
        for function in deployment.workflow.functions_in(region):
            props = deployment.function_props(function, code, around)
            self.made[function] = WorkflowFunction(self, _function_id(function), props)
        CfnOutput(self, Output.HOME_REGION, value=deployment.workflow.manifest.home_region)
        _mark(self, deployment, StackRole.REGION)


class RegistrationStack(Stack):
    """`Workflow-<name>-registration`: makes the workflow known to the control plane, in the control region."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        name, part = deployment.workflow.name, REGISTRATION_PART
        super().__init__(
            scope,
            workflow_stack_id(name, part),
            **_stack_props(deployment, part, deployment.control_region, StackRole.REGISTRATION),
            description=f"Caribou workflow {name}, known to the control plane",
        )
        workflow = deployment.workflow
        graph, manifest = workflow.graph, workflow.manifest
        RegistrationParameter(self, "Registration", names=deployment.names, graph=graph, manifest=manifest)
        _mark(self, deployment, StackRole.REGISTRATION)


def _mark(stack: Stack, deployment: Deployment, role: StackRole) -> None:
    mark(stack, deployment.stage, role, deployment.workflow.name, deployment.project_id)


def _function_id(function: str) -> str:
    """The construct id of a function, which may be called like another part of the stack."""
    return f"Function-{function}"


def _stack_props(deployment: Deployment, part: str | None, region: str, role: StackRole) -> dict[str, Any]:
    return {
        "tags": {**deployment.workflow.manifest.tags, **stack_tags(deployment.stage, role, deployment.workflow.name)},
        "stack_name": stack_name(workflow_stack_id(deployment.workflow.name, part), deployment.stage),
        "env": Environment(account=deployment.account, region=region),
        "cross_region_references": False,
        "suppress_template_indentation": True,
    }
