"""What the tools say while a region, home or the control region is silent or out of order: they answer, in time."""

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from builders import graph_of

from caribou.cli import session as sessions
from caribou.collectors.logs import InMemoryLogReader
from caribou.collectors.registrations import Registration
from caribou.control import inventory as listing
from caribou.control.aws import Aws
from caribou.control.deploy import removal
from caribou.control.deploy.checks import Leftovers
from caribou.control.inventory import inventory
from caribou.control.migrate.planning import MigrationPlanner, _region_stacks
from caribou.control.runs.evidence import RunFacts
from caribou.control.runs.trace import trace_of
from caribou.control.stacks.deployed import find_stacks
from caribou.control.target import Target
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import OperationFailedError
from caribou.model.names import WorkflowNames
from caribou.model.run.envelope import Run
from caribou.model.run.item import RunItem, RunState

HOME, WEST, CONTROL = "us-east-1", "us-west-2", "ca-central-1"
TARGET = Target("dev", CONTROL)
KNOWN = KnownWorkflow("w", None, Registration("w", "0.0.1", HOME, (HOME, WEST), ("a", "b"), 30))
GRAPH = graph_of({"a": "b"}, name="w")
FAILURES = [
    ConnectTimeoutError(endpoint_url="u"),
    ReadTimeoutError(endpoint_url="u"),
    ClientError(
        {"Error": {"Code": "ServiceUnavailable"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "DescribeStacks"
    ),
]


class Silent:
    """Control's clients of an account in which nothing is deployed, and in which some regions fail."""

    def __init__(self, error, *regions):
        self.error, self.regions = error, regions

    def account(self, _):
        """The account's number."""
        return "111122223333"

    def cloudformation(self, region):
        """A client of a region."""
        return _Client(self.error if region in self.regions else None)

    dynamodb = cloudformation


class _Client:
    exceptions = type("Exceptions", (), {"ResourceNotFoundException": KeyError})

    def __init__(self, error):
        self._error = error

    def get_paginator(self, _):
        """One page with nothing in it."""
        return self

    def paginate(self, **_):
        """The page, or the error."""
        self._fail()
        return [{"Stacks": []}]

    def get_item(self, **_):
        """No item, or the error."""
        self._fail()
        return {}

    def describe_stacks(self, **_):
        """No stack, or the error."""
        self._fail()
        return {"Stacks": []}

    def _fail(self):
        if self._error is not None:
            raise self._error.with_traceback(None)


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch):
    """What is not asked here: data of home and of former homes, and runs that are open."""
    monkeypatch.setattr(removal, "leftovers", lambda *_: Leftovers(HOME))
    monkeypatch.setattr(removal, "former_homes", lambda *_: ())
    monkeypatch.setattr(removal, "open_runs", lambda *_: 0)
    monkeypatch.setattr(listing, "open_runs", lambda *_: 0)


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("region", [WEST, HOME, CONTROL])
def test_stacks_when_a_region_is_silent_then_it_is_listed_as_not_searched_and_the_others_are_searched(region, error):
    """One of thirty that no workflow uses must not keep anybody from listing, removing and moving."""
    found = find_stacks(Silent(error, region), "dev")
    assert list(found.unsearched) == [region]


def test_stacks_when_no_region_answers_then_it_is_one_error():
    """It is the network, or the credentials."""
    with pytest.raises(OperationFailedError, match="No region can be searched"):
        find_stacks(Silent(FAILURES[0], WEST, HOME), "dev", regions=(WEST, HOME))


@pytest.mark.parametrize("region", [WEST, HOME])
def test_list_when_a_region_of_a_workflow_is_silent_then_it_says_that_what_is_there_is_not_known(region):
    """Home too."""
    (entry,) = inventory(Silent(FAILURES[1], region, "me-south-1"), [KNOWN], TARGET, 1.0)
    assert entry.to_json()["unseen_regions"] == {region: "no answer (ReadTimeoutError)"}


def _removal(*regions):
    aws = Silent(FAILURES[0], *regions)
    return removal.plan_removal(aws, "w", HOME, TARGET, delete_data=True, now_s=1.0, regions=KNOWN.regions)


def test_removal_when_a_region_or_the_control_region_is_silent_then_the_plan_says_what_may_stay():
    """The registration's stack stands in the control region, whether the workflow may run there or not."""
    plan = _removal(WEST, CONTROL, "me-south-1")
    assert dict(plan.unseen) == dict.fromkeys((CONTROL, WEST), "no answer (ConnectTimeoutError)")
    assert [step.name for step in plan.steps][:2] == [CONTROL, WEST]


def test_removal_when_home_is_silent_then_nothing_is_removed():
    """What stands there goes first, so that no run begins whose regions vanish."""
    with pytest.raises(OperationFailedError, match="Nothing is removed"):
        _removal(HOME)


def test_migrator_when_a_region_is_silent_then_none_is_retired_and_when_home_is_then_it_says_so():
    """A region that is not seen may be in use."""
    with pytest.raises(OperationFailedError, match="none is retired"):
        _region_stacks(find_stacks(Silent(FAILURES[0], WEST), "dev"), KNOWN)
    with pytest.raises(OperationFailedError, match=f"in {HOME} failed"):
        MigrationPlanner(Silent(FAILURES[0], HOME), TARGET).plan(KNOWN, deploy=False)


def _trace(region, error=FAILURES[0]):
    run = Run("r", "0.0.1", GRAPH.digest, "p", {"b": WEST}, 100.0, 200.0)
    item = RunItem(run, frozenset("b"), RunState.RUNNING)
    logs = InMemoryLogReader({}, frozenset({region}))
    facts = RunFacts(Silent(error, region), GRAPH, WorkflowNames("w"), HOME, logs)
    return trace_of(facts.evidence(item, (), 150.0))


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_trace_when_a_region_of_the_run_is_silent_then_it_shows_the_rest_and_says_so(error):
    """Nor does anybody wait for records that can't be read."""
    trace = _trace(WEST, error)
    assert [node.node for node in trace.nodes] == ["a", "b"]
    assert (trace.remark, trace.is_settled) == ("us-west-2 did not answer", True)
    assert trace.to_json()["unseen_regions"] == [WEST]


def test_trace_when_home_is_silent_then_it_is_an_error_that_says_so():
    """Without the run item there is nothing to show."""
    with pytest.raises(OperationFailedError, match=HOME):
        _trace(HOME)


def test_registrations_when_the_control_region_is_silent_then_the_projects_own_workflows_are_there(
    tmp_path, monkeypatch, capsys, written_workflow
):
    """What is registered only is not known, and that is said."""

    def silent(*_):
        raise ConnectTimeoutError(endpoint_url="u")

    written_workflow(tmp_path)
    monkeypatch.setattr(sessions, "registered", silent)
    monkeypatch.setattr(sessions, "SsmRegistry", lambda *_: None)
    with Aws() as aws:
        here = sessions.Session(tmp_path, TARGET, aws)
        assert [known.name for known in here.known_workflows()] == ["example"]
    assert f"{CONTROL} does not answer" in capsys.readouterr().err
