"""The alarms of a workflow and of the control plane: what they watch, whom they notify, and when there are none."""

import json
import re

import pytest
from builders import ROOT, topic_in

from caribou.model.errors import InvalidManifestError
from caribou.model.health.metrics import HealthMetric
from caribou.model.project.workflow import read_workflow
from caribou.model.standing import CONTROL_PLANE_ALARMS, WORKFLOW_ALARMS
from caribou.runtime.record_log import record_line
from caribou.runtime.testing import Disorder, LocalRunner, load_functions

HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"
ALARM, COMPOSITE, FILTER = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm", "AWS::Logs::MetricFilter"
HOME_STACK, CONTROL = "Workflow-city_tour", "CaribouControlPlane"


def alarms(assembly, stack):
    """The alarms of a stack by what stands behind the `/` of their names."""
    return {each["AlarmName"].partition("/")[2]: each for each in assembly.properties(stack, ALARM)}


def test_alarms_when_no_topic_is_named_then_there_are_none(moved):
    """They cost money, and wake nobody."""
    assert [moved.properties(stack, kind) for stack in moved.stacks for kind in (ALARM, COMPOSITE)] == [[]] * 10


def test_alarms_when_a_topic_is_named_then_one_composite_alarm_notifies_it_and_the_others_nobody(alarmed):
    """One message for what goes wrong at one time."""
    for stack, region, name in ((HOME_STACK, HOME, "caribou-dev-city_tour"), (CONTROL, WEST, "caribou-dev-collector")):
        (composite,) = alarmed.properties(stack, COMPOSITE)
        assert (composite["AlarmName"], composite["AlarmActions"]) == (name, [topic_in(region)])
        assert not any("AlarmActions" in each for each in alarms(alarmed, stack).values())
        over = set(re.findall(r'"Fn::GetAtt": \["(\w+)", "Arn"\]', json.dumps(composite["AlarmRule"])))
        assert over == set(alarmed.resources(stack, ALARM))


def test_alarms_when_a_workflow_has_some_then_they_are_of_what_its_sweeper_says_and_of_its_silence(alarmed):
    """Each metric that means that something is wrong, in the namespace and dimension in which it is sent."""
    found = alarms(alarmed, HOME_STACK)
    ours = {name for name, each in found.items() if each["Namespace"] == "Caribou/dev"}
    assert ours == {
        *("RunFailed", "RunExpired", "Parked", "LeftInQueue", "SweepFailed", "PlacementExpiresInHours"),
    }
    assert all(each["Dimensions"] == [{"Name": "Workflow", "Value": "city_tour"}] for each in map(found.get, ours))
    assert set(found) - ours == {"SweeperErrors", "SweeperMissing", "FailureQueueAge"}
    breaching = {name for name, each in found.items() if each["TreatMissingData"] == "breaching"}
    assert breaching == {"SweeperMissing"}
    assert {each["TreatMissingData"] for each in found.values()} == {"breaching", "notBreaching"}


def test_alarms_when_the_control_plane_has_some_then_they_are_of_its_collectors_and_of_the_age_of_facts(alarmed):
    """Facts are collected each day, and the collector that looks at their age comes each hour."""
    found = alarms(alarmed, CONTROL)
    kinds = ("Carbon", "Provider", "Performance", "Workflow")
    ours = {"DataAgeHours", "SourceFellBackHours"}
    assert set(found) == {*(f"{kind}CollectorErrors" for kind in kinds), "WorkflowCollectorMissing", *ours}
    assert not any("Dimensions" in found[each] for each in ours)


def test_alarms_when_a_source_gives_nothing_then_they_notify_after_some_hours_of_a_day(alarmed):
    """Six collections of each hour, or one of each day: the metric has the hours until the next one."""
    fell_back = alarms(alarmed, CONTROL)["SourceFellBackHours"]
    assert (fell_back["Statistic"], fell_back["Period"], fell_back["Threshold"]) == ("Sum", 86400, 6)


@pytest.mark.parametrize(
    ("at", "hours", "periods"),
    [
        ("rate(15 minutes)", 1, 3),
        ("rate(6 hours)", 6, 3),
        ("rate(56 hours)", 56, 3),
        ("cron(0 5 ? * MON-FRI *)", 72, 2),
    ],
)
def test_alarms_when_log_collection_runs_seldom_then_they_look_back_as_far(synthesised, at, hours, periods):
    """Its silence, and what it says of the age of facts; within the seven days that CloudWatch looks back."""
    collect_at = json.dumps({"workflow": at})
    found = alarms(synthesised(caribou__collect_at=collect_at, caribou__alarm_topic=topic_in(WEST)), CONTROL)
    for name, breaches in (("WorkflowCollectorMissing", periods), ("DataAgeHours", 1)):
        each = found[name]
        assert (each["Period"], each["EvaluationPeriods"]) == (hours * 3600, periods)
        assert each["DatapointsToAlarm"] == breaches
        assert hours * periods <= 7 * 24


def test_alarms_when_their_metric_comes_each_hour_then_one_hour_without_it_ends_none(alarmed):
    """A period of an hour has sometimes none of what is sent each hour, and each end and start is a message."""
    left, age = alarms(alarmed, HOME_STACK)["LeftInQueue"], alarms(alarmed, CONTROL)["DataAgeHours"]
    for each in (left, age):
        assert (each["Period"], each["EvaluationPeriods"], each["DatapointsToAlarm"]) == (3600, 3, 1)


def test_alarms_when_they_are_paid_for_then_the_page_on_costs_has_as_many(alarmed):
    """Each costs money whether or not it ever goes off."""
    assert len(alarms(alarmed, HOME_STACK)) == WORKFLOW_ALARMS
    assert len(alarms(alarmed, CONTROL)) == CONTROL_PLANE_ALARMS


def test_page_when_an_alarm_or_a_metric_is_there_then_it_says_what_it_means(alarmed):
    """At three in the morning: docs/alarms.md has a row for each, and none for what is not there."""
    rows = [
        line.split("|")[1] for line in (ROOT / "docs" / "alarms.md").read_text().splitlines() if line.startswith("| `")
    ]
    said = {name for row in rows for name in re.findall(r"`([A-Z<][\w<>]+)`", row)}
    collectors = {
        re.sub("^(Carbon|Provider|Performance|Workflow)(?=CollectorErrors)", "<Kind>", name)
        for name in alarms(alarmed, CONTROL)
    }
    assert said == {*alarms(alarmed, HOME_STACK), *collectors, *(metric.value for metric in HealthMetric)}


def test_alarms_when_they_are_of_lambda_or_a_queue_then_of_one_that_is_there(alarmed):
    """A metric without its function would be the whole account's."""
    for stack in (HOME_STACK, CONTROL):
        for name, each in alarms(alarmed, stack).items():
            if each["Namespace"].startswith("AWS/"):
                (dimension,) = each["Dimensions"]
                assert dimension["Value"].get("Ref") or dimension["Value"].get("Fn::GetAtt"), name


def test_alarms_when_the_manifest_names_a_topic_then_it_goes_before_the_contexts(new_project, synthesised):
    """Whose workflow it is says who is woken."""
    root = new_project("city_tour")
    manifest = root / "workflows" / "city_tour" / ".caribou" / "config.yml"
    manifest.write_text(manifest.read_text() + f"  alarm_topic: {topic_in(HOME)}-2\n")
    assembly = synthesised(root, placement="home", caribou__alarm_topic=topic_in(HOME))
    (composite,) = assembly.properties(HOME_STACK, COMPOSITE)
    assert composite["AlarmActions"] == [f"{topic_in(HOME)}-2"]


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        (topic_in(WEST), "caribou.alarm_topic: it is in us-west-2, and alarms are at home, in us-east-1"),
        ("on-call", "is not the ARN of an SNS topic"),
    ],
)
def test_topic_when_the_manifest_s_is_none_or_elsewhere_then_it_is_refused(new_project, synthesised, topic, said):
    """CloudFormation would make the alarm, and nobody would ever hear of it."""
    root = new_project("city_tour")
    manifest = root / "workflows" / "city_tour" / ".caribou" / "config.yml"
    manifest.write_text(manifest.read_text() + f"  alarm_topic: {topic}\n")
    with pytest.raises(InvalidManifestError, match=said):
        synthesised(root, placement="home")


def test_topic_when_the_context_has_none_of_a_stack_s_region_then_synth_warns_of_it(synthesised):
    """A person who named one believes that there are alarms."""
    assembly = synthesised(placement="home", caribou__alarm_topic=topic_in(CANADA))
    for stack in (HOME_STACK, CONTROL):
        assert assembly.properties(stack, COMPOSITE) == []
        assert any("has topics in ca-central-1 alone" in str(message) for message in assembly.messages(stack))


def test_expiry_when_a_placement_has_one_then_the_sweeper_knows_it(moved, home):
    """At home for ever: nothing expires."""
    variables = [
        next(
            each["Environment"]["Variables"]
            for each in assembly.properties(HOME_STACK, "AWS::Lambda::Function")
            if each["Handler"] == "caribou.runtime.sweeper.handle"
        ).get("CARIBOU_PLACEMENT_EXPIRES_AT")
        for assembly in (moved, home)
    ]
    assert variables == ["2026-01-08T00:00:00+00:00", None]


@pytest.fixture
def counted(moved, project):
    """`counted(**runner)`: play a run of the shared project; how often home's filter counts it as started."""
    (deployed,) = moved.properties(HOME_STACK, FILTER)
    ((node, attempt),) = re.findall(
        r'^{ \(\$\.caribou_record\.node = "(.+)"\) && \(\$\.caribou_record\.attempt = (\d+)\) }$',
        deployed["FilterPattern"],
    )
    workflow = read_workflow(project / "workflows" / "city_tour")

    def play(**said):
        runner = LocalRunner(workflow.graph, load_functions(workflow.folder, workflow.graph), **said)
        runner.run({"id": 1})
        lines = [
            record_line(r) for r in runner.records if (r.function, r.region) == (workflow.graph.entry.function, HOME)
        ]
        records = [json.loads(line)["caribou_record"] for line in lines]
        return sum(record["node"] == node and record["attempt"] == int(attempt) for record in records)

    return play


def test_starts_when_a_run_begins_then_it_is_counted_once(counted, solved, project, now):
    """At home, when its entry is placed elsewhere, and when messages come again."""
    del solved, project, now
    assert counted() == 1
    assert counted(disorder=Disorder(duplicates=1.0)) == 1


def test_starts_when_they_are_counted_then_in_the_log_of_home_s_entry_with_the_workflow_as_dimension(moved):
    """As the metrics that the sweeper sends; the record has the workflow's name."""
    (deployed,) = moved.properties(HOME_STACK, FILTER)
    (made,) = deployed["MetricTransformations"]
    assert (made["MetricNamespace"], made["MetricName"], made["MetricValue"]) == ("Caribou/dev", "RunStarted", "1")
    assert made["Dimensions"] == [{"Key": "Workflow", "Value": "$.caribou_record.workflow"}]
    (log,) = [
        key
        for key, each in moved.resources(HOME_STACK, "AWS::Logs::LogGroup").items()
        if each["Properties"].get("LogGroupName") == "/aws/lambda/caribou-dev-city_tour-start"
    ]
    assert deployed["LogGroupName"] == {"Ref": log}
