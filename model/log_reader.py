"""What log collection reads logs with: a project chooses by a context key of its `cdk.json`."""

from __future__ import annotations

from enum import StrEnum

LOG_READER_KEY = "caribou:log_reader"
LOG_TABLE = "logs"
"""Of exported logs, for Athena."""
ANSWERS_PREFIX = "answers"
"""Where in the bucket of exported logs Athena keeps its answers."""


class LogReading(StrEnum):
    """How lines that hold run records are found."""

    FILTER = "filter"
    """CloudWatch Logs' FilterLogEvents, page by page."""
    INSIGHTS = "insights"
    """Queries of CloudWatch Logs Insights."""
    ATHENA = "athena"
    """Queries of Athena, over lines that were exported to S3."""
