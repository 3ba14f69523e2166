"""What takes the names that a stack is to have: tables, a bucket and log groups, left by an earlier deployment.

CloudFormation adopts tables that outlive their stack on request (`--import-existing-resources`), but no bucket whose
name it has to put together first, as ours from account and region, and nothing that goes with its stack. So what is
empty is deleted before it is made anew; a bucket with payloads, a log group with streams and, elsewhere than at home,
the table of a former home are the user's to give up. The control plane's bucket is adopted like its tables: its name is
put into the template for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from caribou.control.aws import Aws, aws_errors_as, why_out_of_reach
from caribou.control.deploy.checks import Leftovers, PlacedWorkflow
from caribou.control.stacks.deletion import has_objects
from caribou.control.stacks.stateful import home_tables
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.names import WorkflowNames
from caribou.model.registration import ControlNames

_THREADS = 32


def left_for(aws: Aws, placed: PlacedWorkflow, names: WorkflowNames, region: str) -> Leftovers:
    """What takes the names that the workflow's stack in a region is to have; it is not there yet."""
    tables = home_tables(names) if region == placed.home_region else (names.sync_table,)
    return leftovers(aws, names, region, tables, placed.workflow.functions_in(region))


def leftovers(
    aws: Aws, names: WorkflowNames, region: str, tables: Iterable[str], functions: Iterable[str] = ()
) -> Leftovers:
    """What is there of some tables, of the payload bucket and of functions' log groups in a region."""
    bucket = names.payload_bucket(aws.account(region), region)
    return _left(aws, region, bucket, tables, map(names.log_group, functions))


def control_leftovers(aws: Aws, target: Target) -> Leftovers:
    """What is there of a control plane whose stack is not."""
    names, region = ControlNames(target.stage), target.control_region
    bucket = names.placement_bucket(aws.account(region), region)
    return _left(aws, region, bucket, names.lasting_tables, names.log_groups)


def _left(aws: Aws, region: str, bucket: str, tables: Iterable[str], log_groups: Iterable[str]) -> Leftovers:
    objects = _objects_in(aws, bucket, region)
    groups = {group: _has_streams(aws, group, region) for group in log_groups}
    return Leftovers(
        region,
        tables=tuple(table for table in tables if _has_table(aws, table, region)),
        bucket=None if objects is None else bucket,
        bucket_is_empty=not objects,
        log_groups=tuple(group for group, has_streams in groups.items() if has_streams),
        empty_log_groups=tuple(group for group, has_streams in groups.items() if has_streams is False),
    )


def former_homes(
    aws: Aws, names: WorkflowNames, regions: Iterable[str]
) -> tuple[tuple[Leftovers, ...], dict[str, str]]:
    """What earlier homes left in some regions, where the workflow has no stack; and why others could not be asked.

    Regions are asked in parallel. Raises OperationFailedError for what fails in another way than not to answer.
    """
    regions = sorted(regions)
    for region in regions:  # made here: sessions are slow at making clients on many threads
        aws.account(region)
        aws.dynamodb(region)
        aws.s3(region)
    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        found = list(threads.map(lambda region: _left_at_home(aws, names, region), regions))
    left = tuple(one for one in found if isinstance(one, Leftovers) and (one.tables or one.bucket is not None))
    return left, {region: one for region, one in zip(regions, found, strict=True) if isinstance(one, str)}


def _left_at_home(aws: Aws, names: WorkflowNames, region: str) -> Leftovers | str:
    """What an earlier home left in a region, or why the region can't be asked."""
    try:
        return leftovers(aws, names, region, home_tables(names))
    except OperationFailedError as error:
        if why := why_out_of_reach(error):
            return why
        raise


def _has_streams(aws: Aws, group: str, region: str) -> bool | None:
    """Whether anything was ever logged into a log group; None if there is no such group."""
    client = aws.logs(region)
    with aws_errors_as(f"Looking into the log group {group} in {region}"):
        try:
            page = client.describe_log_streams(logGroupName=group, limit=1)
        except client.exceptions.ResourceNotFoundException:
            return None
    return bool(page["logStreams"])


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
    look_at = f"whether another account has taken that name, and at the credentials and their permissions in {region}"
    with aws_errors_as(f"Looking into the bucket {bucket} in {region}", look_at):
        found = has_objects(aws, region, bucket)
    return None if found is None else int(found)
