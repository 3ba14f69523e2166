"""Going on with a run that failed, as an operator asks for it: the sweeper's answers, from a workflow in memory."""

import io
import json
from types import SimpleNamespace

import pytest
from builders import graph_of

from caribou.control.runs.cancel import cancel
from caribou.control.runs.redrive import redrive
from caribou.control.runs.sweeper import SweeperFunction
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.placement import Placement
from caribou.model.run.order import CancelAnswer, CancelOrder, RedriveAnswer, RedriveOrder, Refusal, Sent, parse_order
from caribou.runtime import CaribouWorkflow
from caribou.runtime.placement import new_run
from caribou.runtime.redriving import Redriver
from caribou.runtime.sweeping import Sweeper
from caribou.runtime.testing import LocalRunner, RunState

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
        return redrive(Redriver(self.sweeper), run_id, sleep=lambda _: None, **options)


@pytest.fixture
def world():
    """A world in which everything waits."""
    return World()


def test_redrive_when_a_run_failed_then_what_it_stopped_at_is_sent_and_it_succeeds(world):
    """Mended, it goes on at the node that failed, and nothing before that runs again."""
    assert world.runner.run("x").state is RunState.FAILED
    world.broken = False
    assert [sent.node for sent in world.redrive().sent] == ["b"]
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

    assert [sent.node for sent in redrive(Redriver(world.sweeper), "run", sleep=sleep).sent] == ["b"]
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
    assert [sent.node for sent in world.redrive().sent] == ["b"]


class Functions:
    """Lambda, as far as a redrive needs it: one function, which answers so."""

    def __init__(self, body, **fields):
        self.events, self._body, self._fields = [], body, fields

    def functions(self, region):
        """The region's Lambda."""
        assert region == HOME
        return SimpleNamespace(invoke=self._invoke)

    def _invoke(self, FunctionName, Payload):  # noqa: N803 - boto3's
        assert FunctionName == "f"
        self.events.append(json.loads(Payload))
        return {"Payload": io.BytesIO(self._body.encode()), **self._fields}


def ordered(functions):
    """What becomes of an order to a deployed sweeper."""
    return SweeperFunction(functions, "flow", HOME, "f").carry_out(RedriveOrder("run"))


def test_sweeper_when_it_answers_then_that_is_what_became_of_the_order():
    """The order is the event, and the answer what it returns."""
    answer = RedriveAnswer(sent=(Sent("b", "ValueError: so"),))
    functions = Functions(json.dumps(answer.to_json()))
    assert ordered(functions) == answer
    assert [parse_order(event) for event in functions.events] == [RedriveOrder("run")]


@pytest.mark.parametrize("body", ['{"resent": 0, "parked": 0}', "null", "no JSON"])
def test_sweeper_when_it_is_of_an_older_version_then_one_message_says_how_to_go_on(body):
    """It swept, as on its schedule, and did not look at the order."""
    with pytest.raises(OperationFailedError, match=r"older version of Caribou.*caribou deploy flow"):
        ordered(Functions(body))


def test_sweeper_when_it_raises_then_its_error_is_said():
    """An order that it does not read, or anything else."""
    body = '{"errorType": "InvalidOrderError", "errorMessage": "takes no orders"}'
    with pytest.raises(OperationFailedError, match=r"takes no orders.*caribou deploy flow"):
        ordered(Functions(body, FunctionError="Unhandled"))


class Ordered:
    """A sweeper that answers an order to cancel so."""

    def __init__(self, **fields):
        self.answer = CancelAnswer(**fields)

    def cancel(self, order):
        """The answer."""
        assert order == CancelOrder("run")
        return self.answer


def test_cancel_when_a_region_did_not_answer_then_the_answer_says_so():
    """The run is cancelled all the same."""
    assert cancel(Ordered(problems=("us-west-2: silent",)), "run").problems == ("us-west-2: silent",)


@pytest.mark.parametrize(
    ("fields", "error", "code", "said"),
    [
        ({"refusal": Refusal("it has ended: SUCCEEDED", "see")}, InvalidInputError, 2, "it has ended: SUCCEEDED"),
        ({"failure": "us-east-1 is silent"}, OperationFailedError, 1, "us-east-1 is silent"),
    ],
)
def test_cancel_when_it_is_refused_or_fails_then_one_message_says_why(fields, error, code, said):
    """A run that has ended is a mistake, a home that does not answer is not."""
    with pytest.raises(error, match=said) as raised:
        cancel(Ordered(**fields), "run")
    assert raised.value.exit_code == code


def test_cancel_when_the_sweeper_is_deployed_then_the_order_is_its_event_and_an_old_one_is_said():
    """What it returns is read whole, or it is another version's."""
    answer = CancelAnswer(problems=("p",))
    functions = Functions(json.dumps(answer.to_json()))
    assert SweeperFunction(functions, "flow", HOME, "f").cancel(CancelOrder("run")) == answer
    assert [parse_order(event) for event in functions.events] == [CancelOrder("run")]
    for body in ('{"resent": 0}', json.dumps({**answer.to_json(), "problems": 3})):
        with pytest.raises(OperationFailedError, match=r"older version of Caribou"):
            SweeperFunction(Functions(body), "flow", HOME, "f").cancel(CancelOrder("run"))


def test_redrive_when_a_run_is_to_come_home_and_something_is_under_way_then_it_says_to_give_the_order_again():
    """What may still come in is named."""
    with pytest.raises(InvalidInputError, match=r"halted.*b may be under way still.*redrive run --home"):
        redrive(Answering(problems=("b may be under way still",)), "run", home=True, sleep=lambda _: None)


class Answering:
    """A sweeper that answers so, to an order to bring a run home."""

    def __init__(self, **fields):
        self._answer = RedriveAnswer(**fields)

    def carry_out(self, order):
        """The answer; what the order says is read back as it was."""
        assert parse_order(order.to_json()) == order == RedriveOrder("run", home=True)
        return self._answer
