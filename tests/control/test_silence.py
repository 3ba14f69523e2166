"""What the tools say while a region, home or the control region is silent or out of order: they answer, in time."""

import socket

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.exceptions import ConnectionError as BotoConnectionError
from builders import graph_of

from caribou.cli import session as sessions
from caribou.collectors.logs import InMemoryLogReader
from caribou.collectors.registrations import Registration
from caribou.control import inventory as listing
from caribou.control.aws import Aws
from caribou.control.deploy import removal
from caribou.control.deploy.checks import Leftovers
from caribou.control.inventory import inventory
from caribou.control.migrate.planning import MigrationPlanner
from caribou.control.runs.evidence import RunFacts
from caribou.control.runs.trace import trace_of
from caribou.control.stacks.deployed import find_stacks, said_of
from caribou.control.target import Target
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import OperationFailedError
from caribou.model.names import WorkflowNames
from caribou.model.regions import KNOWN_REGIONS
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
    """Control's clients of an account in which nothing is deployed but buckets, and in which some regions fail."""

    def __init__(self, error, *regions, buckets=()):
        self.error, self.regions, self.buckets, self.asked = error, regions, buckets, set()

    def account(self, _):
        """The account's number."""
        return "111122223333"

    def cloudformation(self, region):
        """A client of a region."""
        self.asked.add(region)
        return _Client(self.error if region in self.regions else None, self.buckets)

    dynamodb = s3 = cloudformation


class _Client:
    exceptions = type("Exceptions", (), {"ResourceNotFoundException": KeyError})

    def __init__(self, error, buckets):
        self._error, self._buckets = error, buckets

    def get_paginator(self, _):
        """One page, with no stack in it."""
        return self

    def paginate(self, **_):
        """The page, or the error."""
        self._fail()
        return [{"Stacks": [], "Buckets": [{"Name": name} for name in self._buckets]}]

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
    monkeypatch.setattr(removal, "former_homes", lambda *_: ((), {}))
    monkeypatch.setattr(removal, "open_runs", lambda *_: 0)
    monkeypatch.setattr(listing, "open_runs", lambda *_: 0)


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("region", [WEST, HOME, CONTROL])
def test_stacks_when_a_region_is_silent_then_it_is_listed_as_not_searched_and_the_others_are_searched(region, error):
    """One of thirty that no workflow uses must not keep anybody from listing, removing and moving."""
    found = find_stacks(Silent(error, region), "dev", (), (HOME, WEST, CONTROL))
    assert list(found.unsearched) == [region]


def test_stacks_when_no_region_answers_then_it_is_one_error():
    """It is the network, or the credentials."""
    with pytest.raises(OperationFailedError, match="No region can be searched"):
        find_stacks(Silent(FAILURES[0], WEST, HOME), "dev", (), (WEST, HOME))


def test_list_when_nothing_names_a_region_then_it_is_not_asked_and_a_bucket_names_one():
    """Of thirty, most are none of the project's; one that the manifest has lost may still have a stack."""
    aws = Silent(FAILURES[0], "il-central-1")
    (entry,) = inventory(aws, [KNOWN], TARGET, 1.0)
    assert (aws.asked, entry.unseen) == ({HOME, WEST, CONTROL}, {})
    left = Silent(FAILURES[0], "il-central-1", buckets=["caribou-dev-w-111122223333-il-central-1", "caribou-ops-w-1-2"])
    (entry,) = inventory(left, [KNOWN], TARGET, 1.0)
    assert left.asked == {HOME, WEST, CONTROL, "il-central-1"}
    assert entry.unseen == {"il-central-1": "no answer"}


def test_list_when_the_buckets_may_not_be_listed_then_every_region_is_asked():
    """Else a stack would be overlooked."""
    aws = Silent(ClientError({"Error": {"Code": "AccessDenied"}}, "ListBuckets"), CONTROL)
    inventory(aws, [KNOWN], TARGET, 1.0)
    assert aws.asked == set(KNOWN_REGIONS)


def test_regions_when_many_are_not_seen_then_they_are_said_in_one_short_line():
    """Some of them, and how many more."""
    unseen = dict.fromkeys(KNOWN_REGIONS, "no answer") | {"il-central-1": "OptInRequired"}
    said = said_of(unseen)
    assert said.startswith(
        f"af-south-1, ap-east-1, ap-east-2 and {len(KNOWN_REGIONS) - 4} more (no answer); il-central-1 (OptInRequired)"
    )
    assert len(said) < 100


def test_region_when_it_did_not_answer_in_time_then_no_client_of_the_command_asks_it_again(monkeypatch):
    """Nobody waits for it twice, whatever the service."""
    hasty = Config(read_timeout=0.1, retries={"total_max_attempts": 1})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    with socket.create_server(("127.0.0.1", 0)) as server:  # it takes connections, and says nothing
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        with Aws(config=hasty) as aws:
            with pytest.raises(ReadTimeoutError):
                aws.ssm(WEST).get_parameter(Name="p")
            with pytest.raises(BotoConnectionError, match=f"{WEST} did not answer a moment ago"):
                aws.cloudformation(WEST).describe_stacks()


@pytest.mark.parametrize("region", [WEST, HOME])
def test_list_when_a_region_of_a_workflow_is_silent_then_it_says_that_what_is_there_is_not_known(region):
    """Home too."""
    (entry,) = inventory(Silent(FAILURES[1], region, "me-south-1"), [KNOWN], TARGET, 1.0)
    assert entry.to_json()["unseen_regions"] == {region: "no answer"}


def _removal(*regions):
    aws = Silent(FAILURES[0], *regions)
    return removal.plan_removal(aws, "w", HOME, TARGET, delete_data=True, now_s=1.0, regions=KNOWN.regions)


def test_removal_when_a_region_or_the_control_region_is_silent_then_the_plan_says_what_may_stay():
    """The registration's stack stands in the control region, whether the workflow may run there or not."""
    plan = _removal(WEST, CONTROL, "me-south-1")
    assert dict(plan.unseen) == dict.fromkeys((CONTROL, WEST), "no answer")
    assert [step.name for step in plan.steps][:2] == [CONTROL, WEST]
    assert plan.stays_registered


def test_removal_when_home_is_silent_then_nothing_is_removed():
    """What stands there goes first, so that no run begins whose regions vanish."""
    with pytest.raises(OperationFailedError, match="Nothing is removed"):
        _removal(HOME)


def test_migrator_when_home_is_silent_then_it_says_so():
    """What it serves is not known."""
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
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setattr(sessions, "registered", silent)
    monkeypatch.setattr(sessions, "SsmRegistry", lambda *_: None)
    with Aws() as aws:
        here = sessions.Session(tmp_path, TARGET, aws)
        assert [known.name for known in here.known_workflows()] == ["example"]
        assert not here.control_answers
    assert f"not known which workflows are registered: {CONTROL} (no answer)" in capsys.readouterr().err
