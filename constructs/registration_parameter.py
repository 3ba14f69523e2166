"""What the control plane knows of a workflow: one SSM parameter, which names no placement."""

from __future__ import annotations

import json

from aws_cdk import aws_ssm as ssm
from constructs import Construct

from caribou.model.graph import Graph
from caribou.model.manifest import Manifest
from caribou.model.names import WorkflowNames
from caribou.model.registration import Registration


class RegistrationParameter(Construct):
    """The parameter `/caribou/<stage>/workflows/<name>`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, names: WorkflowNames, graph: Graph, manifest: Manifest
    ) -> None:
        super().__init__(scope, construct_id)
        self.parameter = ssm.StringParameter(
            self,
            "Parameter",
            parameter_name=names.registration,
            string_value=json.dumps(Registration.of(graph, manifest).to_json(), sort_keys=True),
            tier=ssm.ParameterTier.INTELLIGENT_TIERING,
            description=f"Caribou workflow {graph.workflow}",
        )
