"""Deleting a stack and what keeps CloudFormation from deleting it: the objects in its buckets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from caribou.control.aws import Aws, aws_errors_as, error_code
from caribou.control.stacks.deployed import DeployedStack, resources, template_of
from caribou.control.stacks.ownership import is_our_template
from caribou.control.stacks.stateful import ResourceType
from caribou.model.errors import OperationFailedError

_BATCH = 1000  # S3, DeleteObjects
_POLL_S = 2
_LIMIT_S = 75 * 60
"""Of a function in a VPC, Lambda may take 45 minutes to give up its network interfaces."""
_GONE = frozenset({"NoSuchBucket", "404"})


def delete_stack(aws: Aws, stack: DeployedStack, *, empty_buckets: bool) -> None:
    """Delete a stack of ours and wait for its end.

    Raises OperationFailedError, which says what could not be deleted; of a stack that only looks like ours, nothing is.
    """
    refuse_foreign(aws, stack)
    if empty_buckets:
        for bucket in resources(aws, stack, ResourceType.BUCKET):
            empty_bucket(aws, stack.region, bucket)
    client = aws.cloudformation(stack.region)
    with aws_errors_as(f"Deleting the stack {stack.name} in {stack.region}", f"its events: {stack.id}"):
        client.delete_stack(StackName=stack.id)
    try:
        client.get_waiter("stack_delete_complete").wait(
            StackName=stack.id, WaiterConfig={"Delay": _POLL_S, "MaxAttempts": _LIMIT_S // _POLL_S}
        )
    except WaiterError as error:
        raise OperationFailedError(
            f"Deleting the stack {stack.name} in {stack.region} did not end well: {_why(aws, stack) or error}. "
            f"Look at the stack's events, mend it, and try again"
        ) from error


def refuse_foreign(aws: Aws, stack: DeployedStack) -> None:
    """Raise OperationFailedError unless the stack's template is what ours are; one without any has nothing in it."""
    if stack.status == "REVIEW_IN_PROGRESS" or is_our_template(template_of(aws, stack), stack.workflow, stack.role):
        return
    raise OperationFailedError(
        f"The stack {stack.name} in {stack.region} has the name and the place of the {stack.role} stack of "
        f"{stack.workflow}, but its template is none of Caribou's, so it is left alone. If it may go, delete it by hand"
    )


def empty_bucket(aws: Aws, region: str, bucket: str, prefix: str = "") -> None:
    """Delete every object of a bucket, or those of a prefix, in every version; a bucket that is gone is empty."""
    client = aws.s3(region)
    with aws_errors_as(f"Emptying the bucket {bucket} in {region}"):
        try:
            for batch in _versions(aws, region, bucket, prefix):
                answer = client.delete_objects(
                    Bucket=bucket,
                    Delete={"Objects": batch, "Quiet": True},
                    ExpectedBucketOwner=aws.account(region),
                )
                if errors := answer.get("Errors"):
                    raise OperationFailedError(
                        f"Emptying the bucket {bucket} in {region} failed: {len(errors)} objects stay, such as "
                        f"{errors[0].get('Key')}: {errors[0].get('Message')}"
                    )
        except ClientError as error:
            if error_code(error) not in _GONE:
                raise


def delete_bucket(aws: Aws, region: str, bucket: str) -> None:
    """Empty and delete a bucket, if there is one."""
    empty_bucket(aws, region, bucket)
    delete_empty_bucket(aws, region, bucket)


def has_objects(aws: Aws, region: str, bucket: str, prefix: str = "") -> bool | None:
    """Whether there is any object in a bucket, or of a prefix in it, in any version; None if there is no such bucket.

    Raises ClientError for any other answer of S3's.
    """
    try:
        page = aws.s3(region).list_object_versions(
            Bucket=bucket, Prefix=prefix, MaxKeys=1, ExpectedBucketOwner=aws.account(region)
        )
    except ClientError as error:
        if error_code(error) in _GONE:
            return None
        raise
    return bool(page.get("Versions") or page.get("DeleteMarkers"))


def delete_empty_bucket(aws: Aws, region: str, bucket: str) -> None:
    """Delete a bucket that is empty, if there is one; S3 refuses if something came into it meanwhile."""
    with aws_errors_as(f"Deleting the bucket {bucket} in {region}", "what came into it meanwhile, and try again"):
        try:
            aws.s3(region).delete_bucket(Bucket=bucket, ExpectedBucketOwner=aws.account(region))
        except ClientError as error:
            if error_code(error) not in _GONE:
                raise


def delete_empty_log_group(aws: Aws, region: str, group: str) -> None:
    """Delete a log group into which nothing was logged, if there is one; OperationFailedError if something was."""
    client = aws.logs(region)
    with aws_errors_as(f"Deleting the log group {group} in {region}"):
        try:
            if client.describe_log_streams(logGroupName=group, limit=1)["logStreams"]:
                raise OperationFailedError(
                    f"Deleting the log group {group} in {region} failed: something was logged into it meanwhile. Save "
                    f"what you need of it, delete it, and try again"
                )
            client.delete_log_group(logGroupName=group)
        except client.exceptions.ResourceNotFoundException:
            return


def delete_table(aws: Aws, region: str, table: str) -> None:
    """Delete a table, if there is one, and wait for its end."""
    client = aws.dynamodb(region)
    with aws_errors_as(f"Deleting the table {table} in {region}"):
        try:
            client.delete_table(TableName=table)
        except client.exceptions.ResourceNotFoundException:
            return
        client.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 2, "MaxAttempts": 300})


def _versions(aws: Aws, region: str, bucket: str, prefix: str) -> Iterator[list[Any]]:
    """Keys with version ids, deletion markers too, in batches; an unversioned bucket's have the version `null`."""
    pages = aws.s3(region).get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix, ExpectedBucketOwner=aws.account(region)):
        found: list[Any] = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        keys = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
        for start in range(0, len(keys), _BATCH):
            yield keys[start : start + _BATCH]


def _why(aws: Aws, stack: DeployedStack) -> str | None:
    """What the stack's events say could not be deleted, the latest first."""
    try:
        answer = aws.cloudformation(stack.region).describe_stack_events(StackName=stack.id)
    except ClientError:
        return None
    failed = [event for event in answer["StackEvents"] if event.get("ResourceStatus") == "DELETE_FAILED"]
    return "; ".join(
        f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in failed[:3]
    )
