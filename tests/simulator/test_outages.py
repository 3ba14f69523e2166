"""An hour without a region, minute by minute: what waits, what goes on, what expires, and what piles up."""

import pytest
from hours import MINUTE_S, WIDTH, Hours, Outage
from refusals import REFUSES_US, Refusal
from simulated import AWAY, HOME

from caribou.model.run.item import RunState

SUCCEEDED, FAILED, EXPIRED = RunState.SUCCEEDED, RunState.FAILED, RunState.EXPIRED
FLAPPING = (Refusal.SILENT, Refusal.BROKEN, None, Refusal.CREDENTIALS, None)


def _all_end_well(hours):
    """What did not succeed is redriven, and does then."""
    world = hours.world
    world.invariants.at_the_end()
    for run_id in hours.begun:
        if world.state(run_id) is not SUCCEEDED:
            world.advance(world.redrive(run_id))
    world.settle()
    world.invariants.at_the_end()
    assert {world.state(run_id) for run_id in hours.begun} == {SUCCEEDED}


@pytest.mark.parametrize(
    ("answers", "is_dark", "every"),
    [
        *(((refusal,), False, 12) for refusal in Refusal),
        ((Refusal.SILENT,), True, 4),
        (FLAPPING, False, 4),
        pytest.param((Refusal.SILENT,), False, 1, marks=pytest.mark.slow),
        pytest.param(FLAPPING, True, 1, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_region_when_it_is_gone_for_an_hour_then_its_runs_wait_and_all_others_go_on(answers, is_dark, every):
    """None is lost or failed, none of another region waits for more than one sweep, and nothing piles up."""
    hours = Hours(Outage(AWAY, answers, is_dark), every=every).pass_by()
    assert hours.states("touched") == hours.states("elsewhere") == {SUCCEEDED: -(-80 // every)}
    assert max(hours.delays_s("elsewhere")) <= MINUTE_S
    assert hours.most_alive <= WIDTH
    assert max(hours.resent) <= WIDTH * len(hours.begun)
    _all_end_well(hours)


def test_region_when_it_is_gone_past_deadlines_then_overdue_runs_expire_meanwhile_and_can_be_redriven():
    """At their deadline, and not when the region is back: one sweep later at most."""
    hours = Hours(Outage(AWAY, (Refusal.SILENT,)), deadline_s=20 * MINUTE_S, every=4).pass_by()
    late = [run_id for run_id in hours.begun if hours.world.state(run_id) is EXPIRED]
    assert len(late) > 8
    assert all(run_id.startswith("touched") for run_id in late)
    assert all(hours.ends[run_id] - hours.begun[run_id] <= 21 * MINUTE_S for run_id in late)
    assert hours.states("elsewhere") == {SUCCEEDED: 20}
    _all_end_well(hours)


def test_region_when_it_is_gone_for_longer_than_lambda_keeps_an_event_then_it_is_sent_again():
    """Eight hours: what waited in the region's own Lambda is given up, lies in its failure queue, and goes on."""
    outage = Outage(AWAY, (Refusal.SILENT,), is_dark=True)
    hours = Hours(outage, before=1, during=480, every=80, is_interrupted=True).pass_by()
    assert [(event.region, error) for event, error in hours.world.given_up if event.region == AWAY] == [(AWAY, None)]
    assert hours.states("touched") == hours.states("elsewhere") == {SUCCEEDED: 7}
    _all_end_well(hours)


@pytest.mark.parametrize("refusal", [refusal for refusal in Refusal if refusal not in REFUSES_US])
@pytest.mark.parametrize("is_dark", [False, True])
def test_home_when_it_is_gone_for_an_hour_then_open_runs_wait_for_it_and_none_fails(refusal, is_dark):
    """Nothing begins, ends or is swept without home. What was accepted goes on when it is back, and succeeds."""
    hours = Hours(Outage(HOME, (refusal,), is_dark), every=2, before=11, after=11, is_interrupted=True).pass_by()
    assert any(end >= hours.back_s for end in hours.ends.values())
    assert hours.states("touched") == hours.states("elsewhere") == {SUCCEEDED: 11}
    assert hours.most_alive <= WIDTH
    _all_end_well(hours)


@pytest.mark.parametrize("refusal", sorted(REFUSES_US, key=str))
def test_home_when_it_refuses_us_for_an_hour_then_what_it_hits_fails_and_can_be_redriven(refusal):
    """A policy that shuts home, say: no later try would mend it, so people must see it."""
    hours = Hours(Outage(HOME, (refusal,)), every=2, before=11, after=11, is_interrupted=True).pass_by()
    assert hours.states("touched")[FAILED] > 0
    _all_end_well(hours)
