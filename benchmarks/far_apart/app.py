"""A fan-out into a sync node, with a bucket at home at two of its nodes: what benchmarks/prediction.py runs.

Its nodes wait instead of computing, for times that the run's id draws: so the machine has little to do, and a run takes
as long at home as elsewhere but for the distance. One node makes a client for each run, and with it a new connection;
another has one client for the process.
"""

from __future__ import annotations

import random
import time
from typing import Any

import boto3

from caribou.runtime import CaribouWorkflow

workflow = CaribouWorkflow(name="far_apart", version="0.0.1")
_BUCKET_REGION = "us-east-1"
_KEPT = boto3.client("s3", region_name=_BUCKET_REGION)


@workflow.serverless_function(name="split", entry_point=True)
def split(event: dict[str, Any]) -> None:
    """Hands the order to two nodes."""
    _work("split")
    workflow.invoke_serverless_function(left, event)
    workflow.invoke_serverless_function(right, event)


@workflow.serverless_function(name="left")
def left(event: dict[str, Any]) -> None:
    """Reads an object over a connection of its own."""
    s3 = boto3.client("s3", region_name=_BUCKET_REGION)
    content = s3.get_object(Bucket=event["bucket"], Key=event["key"])["Body"].read()
    _work("left")
    workflow.invoke_serverless_function(join, {**event, "bytes": len(content)})


@workflow.serverless_function(name="right")
def right(event: dict[str, Any]) -> None:
    """Takes its time."""
    _work("right")
    workflow.invoke_serverless_function(join, event)


@workflow.serverless_function(name="join")
def join(event: object) -> None:  # noqa: ARG001 - a sync node reads its predecessors' data
    """Waits for both."""
    orders = workflow.get_predecessor_data()
    _work("join")
    workflow.invoke_serverless_function(store, orders[0])


@workflow.serverless_function(name="store")
def store(event: dict[str, Any]) -> None:
    """Writes an object over a connection that the process keeps."""
    _work("store")
    _KEPT.put_object(Bucket=event["bucket"], Key=f"output/{workflow.get_run_id()}", Body=b"x" * event["bytes"])


def _work(node: str) -> None:
    """Some 20 to 200 ms: 20, and two draws of 30 on average; the run and the node decide."""
    chance = random.Random(f"{workflow.get_run_id()} {node}")
    time.sleep(0.02 + chance.gammavariate(2, 0.03))
