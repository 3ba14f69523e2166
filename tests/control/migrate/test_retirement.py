"""The decision whether a region's stack may go."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caribou.collectors.log_collection import LATE_S
from caribou.control.deploy.steps import Action
from caribou.control.migrate.retirement import HomeFacts, RegionStackFacts, Rules, decide
from caribou.control.runs.run_table import RunUse
from caribou.model.placement import ALL_HOURS, Placement, Plan
from caribou.model.run.item import RunState
from caribou.model.template_contract import MAX_EVENT_AGE_S

HOME, WEST = "us-east-1", "us-west-2"
FLIP_S = 1_000_000.0
RULES = Rules(wait_s=100.0, late_s=10.0)
LATER_S = FLIP_S + 200.0


def home_facts(**changes):
    """Home, at which everything has been since the flip."""
    plan = Plan(ALL_HOURS, {"a": HOME})
    facts = HomeFacts(Placement("w", "1", HOME, (plan,)), FLIP_S, "UPDATE_COMPLETE", is_settled=True)
    return replace(facts, **changes)


def region_facts(**changes):
    """A region in which nothing is left, long after the flip."""
    facts = RegionStackFacts(
        WEST, FLIP_S - 500, "CREATE_COMPLETE", is_busy=False, messages=0, log_groups=1, read_to_s=LATER_S
    )
    return replace(facts, **changes)


def decided(home=None, region=None, uses=(), now_s=LATER_S, rules=RULES):
    """The decision, all conditions being met but for what is given."""
    return decide(home or home_facts(), region or region_facts(), uses, now_s, rules)


def run(state="RUNNING", regions=(WEST,), deadline=LATER_S + 1000, ended_at=None):
    """A run whose map names regions."""
    return RunUse("r1", RunState(state), frozenset(regions), deadline, ended_at)


def test_region_when_every_condition_holds_then_it_is_retired():
    """Nothing uses it: it may go."""
    assert decided().action is Action.RETIRE


def test_region_when_the_placement_uses_it_in_one_hour_then_it_stays():
    """One hour of the day is enough."""
    plans = (Plan(ALL_HOURS[:23], {"a": HOME}), Plan(ALL_HOURS[23:], {"a": WEST}))
    decision = decided(home=home_facts(placement=Placement("w", "1", HOME, plans)))
    assert decision.action is Action.KEEP


def test_home_region_when_no_node_is_placed_there_then_it_stays():
    """Home is never retired, wherever the nodes are."""
    placement = Placement("w", "1", HOME, (Plan(ALL_HOURS, {"a": WEST}),))
    assert decided(home_facts(placement=placement), region_facts(region=HOME)).action is Action.KEEP


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"region": region_facts(messages=1)}, "1 message in its failure queues"),
        ({"region": region_facts(redrivable=("r1", "r2"))}, "2 failed runs can be redriven with what rests there"),
        ({"region": region_facts(read_to_s=None)}, "never read"),
        ({"region": region_facts(read_to_s=FLIP_S + 105)}, "logs were read until"),
        ({"region": region_facts(is_busy=True, status="UPDATE_IN_PROGRESS")}, "being worked on: UPDATE_IN_PROGRESS"),
        ({"region": region_facts(changed_s=LATER_S)}, "retries may come"),
        ({"home": home_facts(is_settled=False, status="UPDATE_IN_PROGRESS")}, "not settled: UPDATE_IN_PROGRESS"),
        ({"uses": [run()]}, "1 open run may still come to it, such as r1"),
        ({"uses": [run("FAILED", ended_at=LATER_S - 50)]}, "retries may come"),
        ({"uses": [run(deadline=LATER_S - 50)]}, "retries may come"),
        ({"uses": [run("SUCCEEDED", ended_at=LATER_S - 5)]}, "logs were read until"),
        ({"now_s": FLIP_S + 99}, "retries may come"),
    ],
)
def test_region_when_one_condition_fails_then_it_waits_and_says_why(changes, reason):
    """Each condition alone holds it back, and is the only reason given."""
    decision = decided(**changes)
    assert decision.action is Action.WAIT
    assert reason in decision.reasons[0]


def test_region_when_several_conditions_fail_then_all_are_listed():
    """An operator sees everything at once."""
    assert len(decided(region=region_facts(messages=2, read_to_s=None), uses=[run()]).reasons) == 3


@pytest.mark.parametrize(
    "use",
    [
        run(regions=("ca-central-1",)),
        run("SUCCEEDED", ended_at=FLIP_S - 1),
        run("SUCCEEDED", ended_at=LATER_S - 10),
        run("FAILED", ended_at=FLIP_S),
        run(deadline=FLIP_S),
    ],
)
def test_region_when_runs_do_not_concern_it_any_more_then_it_is_retired(use):
    """Runs elsewhere, and runs that ended long enough ago, hold nothing back."""
    assert decided(uses=[use]).action is Action.RETIRE


def test_region_when_it_has_no_log_groups_then_no_logs_are_waited_for():
    """A stack without functions logs nothing."""
    assert decided(region=region_facts(log_groups=0, read_to_s=None)).action is Action.RETIRE


def test_rules_when_nothing_is_said_then_the_longest_timeout_and_event_age_are_waited_for():
    """The wait is what Lambda may take to give an event up, and logs come late."""
    assert Rules.of(30.0) == Rules(30.0 + MAX_EVENT_AGE_S, LATE_S)


def test_rules_when_the_wait_is_zero_then_late_logs_are_not_waited_for():
    """In tests nothing is late."""
    assert Rules.of(30.0, 0.0) == Rules(0.0, 0.0)


@given(
    state=st.sampled_from(["RUNNING", "SUCCEEDED", "FAILED", "EXPIRED"]),
    deadline=st.floats(FLIP_S, FLIP_S + 2000),
    now_s=st.floats(FLIP_S, FLIP_S + 3000),
    messages=st.integers(0, 2),
)
def test_region_when_a_run_may_still_come_or_a_message_waits_then_it_is_never_retired(state, deadline, now_s, messages):
    """Whatever the times, an open run and a message in a failure queue keep a region alive."""
    use = run(state, deadline=deadline, ended_at=None if state == "RUNNING" else FLIP_S)
    decision = decided(region=region_facts(messages=messages, read_to_s=now_s), uses=[use], now_s=now_s)
    if messages or (state == "RUNNING" and now_s < deadline):
        assert decision.action is Action.WAIT
