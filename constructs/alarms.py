"""Alarms: a few, each of which says one thing, and a composite one, which alone notifies somebody.

They are made where a topic is named, since an alarm costs money and wakes a person. What each means, and what to do, is
in docs/alarms.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from caribou.model.health.metrics import WORKFLOW_DIMENSION, HealthMetric, namespace
from caribou.model.names import WorkflowNames

EXPIRES_SOON_H, FELL_BACK_H = 24, 6
"""The placement's hours that are left, and the hours of a day in which a chosen source gave nothing, at which somebody
is notified."""
QUEUE_AGE_S = 900
"""The sweeper looks into the entry's failure queue each minute: what lies there for longer, nobody has looked at.

SQS leaves a message out of this age once it was received three times: of what the sweeper leaves, `LeftInQueue` is.
"""
_TIMES_IN_SIGHT = 3
"""What is sent each hour comes a little early or late, so now and then an hour has none of it: that is not well yet."""
_MINUTE, _FIVE, _HOUR, _DAY = Duration.minutes(1), Duration.minutes(5), Duration.hours(1), Duration.days(1)
_WEEK_H = 7 * 24
_AT_LEAST, _BELOW = (
    cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
)


@dataclass(frozen=True)
class AlarmProps:
    """What decides an alarm: a metric against a threshold, in `breaches` of the last `periods` of the metric.

    `is_silence_bad`: that no data comes is what the alarm is for.
    """

    metric: cloudwatch.IMetric
    threshold: float
    says: str
    compares: cloudwatch.ComparisonOperator = _AT_LEAST
    periods: int = 1
    breaches: int = 1
    is_silence_bad: bool = False


class Alarms(Construct):
    """Alarms by what each is of, and the composite one over them, which notifies the topic when the first goes off.

    Their names are fixed, since they are what a person reads in the message: `<prefix>/<what>`, the composite's is the
    prefix. No workflow has a `/` in its name.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, prefix: str, topic: str, each: Mapping[str, AlarmProps]
    ) -> None:
        super().__init__(scope, construct_id)
        self.alarms = {what: self._alarm(what, f"{prefix}/{what}", props) for what, props in each.items()}
        self.composite = cloudwatch.CompositeAlarm(
            self,
            "Any",
            composite_alarm_name=prefix,
            alarm_rule=cloudwatch.AlarmRule.any_of(
                *(cloudwatch.AlarmRule.from_alarm(alarm, cloudwatch.AlarmState.ALARM) for alarm in self.alarms.values())
            ),
            alarm_description="One of the alarms whose names begin like this one's is on: see docs/alarms.md",
        )
        self.composite.add_alarm_action(actions.SnsAction(sns.Topic.from_topic_arn(self, "Topic", topic)))

    def _alarm(self, what: str, name: str, props: AlarmProps) -> cloudwatch.Alarm:
        missing = cloudwatch.TreatMissingData
        return cloudwatch.Alarm(
            self,
            what,
            alarm_name=name,
            alarm_description=props.says,
            metric=props.metric,
            threshold=props.threshold,
            comparison_operator=props.compares,
            evaluation_periods=props.periods,
            datapoints_to_alarm=props.breaches,
            treat_missing_data=missing.BREACHING if props.is_silence_bad else missing.NOT_BREACHING,
        )


def workflow_alarms(
    names: WorkflowNames, *, sweeper: lambda_.IFunction, entry_failures: sqs.IQueue
) -> dict[str, AlarmProps]:
    """The alarms of a workflow, at home."""

    def ours(metric: HealthMetric, statistic: str, period: Duration) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace(names.stage),
            metric_name=metric.value,
            dimensions_map={WORKFLOW_DIMENSION: names.workflow},
            statistic=statistic,
            period=period,
        )

    def any_of(metric: HealthMetric, says: str) -> AlarmProps:
        return AlarmProps(ours(metric, "Sum", _FIVE), 1, says)

    return {
        HealthMetric.RUN_FAILED.value: any_of(HealthMetric.RUN_FAILED, "A run failed: see `caribou runs`"),
        HealthMetric.RUN_EXPIRED.value: any_of(HealthMetric.RUN_EXPIRED, "A run did not end before its deadline"),
        HealthMetric.PARKED.value: any_of(HealthMetric.PARKED, "A message was parked, and waits for a redrive"),
        HealthMetric.LEFT.value: AlarmProps(
            ours(HealthMetric.LEFT, "Sum", _HOUR),
            1,
            "An event in a failure queue needs a person",
            periods=_TIMES_IN_SIGHT,
        ),
        HealthMetric.SWEEP_FAILED.value: AlarmProps(
            ours(HealthMetric.SWEEP_FAILED, "Sum", _MINUTE),
            1,
            "Sweeps meet errors: a region that does not answer, say",
            periods=5,
            breaches=3,
        ),
        HealthMetric.PLACEMENT_EXPIRES.value: AlarmProps(
            ours(HealthMetric.PLACEMENT_EXPIRES, "Minimum", _FIVE),
            EXPIRES_SOON_H,
            "The placement expires within a day, or has: runs stay home then",
            compares=_BELOW,
        ),
        "SweeperErrors": AlarmProps(
            sweeper.metric_errors(statistic="Sum", period=_MINUTE),
            1,
            "The sweeper itself fails: nothing is sent again, and no run expires",
            periods=5,
            breaches=3,
        ),
        "SweeperMissing": AlarmProps(
            sweeper.metric_invocations(statistic="Sum", period=_FIVE),
            1,
            "The sweeper, which runs each minute, does not run",
            compares=_BELOW,
            periods=2,
            breaches=2,
            is_silence_bad=True,
        ),
        "FailureQueueAge": AlarmProps(
            entry_failures.metric_approximate_age_of_oldest_message(statistic="Maximum", period=_FIVE),
            QUEUE_AGE_S,
            "Events lie in the entry's failure queue, and no sweep looks at them",
        ),
    }


def control_plane_alarms(
    stage: str, collectors: Mapping[str, lambda_.IFunction], watcher: str, every: timedelta
) -> dict[str, AlarmProps]:
    """The alarms of the control plane; `watcher` names the collector whose silence is bad, which runs so often."""
    period, periods = _in_sight(every)

    def ours(metric: HealthMetric, statistic: str, period: Duration) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace(stage), metric_name=metric.value, statistic=statistic, period=period
        )

    errors = {
        f"{name.capitalize()}CollectorErrors": AlarmProps(
            function.metric_errors(statistic="Sum", period=_HOUR), 1, f"The collector of {name} failed"
        )
        for name, function in collectors.items()
    }
    return {
        **errors,
        f"{watcher.capitalize()}CollectorMissing": AlarmProps(
            collectors[watcher].metric_invocations(statistic="Sum", period=period),
            1,
            f"The collector of {watcher} does not run when it should",
            compares=_BELOW,
            periods=periods,
            breaches=periods,
            is_silence_bad=True,
        ),
        HealthMetric.DATA_AGE.value: AlarmProps(
            ours(HealthMetric.DATA_AGE, "Maximum", period),
            1,
            "What placements are solved from is older than its schedule lets it be",
            periods=periods,
        ),
        HealthMetric.SOURCE_FELL_BACK.value: AlarmProps(
            ours(HealthMetric.SOURCE_FELL_BACK, "Sum", _DAY),
            FELL_BACK_H,
            "A chosen source gives nothing: facts come from a later one",
        ),
    }


def _in_sight(every: timedelta) -> tuple[Duration, int]:
    """Period and number of periods for what happens every so often: as long as that, in hours; three, if in seven days.

    CloudWatch looks back no farther (PutMetricAlarm, `Period`).
    """
    hours = ceil(every / timedelta(hours=1))
    return Duration.hours(hours), min(_TIMES_IN_SIGHT, _WEEK_H // hours)
