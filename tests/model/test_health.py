"""Metrics as lines of a log, and the topic that alarms go to."""

import json

import pytest

from caribou.collectors.record_lines import record_in
from caribou.model.errors import InvalidInputError
from caribou.model.health.alarm_topic import region_of_topic, topics_by_region
from caribou.model.health.emf import emf_line
from caribou.model.health.metrics import HealthMetric

TOPIC = "arn:aws:sns:eu-central-1:111122223333:on-call"


@pytest.fixture(params=[{}, {"POWERTOOLS_SERVICE_NAME": "mine", "POWERTOOLS_METRICS_NAMESPACE": "mine"}])
def users_environment(request, monkeypatch):
    """With and without what a user sets for a Powertools of the user's own."""
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("users_environment")
def test_line_when_cloudwatch_reads_it_then_each_metric_has_one_dimension_and_its_value():
    """The embedded metric format, version of 2019; another dimension would be another metric, which is billed."""
    line = emf_line("dev", "shop", {HealthMetric.PARKED: 3, HealthMetric.PLACEMENT_EXPIRES: 1.5})
    assert line.endswith(b"}\n")
    data = json.loads(line)
    (directive,) = data["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "Caribou/dev",
        "Dimensions": [["Workflow"]],
        "Metrics": [{"Name": "Parked", "Unit": "Count"}, {"Name": "PlacementExpiresInHours", "Unit": "None"}],
    }
    assert (data["Workflow"], data["Parked"], data["PlacementExpiresInHours"]) == ("shop", [3.0], [1.5])
    assert isinstance(data["_aws"]["Timestamp"], int)


def test_line_when_it_is_the_control_planes_then_it_has_no_dimension():
    """There is one of a stage."""
    (directive,) = json.loads(emf_line("dev", None, {HealthMetric.DATA_AGE: 30.0}))["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [[]]


def test_line_when_it_stands_among_run_records_then_their_reader_passes_over_it():
    """Both lie in a function's log."""
    assert record_in(emf_line("dev", "shop", {HealthMetric.REROUTED: 1}).decode()) is None


def test_topics_when_one_stands_for_each_region_then_each_is_its_regions():
    """Alarms go to a topic of their own region only."""
    other = TOPIC.replace("eu-central-1", "us-west-2")
    assert topics_by_region(f"{TOPIC}, {other}", "here") == {"eu-central-1": TOPIC, "us-west-2": other}


@pytest.mark.parametrize(
    "text",
    ["", "on-call", TOPIC + ",", f"{TOPIC},{TOPIC}2", TOPIC + ".fifo", TOPIC.replace("sns", "sqs"), TOPIC + ":sub"],
)
def test_topics_when_something_is_none_then_it_is_refused(text):
    """A queue, a subscription, a FIFO topic, which takes no alarms: found before anything is deployed."""
    with pytest.raises(InvalidInputError):
        topics_by_region(text, "here")


def test_topic_when_its_partition_is_another_then_it_is_one_too():
    """China, for instance."""
    assert region_of_topic("arn:aws-cn:sns:cn-north-1:111122223333:x") == "cn-north-1"
