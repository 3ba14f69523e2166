"""The stacks of one workflow: home, a stack for each other region of its placement, and its registration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from aws_cdk import Aws, CfnOutput, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from caribou.constructs.bundle import Bundle, workflow_bundle
from caribou.constructs.bundling.target_platform import Platform
from caribou.constructs.placement_layer import PlacementLayer
from caribou.constructs.registration_parameter import RegistrationParameter
from caribou.constructs.run_state import RunState
from caribou.constructs.scheduled_function import ScheduledFunction, ScheduledProps
from caribou.constructs.start_topic import StartTopic
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
    FUNCTION_VARIABLE,
    REGISTRATION_PART,
    STAGE_VARIABLE,
    Output,
    StackRole,
    metadata_of,
)
from caribou.runtime.settings import bundle_text
from caribou.stacks.tags import mark, stack_tags


@dataclass(frozen=True)
class Deployment:
    """A workflow with the placement that it is deployed with, at a stage.

    The project's id, and the account that it may be deployed to, are None where `cdk.json` does not name them.
    """

    workflow: Workflow
    placement: Placement
    stage: str
    control_region: str
    project_id: str | None = None
    account: str | None = None

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
        self, function: str, code: lambda_.Code, layers: Sequence[lambda_.ILayerVersion] = ()
    ) -> FunctionProps:
        """What decides one function, the same in every region but for the layers."""
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

    def sweeper_props(self, code: lambda_.Code) -> ScheduledProps:
        """What decides the sweeper: the entry's, without user code's environment."""
        props = self.function_props(self.workflow.graph.entry.function, code)
        return sweeper_props(replace(props, environment={STAGE_VARIABLE: self.stage}))


class WorkflowStack(Stack):
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
        self.runs = RunState(self, "Runs", names=deployment.names)
        self.syncs = SyncState(self, "Syncs", names=deployment.names, keep=True)
        code = deployment.bundle.code(self)
        entry, made = deployment.workflow.graph.entry.function, dict[str, WorkflowFunction]()
        for function in deployment.workflow.graph.functions:
            layers = (placement.layer,) if function.name == entry else ()
            props = deployment.function_props(function.name, code, layers)
            made[function.name] = WorkflowFunction(self, _function_id(function.name), props)
        self.start = StartTopic(self, "Start", deployment.names, made[entry])
        sweeper = ScheduledFunction(self, "Sweeper", deployment.sweeper_props(code))
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


class RegionStack(Stack):
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
        SyncState(self, "Syncs", names=deployment.names, keep=False)
        code = deployment.bundle.code(self)
        for function in deployment.workflow.functions_in(region):
            WorkflowFunction(self, _function_id(function), deployment.function_props(function, code))
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


def add_workflow(scope: Construct, deployment: Deployment) -> WorkflowStack:
    """Add all stacks of a workflow. Home comes after the others: make before break."""
    home = WorkflowStack(scope, deployment)
    home.add_stack_dependency(RegistrationStack(scope, deployment))
    for region in deployment.other_regions:
        home.add_stack_dependency(RegionStack(scope, deployment, region))
    return home


def _mark(stack: Stack, deployment: Deployment, role: StackRole) -> None:
    mark(stack, deployment.stage, role, deployment.workflow.name, deployment.project_id)


def _function_id(function: str) -> str:
    """The construct id of a function, which may be called like another part of the stack."""
    return f"Function-{function}"


def _stack_props(deployment: Deployment, part: str | None, region: str, role: StackRole) -> dict[str, Any]:
    return {
        "tags": stack_tags(deployment.stage, role, deployment.workflow.name),
        "stack_name": stack_name(workflow_stack_id(deployment.workflow.name, part), deployment.stage),
        "env": Environment(account=deployment.account, region=region),
        "cross_region_references": False,
        "suppress_template_indentation": True,
    }
