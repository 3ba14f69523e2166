"""What a run record must have in common with the log that it stands in.

A function may write what it likes into its own log. So that it speaks for nobody else, a record counts only as that of
this log's function, region and workflow, and of the time at which it was written.
"""

from __future__ import annotations

from dataclasses import dataclass

from caribou.model.run.record import RunRecord

SKEW_S = 15 * 60
"""How far a function's clock, and CloudWatch's, may be off each other. A record is written when its node has ended."""


@dataclass(frozen=True, slots=True)
class Log:
    """One function's log in one region, of a workflow."""

    workflow: str
    function: str
    region: str
    name: str

    def refusal(self, record: RunRecord, written_s: float) -> str | None:
        """Why a record, written at that time (s since 1970), is none of this log's; None if it is one."""
        reasons = (
            (record.workflow != self.workflow, "of another workflow than their log"),
            (record.function != self.function, "of another function than their log"),
            (record.region != self.region, "of another region than their log"),
            (abs(written_s - record.started_at - record.duration_s) > SKEW_S, "of another time than their log event"),
        )
        return next((reason for applies, reason in reasons if applies), None)
