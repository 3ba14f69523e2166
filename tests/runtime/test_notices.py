"""What those outside hear of runs that failed or expired: an event each, whatever breaks on the way."""

import json
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import ANY, Stubber

from caribou.model.errors import UnreachableError
from caribou.model.health.metrics import HealthMetric
from caribou.model.health.run_event import detail_of
from caribou.model.run.envelope import Run
from caribou.model.run.item import Parked, RunItem, RunState
from caribou.runtime.clients import Clients
from caribou.runtime.signals import EventBridgeNotifier
from caribou.runtime.sweeping import ENDS_A_SWEEP, Sweeper
from caribou.runtime.testing.memory import InMemoryCloud

HOME = "us-east-1"
NOW_S, DEADLINE_S = 1.7e9, 1.7e9 + 3600
FAILED, EXPIRED, RUNNING, SUCCEEDED = RunState.FAILED, RunState.EXPIRED, RunState.RUNNING, RunState.SUCCEEDED


class Bus:
    """A bus that takes what it should: `fails` raises, of each call it leaves `left_out` out."""

    def __init__(self):
        self.ends, self.calls, self.fails, self.left_out = [], 0, False, 0

    def notify(self, ended):
        """Take some of them, or raise."""
        self.calls += 1
        if self.fails:
            raise UnreachableError("events of us-east-1")
        taken = tuple(ended)[self.left_out :]
        self.ends += taken
        return taken


@pytest.fixture
def world(graph_of, settings_of):
    """A cloud with a bus, runs that have ended, and its sweeper."""
    cloud = InMemoryCloud(NOW_S)
    cloud.notifier = bus = Bus()
    sweeper = Sweeper(settings_of(graph_of({"a": "b"}), function=""), cloud.ports(HOME))

    def ended(run_id, state=FAILED, at=NOW_S - 1, **said):
        run = Run(run_id, "0.0.1", "g", "p", {}, NOW_S - 60, DEADLINE_S)
        cloud.runs.items[run_id] = RunItem(run, frozenset("b"), state=state, ended_at=at, **said)
        cloud.runs._listed.add(run_id)

    return SimpleNamespace(cloud=cloud, bus=bus, sweeper=sweeper, sweep=sweeper.sweep, ended=ended)


def _park(cloud, run_id):
    cloud.parking.park(Parked(run_id, "b", 0, "{}", "reason"))


def _listed(cloud):
    return [item.run.run_id for item in cloud.runs.listed().items]


def test_notice_when_a_run_failed_or_expired_then_one_event_is_sent_of_each_and_counted(world):
    """What runs, or has ended well, is nobody's business."""
    for run_id, state in {"f": FAILED, "e": EXPIRED, "r": RUNNING, "s": SUCCEEDED}.items():
        world.ended(run_id, state)
    dids = [world.sweep().notified for _ in range(3)]
    assert sorted((item.run.run_id, item.state) for item in world.bus.ends) == [("e", EXPIRED), ("f", FAILED)]
    assert dids == [2, 0, 0]
    assert dict(world.cloud.metrics.values) == {HealthMetric.RUN_FAILED: 1, HealthMetric.RUN_EXPIRED: 1}


def test_notice_when_a_run_failed_then_it_leaves_the_list_when_it_is_parked_as_well(world):
    """Until then its regions' queues are looked into; afterwards nothing reads it any more."""
    world.ended("f")
    world.sweep()
    assert _listed(world.cloud) == ["f"]
    _park(world.cloud, "f")
    world.sweep()
    assert (_listed(world.cloud), len(world.bus.ends)) == ([], 1)


def test_notice_when_nothing_of_a_failed_run_is_ever_parked_then_it_leaves_the_list_at_its_deadline(world):
    """AWS has lost its message."""
    world.ended("f")
    world.sweep()
    world.cloud.clock.advance(3600)
    world.sweep()
    assert _listed(world.cloud) == []


def test_notice_when_the_bus_does_not_answer_then_the_sweep_goes_on_and_a_later_one_sends_it(world):
    """It is asked once a sweep: a dead bus costs one time limit, and is counted."""
    for number in range(25):
        world.ended(f"f{number}")
        _park(world.cloud, f"f{number}")
    world.ended("late", RUNNING, at=None)
    world.cloud.clock.advance(3600)
    world.bus.fails = True
    did = world.sweep()
    assert (did.notified, did.failed, did.expired, world.bus.calls) == (0, 1, 1, 1)
    assert "events of runs that ended badly" in did.problems[0]
    assert len(_listed(world.cloud)) == 26
    world.bus.fails = False
    assert (world.sweep().notified, _listed(world.cloud)) == (26, [])


def test_notice_when_the_bus_leaves_one_of_a_call_out_then_that_one_is_sent_again_and_no_other(world):
    """EventBridge answers for each entry by itself."""
    for number in range(3):
        world.ended(f"f{number}")
    world.bus.left_out = 1
    did = world.sweep()
    assert (did.notified, did.failed) == (0, 1)
    world.bus.left_out = 0
    world.sweep()
    assert sorted(item.run.run_id for item in world.bus.ends) == ["f0", "f1", "f2"]


def test_notice_when_who_sent_it_dies_before_it_is_noted_then_it_is_sent_again(world, monkeypatch):
    """At least once: a consumer knows it by run and time."""

    def dies(*_):
        raise KeyboardInterrupt

    world.ended("f")
    with monkeypatch.context() as patch:
        patch.setattr(world.cloud.runs, "notified", dies)
        with pytest.raises(KeyboardInterrupt):
            world.sweep()
    world.sweep()
    first, second = world.bus.ends
    assert (first.run.run_id, first.ended_at) == (second.run.run_id, second.ended_at)


def test_notice_when_a_redriven_run_fails_again_then_that_is_another_event(world):
    """Another end, at another time."""
    world.ended("f")
    _park(world.cloud, "f")
    world.sweep()
    world.cloud.runs.reopen("f", DEADLINE_S)
    world.cloud.runs.fail("f", NOW_S + 5, "b", "ValueError: so")
    world.sweep()
    assert [item.ended_at for item in world.bus.ends] == [NOW_S - 1, NOW_S + 5]


def test_notice_when_all_of_a_failed_run_ran_after_all_then_nobody_hears_that_it_failed(world):
    """It ends well in the same sweep."""
    world.ended("f", ended=frozenset("b"))
    world.sweep()
    assert (world.cloud.runs.items["f"].state, world.bus.ends) == (SUCCEEDED, [])


def test_notice_when_there_are_many_lost_runs_then_a_new_failure_has_its_turn(world):
    """What waits for a message that never comes is looked at last."""
    for number in range(ENDS_A_SWEEP):
        world.ended(f"lost{number}", at=NOW_S - 100, notified_end=NOW_S - 100)
    world.ended("new")
    assert world.sweep().notified == 1


def test_notice_when_a_run_says_no_time_of_its_end_then_none_is_sent_of_it_each_minute(world):
    """A function wrote it: what has no end can't be noted as notified."""
    world.ended("forged", at=None)
    world.ended("f")
    assert [world.sweep().notified for _ in range(2)] == [1, 0]


def test_event_when_an_error_has_a_text_then_its_type_alone_is_in_it():
    """Texts of errors stay in their region, and a function may have written anything as its node."""
    run = Run("run", "1" * 9000, "g", "p", {}, NOW_S, DEADLINE_S)
    item = RunItem(run, frozenset("b"), FAILED, ended_at=NOW_S, failed_node="b" * 9000, error="KeyError: 'secret'")
    detail = detail_of(item, "shop", "dev")
    assert detail == {
        "workflow": "shop",
        "stage": "dev",
        "version": "1" * 500,
        "run_id": "run",
        "node": "b" * 500,
        "error_type": "KeyError",
    }
    assert "secret" not in json.dumps(detail)
    expired = detail_of(replace(item, state=EXPIRED), "shop", "dev")
    assert (expired["node"], expired["error_type"]) == (None, None)


def test_notifier_when_the_bus_takes_some_entries_then_it_says_which(graph_of, settings_of):
    """One call for all, on the default bus, with the time at which each ended."""
    clients, client = Clients(boto3.Session("1", "2"), home_region=HOME), None
    client = clients.events(HOME)
    run = Run("run", "0.0.1", "g", "p", {}, NOW_S, DEADLINE_S)
    ends = [RunItem(replace(run, run_id=name), frozenset("b"), EXPIRED, ended_at=NOW_S + 0.5) for name in "xy"]
    entry = {"Source": "caribou", "DetailType": "Run expired", "Detail": ANY, "Time": ANY}
    with Stubber(client) as bus:
        answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}, {"EventId": "1"}]}
        bus.add_response("put_events", answer, {"Entries": [entry, entry]})
        taken = EventBridgeNotifier(clients, settings_of(graph_of({"a": "b"}), function="")).notify(ends)
    assert taken == (ends[1],)
