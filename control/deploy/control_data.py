"""What the control plane keeps of one workflow: its run records with the log cursors, and its placements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from caribou.control.aws import Aws, aws_errors_as
from caribou.control.stacks.deletion import empty_bucket, has_objects
from caribou.control.target import Target
from caribou.model.errors import OperationFailedError
from caribou.model.registration import ControlNames

_ITEMS_A_REQUEST = 25  # DynamoDB, BatchWriteItem
_MOST_TRIES = 8


@dataclass(frozen=True, slots=True)
class ControlData:
    """The table that has records of a workflow, and the place of its placements, `bucket/workflow/`; None: nothing."""

    records: str | None = None
    placements: str | None = None


def control_data(aws: Aws, workflow: str, target: Target) -> ControlData:
    """What there is of a workflow; nothing if there is no control plane."""
    names, region = ControlNames(target.stage), target.control_region
    bucket = names.placement_bucket(aws.account(region), region)
    return ControlData(
        names.record_table if _has_records(aws, region, names.record_table, workflow) else None,
        f"{bucket}/{workflow}/" if _has_placements(aws, region, bucket, f"{workflow}/") else None,
    )


def delete_records(aws: Aws, region: str, table: str, workflow: str) -> None:
    """Delete all items of a workflow from the record table. Raises OperationFailedError."""
    with aws_errors_as(f"Deleting the records of {workflow} from {table} in {region}"):
        for batch in _batches(aws, region, table, workflow):
            _delete_items(aws, region, table, batch)


def delete_placements(aws: Aws, region: str, place: str) -> None:
    """Delete every version of what is at a place, `bucket/workflow/`. Raises OperationFailedError."""
    bucket, _, prefix = place.partition("/")
    empty_bucket(aws, region, bucket, prefix)


def _has_records(aws: Aws, region: str, table: str, workflow: str) -> bool:
    client = aws.dynamodb(region)
    with aws_errors_as(f"Looking for the records of {workflow} in {table} of {region}"):
        try:
            return bool(client.query(TableName=table, Limit=1, **_of(workflow))["Items"])
        except client.exceptions.ResourceNotFoundException:
            return False


def _has_placements(aws: Aws, region: str, bucket: str, prefix: str) -> bool:
    with aws_errors_as(f"Looking for {prefix} in the bucket {bucket} of {region}"):
        return bool(has_objects(aws, region, bucket, prefix))


def _batches(aws: Aws, region: str, table: str, workflow: str) -> Iterator[list[Any]]:
    """The keys of a workflow's items, in batches."""
    pages = aws.dynamodb(region).get_paginator("query").paginate(TableName=table, **_of(workflow))
    for page in pages:
        for start in range(0, len(page["Items"]), _ITEMS_A_REQUEST):
            yield page["Items"][start : start + _ITEMS_A_REQUEST]


def _delete_items(aws: Aws, region: str, table: str, keys: list[Any]) -> None:
    """Delete items together, those that DynamoDB leaves out again."""
    left: Any = {table: [{"DeleteRequest": {"Key": key}} for key in keys]}
    for _ in range(_MOST_TRIES):
        left = aws.dynamodb(region).batch_write_item(RequestItems=left).get("UnprocessedItems")
        if not left:
            return
    raise OperationFailedError(f"{table} in {region} is too busy to delete records. Remove the workflow again later")


def _of(workflow: str) -> dict[str, Any]:
    """A query for the keys of a workflow's items."""
    return {
        "KeyConditionExpression": "#workflow = :workflow",
        "ProjectionExpression": "#workflow, #id",
        "ExpressionAttributeNames": {"#workflow": "workflow", "#id": "id"},
        "ExpressionAttributeValues": {":workflow": {"S": workflow}},
    }
