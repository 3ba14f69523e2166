"""Schedule expressions: which ones EventBridge Scheduler takes, and how far apart their runs are."""

from datetime import timedelta

import pytest

from caribou.model.errors import InvalidInputError
from caribou.model.schedule import old_after_h, parse_schedule

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "shortest", "longest"),
    [
        ("rate(1 minute)", MINUTE, MINUTE),
        ("rate(6 hours)", 6 * HOUR, 6 * HOUR),
        ("rate(7 days)", 7 * DAY, 7 * DAY),
        ("cron(10 * * * ? *)", HOUR, HOUR),
        ("cron(10  *  *  *  ?  *)", HOUR, HOUR),
        ("cron(0/15 * ? * * *)", 15 * MINUTE, 15 * MINUTE),
        ("cron(0 6,18 * * ? *)", 12 * HOUR, 12 * HOUR),
        ("cron(30 1-5/2 * * ? *)", 2 * HOUR, 20 * HOUR),
        ("cron(0 5 ? * MON-FRI *)", DAY, 3 * DAY),
        ("cron(0 5 ? * 2-6 *)", DAY, 3 * DAY),
        ("cron(0 5 ? * L *)", 7 * DAY, 7 * DAY),
        ("cron(0 5 ? * 6L *)", 28 * DAY, 35 * DAY),
        ("cron(0 5 ? * MON#1 *)", 28 * DAY, 35 * DAY),
        ("cron(0 5 1 * ? *)", 28 * DAY, 31 * DAY),
        ("cron(0 5 31 * ? *)", 31 * DAY, 61 * DAY),
        ("cron(0 5 L * ? *)", 28 * DAY, 31 * DAY),
        ("cron(0 5 15W * ? *)", 28 * DAY, 32 * DAY),
        ("cron(0 5 1 JAN,JUL ? *)", 181 * DAY, 184 * DAY),
        ("cron(0 5 29 2 ? *)", 1461 * DAY, 1461 * DAY),
    ],
)
def test_schedule_when_it_is_one_then_its_gaps_are_known(text, shortest, longest):
    """From the shortest month to the longest, over weekends."""
    schedule = parse_schedule(text, "here")
    assert (schedule.expression, schedule.shortest, schedule.longest) == (text, shortest, longest)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no schedule expression"),
        ("hourly", "is no schedule expression"),
        ("rate(0 hours)", "is no schedule expression"),
        ("rate(1.5 hours)", "is no schedule expression"),
        ("rate(2 weeks)", "is no schedule expression"),
        ("rate(99999999999 days)", "is no schedule expression"),
        ("at(2026-01-01T00:00:00)", "runs once"),
        ("cron(0 * * * *)", "has 5 fields, not 6"),
        ("cron(10 * * * * *)", "has not ? as one of"),
        ("cron(10 * ? * ? *)", "has not ? as one of"),
        ("cron(60 * * * ? *)", "has 60 as its minutes: 0 to 59"),
        ("cron(0 24 * * ? *)", "has 24 as its hours"),
        ("cron(0 5 0 * ? *)", "has 0 as its day of the month"),
        ("cron(0 5 1 13 ? *)", "has 13 as its month: 1 to 12, or JAN to DEC"),
        ("cron(0 5 ? * 0 *)", "has 0 as its day of the week: 1 to 7, or SUN to SAT"),
        ("cron(0 5 ? * mon *)", "has mon as its day of the week"),
        ("cron(0 5 ? * FRI-MON *)", "goes backwards"),
        ("cron(0 5 ? * MON/2 *)", "takes no steps"),
        ("cron(0 5 ? * 2#6 *)", "has 6 as its week of the month"),
        ("cron(*/0 * * * ? *)", "as its minutes"),
        ("cron(, * * * ? *)", "has nothing as its minutes"),
        ("cron(0 5 31 2 ? *)", "never comes"),
        ("cron(0 5 * * ? 2027)", "ends: its year is 2027"),
        ("cron(٣ 5 * * ? *)", "as its minutes"),
    ],
)
def test_schedule_when_it_is_none_then_the_error_says_why_and_shows_two(text, said):
    """Where it stands, what was found, and that hours are UTC's."""
    with pytest.raises(InvalidInputError) as caught:
        parse_schedule(text, "cdk.json: context caribou:collect_at.carbon")
    message = str(caught.value)
    assert said in message
    assert message.startswith("cdk.json: context caribou:collect_at.carbon: ")
    assert "rate(6 hours)" in message
    assert "UTC" in message


@pytest.mark.parametrize(("every_h", "old"), [(0.25, 6.25), (1, 7), (6, 12), (24, 48), (168, 192)])
def test_age_when_a_schedule_is_rare_then_older_is_not_yet_old(every_h, old):
    """One run may be missed; what comes each week is not old after two days."""
    assert old_after_h(every_h) == old
