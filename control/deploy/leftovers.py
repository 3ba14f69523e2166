"""What an earlier deployment of a workflow left at home: its tables and bucket, whose names are taken.

CloudFormation adopts tables on request (`--import-existing-resources`), but no bucket whose name it has to put together
first, as ours from account and region. So an empty bucket is deleted before it is made anew; one with payloads is the
user's to give up.
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from caribou.control.aws import Aws, aws_errors_as, error_code
from caribou.control.deploy.checks import Leftovers
from caribou.control.stacks.deployed import home_stack
from caribou.control.stacks.stateful import home_tables
from caribou.model.names import WorkflowNames

_GONE = frozenset({"NoSuchBucket", "404"})


def leftovers(aws: Aws, names: WorkflowNames, home_region: str) -> Leftovers:
    """What is left of the workflow at home; nothing as long as its home stack stands."""
    if home_stack(aws, names.workflow, names.stage, home_region) is not None:
        return Leftovers()
    bucket = names.payload_bucket(aws.account(home_region), home_region)
    objects = _objects_in(aws, bucket, home_region)
    return Leftovers(
        tables=tuple(table for table in home_tables(names) if _has_table(aws, table, home_region)),
        bucket=None if objects is None else bucket,
        bucket_is_empty=not objects,
    )


def _has_table(aws: Aws, table: str, region: str) -> bool:
    client = aws.dynamodb(region)
    with aws_errors_as(f"Looking for the table {table} in {region}"):
        try:
            client.describe_table(TableName=table)
        except client.exceptions.ResourceNotFoundException:
            return False
    return True


def _objects_in(aws: Aws, bucket: str, region: str) -> int | None:
    """1 if there is any object in a bucket, in any version, else 0; None if there is no such bucket."""
    with aws_errors_as(f"Looking into the bucket {bucket} in {region}"):
        try:
            page = aws.s3(region).list_object_versions(Bucket=bucket, MaxKeys=1)
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise
    return len(page.get("Versions", ())) + len(page.get("DeleteMarkers", ()))
