"""The metrics of CloudWatch by which a workflow and the control plane are watched: names, units, where they are.

Each is sent only when there is something to say: CloudWatch bills a metric by the hours in which it is sent, so
nothing of what is well costs anything. What each means, and what to do, is in docs/alarms.md.
"""

from __future__ import annotations

from enum import StrEnum

WORKFLOW_DIMENSION = "Workflow"
"""The one dimension of a workflow's metrics; the control plane's have none."""
EXPIRES_SOON_H = 48.0
"""With fewer hours left, the sweeper sends when the placement expires; below 0, it has."""


class HealthMetric(StrEnum):
    """A metric's name. A workflow's are at its home, but for `REROUTED`, which is where the sender ran."""

    RUN_STARTED = "RunStarted"
    """Counted by CloudWatch Logs, in the run records of the home entry."""
    RUN_FAILED = "RunFailed"
    RUN_EXPIRED = "RunExpired"
    REROUTED = "Rerouted"
    """Messages that went home, because the region of their node did not take them."""
    PARKED = "Parked"
    LEFT = "LeftInQueue"
    """Events of a failure queue that no sweep can do anything with."""
    SWEEP_FAILED = "SweepFailed"
    """What raised in a sweep: regions, queues, events, runs."""
    PLACEMENT_EXPIRES = "PlacementExpiresInHours"
    DATA_AGE = "DataAgeHours"
    """Of the kind of facts that is most overdue, once it is older than its schedule lets it be."""
    SOURCE_FELL_BACK = "SourceFellBackHours"
    """For how long a chosen source will have given nothing, once the next collection comes."""

    @property
    def unit(self) -> str:
        """CloudWatch's unit, which has none for hours."""
        return "None" if self in _HOURS else "Count"


_HOURS = frozenset({HealthMetric.PLACEMENT_EXPIRES, HealthMetric.DATA_AGE, HealthMetric.SOURCE_FELL_BACK})


def namespace(stage: str) -> str:
    """The namespace of a stage: `Caribou/<stage>`. A dimension would do, but filters of logs can't add one."""
    return f"Caribou/{stage}"
