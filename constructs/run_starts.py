"""The metric of runs that begin: a filter of the home entry's log, since its run records say it already."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs

from caribou.model.health.metrics import WORKFLOW_DIMENSION, HealthMetric, namespace
from caribou.model.names import WorkflowNames
from caribou.model.run.record import RECORD_KEY


def count_starts(log_group: logs.LogGroup, names: WorkflowNames, entry: str) -> None:
    """Count the records of the entry node's first try in the log of home's entry function.

    No run writes a byte for it, and the filter costs nothing (docs/adr/0024-the-sweeper-says-what-went-wrong.md).
    """
    pattern = logs.FilterPattern.all(
        logs.FilterPattern.string_value(f"$.{RECORD_KEY}.node", "=", entry),
        logs.FilterPattern.number_value(f"$.{RECORD_KEY}.attempt", "=", 1),
    )
    log_group.add_metric_filter(
        "Starts",
        filter_pattern=pattern,
        metric_namespace=namespace(names.stage),
        metric_name=HealthMetric.RUN_STARTED.value,
        metric_value="1",
        unit=cloudwatch.Unit.COUNT,
        dimensions={WORKFLOW_DIMENSION: f"$.{RECORD_KEY}.workflow"},
    )
