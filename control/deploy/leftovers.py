"""What an earlier deployment of a workflow left at home: its tables and bucket, whose names are taken.

CloudFormation adopts tables on request (`--import-existing-resources`), but no bucket whose name it has to put together
first, as ours from account and region. So an empty bucket is deleted before it is made anew; one with payloads is the
user's to give up.
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from caribou.control.aws import Aws, error_code, telling
from caribou.control.stacks.deletion import delete_bucket
from caribou.control.stacks.deployed import home_stack
from caribou.control.stacks.stateful import home_tables
from caribou.model.errors import InvalidInputError
from caribou.model.names import WorkflowNames

_GONE = frozenset({"NoSuchBucket", "404"})


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Whether a table is there, and the payload bucket, and whether anything is in that."""

    table: bool = False
    bucket: str | None = None
    bucket_is_empty: bool = True


def leftovers(aws: Aws, names: WorkflowNames, home_region: str) -> Leftovers:
    """What is left of the workflow at home; nothing as long as its home stack stands."""
    if home_stack(aws, names.workflow, names.stage, home_region) is not None:
        return Leftovers()
    bucket = names.payload_bucket(aws.account(home_region), home_region)
    objects = _objects_in(aws, bucket, home_region)
    return Leftovers(
        table=any(_has_table(aws, table, home_region) for table in home_tables(names)),
        bucket=None if objects is None else bucket,
        bucket_is_empty=not objects,
    )


def make_way(aws: Aws, left: Leftovers, workflow: str, home_region: str) -> bool:
    """Clear what stands in the way of a new deployment; whether there are tables to be adopted.

    Raises InvalidInputError if that would lose data.
    """
    if left.bucket is not None and not left.bucket_is_empty:
        raise InvalidInputError(
            "an earlier deployment left a bucket with payloads, so its name is taken",
            where=f"{workflow} in {home_region}",
            found=left.bucket,
            fix=f"save what you need of it, and delete the rest: `caribou remove {workflow} --delete-data`",
        )
    if left.bucket is not None:
        delete_bucket(aws, home_region, left.bucket)
    return left.table


def _has_table(aws: Aws, table: str, region: str) -> bool:
    client = aws.dynamodb(region)
    with telling(f"Looking for the table {table} in {region}"):
        try:
            client.describe_table(TableName=table)
        except client.exceptions.ResourceNotFoundException:
            return False
    return True


def _objects_in(aws: Aws, bucket: str, region: str) -> int | None:
    """1 if there is any object in a bucket, in any version, else 0; None if there is no such bucket."""
    with telling(f"Looking into the bucket {bucket} in {region}"):
        try:
            page = aws.s3(region).list_object_versions(Bucket=bucket, MaxKeys=1)
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise
    return len(page.get("Versions", ())) + len(page.get("DeleteMarkers", ()))
