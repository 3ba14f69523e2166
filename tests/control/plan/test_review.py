"""Looking after a workflow: from its records to a placement that waits."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from caribou.cli import solve as cli_solve
from caribou.cli.manage import _show_review
from caribou.collectors.bodies import KINDS
from caribou.collectors.chain import collect
from caribou.collectors.facts import InMemoryFactTable
from caribou.collectors.records import InMemoryRecordTable
from caribou.collectors.sources.keys import KeyRing
from caribou.collectors.sources.registry import DEFAULT_SOURCE, sources_of
from caribou.control.placement_bucket import PlacementBox
from caribou.control.plan.finish import Clocks
from caribou.control.plan.review import MIN_RUNS, Reviewer
from caribou.control.stacks.readiness import Readiness
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import OperationFailedError
from caribou.model.run.record import Outcome, RunRecord, SuccessorRecord

pytestmark = pytest.mark.local_cloud
HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"
ENTRY, LAST = "first:entry_point:0", "last:first_0_0:1"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
CLOCKS = Clocks(lambda: NOW, lambda: 0.0, lambda: 0.0)  # nothing takes any time


@dataclass
class Tables:
    """The control plane's tables in memory, with the packaged facts."""

    facts: InMemoryFactTable = field(default_factory=InMemoryFactTable)
    records: InMemoryRecordTable = field(default_factory=InMemoryRecordTable)
    age: timedelta = timedelta()

    def __post_init__(self):
        for kind in KINDS:
            collect(sources_of(kind, [DEFAULT_SOURCE], {}, KeyRing("")), self.facts, NOW - self.age)


class NoLogs:
    """A log collection that finds nothing new."""

    def collect(self, subject, stacks):
        """Nothing went wrong."""
        del subject, stacks
        return ("one region did not answer",)


def executed(number, node, workflow, successors=()):
    """One execution of a node at home, as the runtime records it."""
    started = NOW.timestamp() - 3600 + 10 * number + (2.1 if node == LAST else 0.0)
    return RunRecord(
        run_id=f"r{number}",
        workflow=workflow.name,
        workflow_version=workflow.graph.version,
        node=node,
        function=node.split(":")[0],
        region=HOME,
        placement="p",
        attempt=1,
        cold_start=False,
        started_at=started,
        duration_s=2.0,
        cpu_s=1.0,
        memory_mb=workflow.manifest.functions["first"].memory_mb,
        bytes_in=100,
        bytes_out=100,
        external=(),
        edge=f"{ENTRY}#0" if node == LAST else None,
        sent_at=started - 0.1 if node == LAST else None,
        redirect=False,
        stays_home=False,
        error=None,
        successors=successors,
    )


def with_runs(tables, workflow, count):
    """Tables with the records of so many runs."""
    for number in range(count):
        sent = SuccessorRecord(f"{ENTRY}#0", LAST, HOME, Outcome.SENT, 100, 1.98, 0.02)
        records = [executed(number, ENTRY, workflow, (sent,)), executed(number, LAST, workflow)]
        tables.records.put_records(records, keep_days=30)
    return tables


@pytest.fixture
def subject(world, placed, written_workflow, tmp_path):
    """A workflow that is deployed at home, from a dirty grid."""
    workflow = written_workflow(tmp_path, world.name)
    world.home(placed(name=world.name))
    world.placement_bucket()
    return KnownWorkflow(world.name, workflow, world.known.registration)


def reviewed(world, subject, runs, age=timedelta()):
    """What looking after the workflow says, with so many runs, and facts that were collected so long ago."""
    tables = with_runs(Tables(age=age), subject.workflow, runs)
    return Reviewer(world.aws, world.target, tables, NoLogs(), CLOCKS).review(subject)


def test_workflow_when_a_cleaner_region_is_allowed_then_a_placement_there_waits(world, subject):
    """It is valid for the manifest's days, and what is deployed then is not put again."""
    review = reviewed(world, subject, MIN_RUNS)
    assert review.put
    assert CANADA in review.placement.regions
    assert (review.placement.expires_at - NOW).days == subject.workflow.manifest.placement_days
    assert review.warnings == ("one region did not answer",)
    assert PlacementBox(world.aws, world.target).pending(world.name) is not None
    world.home(review.placement)
    again = reviewed(world, subject, MIN_RUNS)
    assert not again.put
    assert "it is deployed, and holds until" in again.reason


def test_placement_when_the_loop_makes_it_then_it_has_the_bytes_that_the_solve_verb_writes(
    world, subject, tmp_path, monkeypatch
):
    """One pipeline: the same problem, seed and times, from a file that is laid out otherwise."""
    review = reviewed(world, subject, MIN_RUNS)
    problem, solved = tmp_path / "problem.json", tmp_path / "solved.json"
    problem.write_text(json.dumps(review.problem.model_dump(mode="json", by_alias=True), indent=7, sort_keys=False))
    monkeypatch.setattr(cli_solve, "Clocks", lambda: CLOCKS)
    days = str(subject.workflow.manifest.placement_days)
    arguments = ["--problem", str(problem), "-o", str(solved), "--valid-days", days]
    CliRunner().invoke(cli_solve.solve, arguments, catch_exceptions=False)
    assert PlacementBox(world.aws, world.target).pending(world.name).text == solved.read_text()


def test_workflow_when_the_cleaner_region_is_not_bootstrapped_then_no_node_is_placed_there(world, subject):
    """A deploy would refuse it."""
    world.aws.ssm(CANADA).delete_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    review = reviewed(world, subject, MIN_RUNS)
    assert CANADA not in review.problem.regions
    assert review.problem.provenance["regions_not_bootstrapped"].startswith(f"{CANADA}: ")
    assert CANADA not in review.placement.regions


def test_workflow_when_a_region_of_its_nodes_is_out_of_reach_then_nothing_is_solved(
    world, subject, placed, monkeypatch
):
    """It would be left for an outage of minutes."""
    world.home(placed(CANADA, name=world.name))
    silent = Readiness(not_known={CANADA: "no answer"})
    monkeypatch.setattr("caribou.control.plan.review.readiness_of", lambda *_: silent)
    with pytest.raises(OperationFailedError, match="ca-central-1, where nodes are now, is out of reach"):
        reviewed(world, subject, MIN_RUNS)


def test_workflow_when_it_has_too_few_runs_then_nothing_is_solved_and_it_says_so(world, subject):
    """Their samples would say too little of the tail."""
    review = reviewed(world, subject, MIN_RUNS - 1)
    assert review.placement is None
    assert f"found: {MIN_RUNS - 1}, needed: {MIN_RUNS}" in review.reason
    assert PlacementBox(world.aws, world.target).pending(world.name) is None


def test_workflow_when_it_is_not_of_this_project_then_it_is_passed_over(world, subject):
    """Its manifest and source are needed to solve."""
    review = reviewed(world, subject, 0)
    assert not review.put
    stranger = KnownWorkflow(subject.name, None, subject.registration)
    reviewer = Reviewer(world.aws, world.target, Tables(), NoLogs())
    assert "not in this project" in reviewer.review(stranger).reason


def test_workflow_when_it_is_not_deployed_then_it_is_passed_over(world, workflow):
    """There is nothing to move."""
    reviewer = Reviewer(world.aws, world.target, Tables(), NoLogs())
    assert "is not deployed" in reviewer.review(KnownWorkflow("example", workflow, None)).reason


def test_workflow_when_facts_are_past_their_time_then_nothing_is_solved_and_old_ones_are_a_warning(
    world, subject, capsys
):
    """As for whoever solves by hand."""
    review = reviewed(world, subject, MIN_RUNS, timedelta(days=8))
    assert review.placement is None
    assert "facts are too old to solve from (found: of 2026-06-23, 8 days ago" in review.reason
    assert "caribou data_collect carbon" in review.reason
    _show_review(reviewed(world, subject, MIN_RUNS, timedelta(days=3)))
    assert f"warning: {world.name}: facts old: carbon of " in capsys.readouterr().err
