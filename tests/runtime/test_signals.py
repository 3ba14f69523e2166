"""Metrics as a process says them: of a function, which imports nothing for them before, and of the sweeper."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from caribou.model.health.metrics import HealthMetric
from caribou.model.names import WorkflowNames
from caribou.runtime import sweeper
from caribou.runtime.record_log import RecordLog
from caribou.runtime.signals import LoggedMetrics
from caribou.runtime.sweeping import Swept, health_of

NAMES = WorkflowNames("shop")
NOW_S = datetime(2026, 7, 1, tzinfo=UTC).timestamp()


def test_function_when_it_starts_then_it_has_not_imported_powertools():
    """Which takes some 40 ms of a cold start; a message that goes home has waited for seconds by then."""
    code = "import sys, caribou.runtime.handler; print('aws_lambda_powertools' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_metrics_when_a_function_puts_some_then_they_are_a_line_beside_its_records(tmp_path):
    """Past whatever user code does to its streams."""
    with (tmp_path / "log").open("wb") as file:
        LoggedMetrics(NAMES, RecordLog(file.fileno()).write).put({HealthMetric.REROUTED: 1})
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert (json.loads(line)["Workflow"], json.loads(line)["Rerouted"]) == ("shop", [1.0])


def test_metrics_when_they_can_t_be_said_then_nothing_is_raised():
    """No run fails for a number."""

    def full(_):
        raise OSError("no space left")

    LoggedMetrics(NAMES, full).put({HealthMetric.REROUTED: 1})
    LoggedMetrics(NAMES, full).put({})


@pytest.mark.parametrize(
    ("swept", "said"),
    [
        (Swept(), {}),
        (Swept(resent=3, dropped=2, expired=1, notified=4, broken=5), {}),
        (
            Swept(parked=1, left=2, failed=3),
            {HealthMetric.PARKED: 1, HealthMetric.LEFT: 2, HealthMetric.SWEEP_FAILED: 3},
        ),
    ],
)
def test_sweep_when_it_has_ended_then_it_says_what_a_person_has_to_see_and_nothing_else(swept, said):
    """What was sent again is well; notices have been counted with their events."""
    assert health_of(swept) == said


@pytest.mark.parametrize(
    ("expires_at", "hours"),
    [
        (None, None),
        ("2026-07-03T01:00:00+00:00", None),
        ("2026-07-02T12:00:00+00:00", 36.0),
        ("2026-06-30T22:00:00+00:00", -2.0),
    ],
)
def test_expiry_when_few_hours_are_left_then_they_are_said_also_when_it_has_passed(expires_at, hours):
    """The alarm stays on until there is another placement; one for ever has none."""
    environment = {} if expires_at is None else {"CARIBOU_PLACEMENT_EXPIRES_AT": expires_at}
    said = sweeper.expiry(NOW_S, environment)
    assert said == ({} if hours is None else {HealthMetric.PLACEMENT_EXPIRES: hours})
