"""The log reader that a project has chosen."""

from __future__ import annotations

from caribou.collectors.athena import AthenaLogReader
from caribou.collectors.insights import InsightsLogReader
from caribou.collectors.logs import CloudWatchLogReader, LogReader
from caribou.model.log_reader import LogReading
from caribou.model.registration import ControlNames


def log_reader(reading: LogReading, stage: str, control_region: str) -> LogReader:
    """A reader of logs in any region, for a stage's control plane."""
    match reading:
        case LogReading.FILTER:
            return CloudWatchLogReader()
        case LogReading.INSIGHTS:
            return InsightsLogReader()
        case LogReading.ATHENA:
            return AthenaLogReader(ControlNames(stage), control_region)
