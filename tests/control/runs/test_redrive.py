"""Going on with a run that failed, by the sweeper's own code, in memory."""

import pytest
from builders import graph_of

from caribou.control.runs.redrive import redrive
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.placement import Placement
from caribou.model.run.item import Parked
from caribou.model.run_settings import RunSettings
from caribou.runtime import CaribouWorkflow
from caribou.runtime.placement import new_run
from caribou.runtime.settings import Settings
from caribou.runtime.sweeping import Sweeper
from caribou.runtime.testing import InMemoryCloud, LocalRunner, RunState

HOME = "us-east-1"
GRAPH = graph_of({"a": "b"})


class World:
    """A workflow of two functions, the second of which fails while it is broken."""

    def __init__(self):
        self.broken = True
        workflow = CaribouWorkflow("flow", "0.0.1")

        @workflow.serverless_function(name="b")
        def last(_):
            if self.broken:
                raise ValueError("broken")

        @workflow.serverless_function(name="a")
        def first(payload):
            workflow.invoke_serverless_function(last, payload)

        self.runner = LocalRunner(GRAPH, {"a": first, "b": last})
        self.cloud = self.runner.cloud
        self.sweeper = Sweeper(self.runner.runner("a", HOME).settings, self.cloud.ports(HOME))

    def redrive(self, run_id="run", **options):
        """Redrive without waiting."""
        return redrive(self.sweeper, run_id, sleep=lambda _: None, **options)


@pytest.fixture
def world():
    """A world in which everything waits."""
    return World()


def test_redrive_when_a_run_failed_then_what_it_stopped_at_is_sent_and_it_succeeds(world):
    """Mended, it goes on at the node that failed, and nothing before that runs again."""
    assert world.runner.run("x").state is RunState.FAILED
    world.broken = False
    assert [sent.node for sent in world.redrive()] == ["b"]
    world.runner.deliver_all()
    result = world.runner.result("run")
    assert result.state is RunState.SUCCEEDED
    assert [record.node for record in result.records if record.error is None] == ["a", "b"]


def test_redrive_when_the_message_comes_to_the_queue_late_then_it_is_waited_for(world):
    """A run fails a moment before Lambda has put its message away."""
    world.runner.run("x")
    late = world.cloud.failures.events
    for event in late:
        world.cloud.failures.delete(event)
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 2:
            for event in late:
                world.cloud.failures.put(event)

    assert [sent.node for sent in redrive(world.sweeper, "run", sleep=sleep)] == ["b"]
    assert len(waited) == 2


def test_redrive_when_nothing_is_parked_then_it_says_to_try_again(world):
    """Nothing is sent, and the run stays as it is."""
    world.runner.run("x")
    for event in world.cloud.failures.events:
        world.cloud.failures.delete(event)
    with pytest.raises(InvalidInputError, match="nothing of it is parked"):
        world.redrive()
    assert world.runner.result("run").state is RunState.FAILED


def test_redrive_when_the_run_is_not_known_then_it_is_a_mistake(world):
    """No run item."""
    with pytest.raises(InvalidInputError, match="no such run"):
        world.redrive("nobody")


@pytest.mark.parametrize("ended", [True, False])
def test_redrive_when_the_run_has_not_failed_then_it_is_a_mistake(world, ended):
    """One that succeeded, and one that still runs."""
    world.broken = False
    if ended:
        world.runner.run("x")
    else:
        home = Placement.at_home(GRAPH, HOME)
        run = new_run("run", world.cloud.clock.now(), home, world.sweeper.settings)
        world.cloud.runs.begin(run, frozenset(GRAPH.leaves))
    with pytest.raises(InvalidInputError, match="only a run that failed or expired"):
        world.redrive()


def test_redrive_when_aws_takes_no_message_then_it_stays_parked(world):
    """Nothing is lost: it can be done again."""
    world.runner.run("x")
    world.sweeper.sweep()
    world.cloud.unreachable.add(HOME)
    with pytest.raises(OperationFailedError, match="stays parked"):
        world.redrive()
    world.cloud.unreachable.clear()
    world.broken = False
    assert [sent.node for sent in world.redrive()] == ["b"]


def test_redrive_when_what_a_sync_node_needs_is_gone_then_nothing_is_sent_and_it_says_so():
    """Its region was retired and deployed again, say: it would run on nothing, and succeed."""
    graph = graph_of({"a": "b c", "b": "s", "c": "s"}, sync="s")
    cloud = InMemoryCloud()
    settings = Settings(graph, "", HOME, HOME, "test", RunSettings())
    run = new_run("run", cloud.clock.now(), Placement.at_home(graph, HOME), settings)
    cloud.runs.begin(run, frozenset(graph.leaves))
    cloud.runs.fail("run", cloud.clock.now(), "s", "ValueError")
    cloud.syncs.report(HOME, "run", "s", "b#0", taken=True)
    cloud.parking.park(Parked("run", "s", 0, "{}", "ValueError"))
    with pytest.raises(InvalidInputError, match=r"gone from us-east-1.*1 of 2 reports"):
        redrive(Sweeper(settings, cloud.ports(HOME)), "run")
    assert cloud.bus.take() == ()
    assert cloud.runs.items["run"].state is RunState.FAILED
