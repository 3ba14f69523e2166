"""What sync nodes of one region wait for: claims and reports in a table, large payloads in a bucket."""

from __future__ import annotations

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from caribou.constructs.acknowledge import acknowledge
from caribou.constructs.customer_key import of_bucket, of_table
from caribou.model.names import WorkflowNames

_PAYLOAD_DAYS = 14  # as long as claims and sync state live (caribou.runtime.aws)


class SyncState(Construct):
    """A region's table of claims and sync state, and its payload bucket.

    `keep` says whether they outlive their stack: home's do, a region's go when it is retired.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, names: WorkflowNames, keep: bool, key: kms.IKey | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        removal = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if keep else RemovalPolicy.DESTROY
        self.table = dynamodb.Table(
            self,
            "Table",
            table_name=names.sync_table,
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="part", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires",
            removal_policy=removal,
            **of_table(key),
        )
        acknowledge(self.table, {"AwsSolutions-DDB3": "an older state of running runs would fire sync nodes again"})
        self.bucket = s3.Bucket(
            self,
            "Payloads",
            bucket_name=names.payload_bucket(Aws.ACCOUNT_ID, Stack.of(self).region),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            **of_bucket(key),
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(_PAYLOAD_DAYS), abort_incomplete_multipart_upload_after=Duration.days(1)
                )
            ],
            removal_policy=removal,
        )
        acknowledge(self.bucket, {"AwsSolutions-S1": "payloads live for days, and only the workflow's roles read them"})
