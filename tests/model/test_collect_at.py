"""When the collectors run, as a project says, and when it says nothing."""

import pytest

from caribou.collectors.bodies import KINDS
from caribou.model.errors import InvalidInputError
from caribou.model.project.collect_at import LOGS, SHORTEST, USUAL, collect_at


def expressions(context, *, live_carbon=False):
    """Collector to its expression."""
    return {name: own.expression for name, own in collect_at(context, "", live_carbon=live_carbon).items()}


def test_schedules_when_nothing_is_said_then_facts_come_each_day_and_logs_each_hour():
    """Of a live source, carbon each three hours: its hours are new."""
    assert set(USUAL) == {*KINDS, LOGS}
    assert expressions({}) == USUAL
    assert expressions({}, live_carbon=True) == {**USUAL, "carbon": "rate(3 hours)"}


@pytest.mark.parametrize("said", [{"carbon": "cron(10 * * * ? *)"}, '{"carbon": "cron(10 * * * ? *)"}'], ids=type)
def test_schedules_when_one_is_said_then_it_is_that_one_and_the_others_stay(said):
    """An object of `cdk.json`, or its text, as `-c` gives it."""
    assert expressions({"caribou:collect_at": said}) == {**USUAL, "carbon": "cron(10 * * * ? *)"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("hourly", "caribou:collect_at: is no object of schedules"),
        (["rate(1 day)"], "caribou:collect_at: is no object of schedules"),
        ({"carbn": "rate(1 day)"}, "caribou:collect_at: is no collector .*carbn.*perhaps carbon is meant"),
        ({"all": "rate(1 day)"}, "use one of carbon, provider, performance, workflow"),
        ({"carbon": 6}, "caribou:collect_at.carbon: is no text"),
        ({"carbon": "daily"}, "caribou:collect_at.carbon: is no schedule expression"),
        ({"carbon": "rate(1 minute)"}, "comes again after a minute"),
        ({"carbon": "cron(0,10 5 * * ? *)"}, "comes again after 10 minutes, and a collector may take 15"),
        ({"carbon": "rate(8 days)"}, "caribou:collect_at.carbon: leaves more than 7 days between two runs"),
        ({"provider": "rate(91 days)"}, "caribou:collect_at.provider: leaves more than 90 days"),
        ({"workflow": "rate(4 days)"}, "caribou:collect_at.workflow: leaves more than three days"),
    ],
)
def test_schedules_when_one_is_wrong_then_the_message_says_which(value, said):
    """Which collector, what was found, what to write."""
    with pytest.raises(InvalidInputError, match=said):
        expressions({"caribou:collect_at": value})


def test_schedules_when_they_are_as_close_as_can_be_then_they_are_taken():
    """Fifteen minutes, and three days over a weekend."""
    said = {"carbon": f"rate({SHORTEST.seconds // 60} minutes)", "workflow": "cron(0 5 ? * MON-FRI *)"}
    assert expressions({"caribou:collect_at": said}) == {**USUAL, **said}
