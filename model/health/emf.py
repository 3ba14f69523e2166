"""Metrics as lines of a log that CloudWatch reads as metrics: its embedded metric format, by Powertools.

Importing this imports Powertools, which takes some 40 ms: in a user's function only where there is something to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from caribou.model.health.metrics import WORKFLOW_DIMENSION, HealthMetric, namespace


def emf_line(stage: str, workflow: str | None, values: Mapping[HealthMetric, float]) -> bytes:
    """Some metrics of a workflow, or of the control plane, as of now: one line, in ASCII."""
    dimensions = {} if workflow is None else {WORKFLOW_DIMENSION: workflow}
    # without a service: a user's POWERTOOLS_SERVICE_NAME would be another dimension, and so another metric
    provider = AmazonCloudWatchEMFProvider(namespace=namespace(stage), dimension_set=dimensions, service="")
    for metric, value in values.items():
        provider.add_metric(name=metric.value, unit=metric.unit, value=value)
    return json.dumps(provider.serialize_metric_set(), separators=(",", ":")).encode() + b"\n"
