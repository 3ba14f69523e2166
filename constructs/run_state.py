"""Where runs are decided: the run table of a workflow, at home."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from caribou.constructs.acknowledge import acknowledge
from caribou.constructs.customer_key import of_table
from caribou.model.names import WorkflowNames
from caribou.model.template_contract import OPEN_INDEX


class RunState(Construct):
    """The table of run items. It outlives its stack: what ran is not lost with what ran it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, names: WorkflowNames, key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            table_name=names.run_table,
            partition_key=dynamodb.Attribute(name="run_id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires",
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            **of_table(key),
        )
        self.table.add_global_secondary_index(
            index_name=OPEN_INDEX,
            partition_key=dynamodb.Attribute(name=OPEN_INDEX, type=dynamodb.AttributeType.STRING),
        )
        acknowledge(self.table, {"AwsSolutions-DDB3": "an older state of open runs would end them twice"})
