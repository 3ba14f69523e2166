"""The migrator on the local cloud: what it applies, what it retires, and what it leaves alone."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from caribou.control.migrate.migrator import Migrator
from caribou.control.migrate.planning import MigrationPlanner
from caribou.control.placement_bucket import PlacementBox
from caribou.control.stacks.lock import deploy_lock
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.placement import Placement
from caribou.model.run.item import Parked
from caribou.runtime.clients import Clients
from caribou.runtime.sync_items import DynamoParking

pytestmark = pytest.mark.local_cloud
HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"


class Logs:
    """A log collection that has read everything up to now, or nothing."""

    def __init__(self, *, read=True, trouble=()):
        self.read, self.trouble, self.collected = read, trouble, []

    def collect(self, known, stacks):
        """Note what was asked for."""
        self.collected.append((known.name, [stack.region for stack in stacks]))
        return self.trouble

    def read_to(self, workflow, region, log_groups):
        """Now, or never."""
        del workflow, region, log_groups
        return time.time() if self.read else None


class Cdk:
    """A deployer that puts the placement it is given into the world's home stack, or fails."""

    def __init__(self, world=None, error=None):
        self.world, self.error, self.requests = world, error, []

    def deploy(self, request):
        """Deploy the placement of the request."""
        self.requests.append(request)
        if self.error is not None:
            raise OperationFailedError(self.error)
        self.world.home(Placement.from_json(json.loads(Path(request.placement).read_text())))


def migrator(world, logs=None, cdk=None, consent=lambda *_: None, **settings):
    """A migrator of the test's world."""
    planner = MigrationPlanner(world.aws, world.target, **{"wait_s": 0.0, **settings})
    return Migrator(planner, cdk or Cdk(), logs or Logs(), lambda _: None, consent)


def left_behind(world, placed):
    """Home alone is used; there are stacks in the west, and in Canada of another workflow."""
    world.region(WEST)
    world.home(placed())
    other = type(world)(world.aws, f"{world.name}_2")
    other.region(WEST)
    other.region(CANADA)
    return world.stacks()


def test_region_when_nothing_uses_it_then_its_stack_goes_with_its_bucket_and_nothing_else(world, placed):
    """All versions of all objects are deleted first; other workflows' stacks stay."""
    before = left_behind(world, placed)
    [bucket] = _resources(world, "AWS::S3::Bucket")
    client = world.aws.s3(WEST)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        client.put_object(Bucket=bucket, Key="payload", Body=str(number).encode())
    client.delete_object(Bucket=bucket, Key="payload")
    report = migrator(world).migrate(world.known, deploy=False)
    assert report.retired == (WEST,)
    assert not report.failures
    assert before - world.stacks() == {(WEST, f"Workflow-{world.name}-{WEST}".replace("_", "-"))}
    assert bucket not in {found["Name"] for found in client.list_buckets()["Buckets"]}


def test_region_when_an_open_run_names_it_then_it_stays_until_that_has_ended(world, placed):
    """A run keeps the regions that it began with."""
    before = left_behind(world, placed)
    world.begin_run("r1", [WEST])
    report = migrator(world).migrate(world.known, deploy=False)
    assert "1 open run may still come to it, such as r1" in report.decisions[0].reasons
    assert world.stacks() == before
    world.begin_run("r1", [WEST], state={"S": "SUCCEEDED"}, ended_at={"N": repr(time.time() - 1)})
    world.begin_run("r2", [CANADA])
    assert migrator(world).migrate(world.known, deploy=False).retired == (WEST,)


def test_region_when_a_message_failed_there_then_it_stays(world, placed):
    """It could still be redriven."""
    before = left_behind(world, placed)
    [queue] = _resources(world, "AWS::SQS::Queue")
    world.aws.sqs(WEST).send_message(QueueUrl=queue, MessageBody="failed")
    report = migrator(world).migrate(world.known, deploy=False)
    assert report.decisions[0].reasons == ("1 message in its failure queues",)
    assert world.stacks() == before


def test_region_when_its_logs_were_not_read_then_it_stays_although_they_were_asked_for(world, placed):
    """Log collection runs first, also for the region that is no longer allowed; if it fails, the region waits."""
    before = left_behind(world, placed)
    logs = Logs(read=False, trouble=("the region does not answer",))
    report = migrator(world, logs).migrate(world.known, deploy=False)
    assert "never read" in report.decisions[0].reasons[0]
    assert logs.collected == [(world.name, [WEST])]
    assert world.stacks() == before


def test_region_when_stragglers_may_come_then_it_stays(world, placed):
    """By default the longest timeout and six hours pass first."""
    before = left_behind(world, placed)
    report = migrator(world, wait_s=None).migrate(world.known, deploy=False)
    assert "retries may come until" in report.decisions[0].reasons[0]
    assert world.stacks() == before


def test_region_when_the_deployed_placement_uses_it_then_it_stays(world, placed):
    """The deployed template counts, whatever files say."""
    world.region(WEST)
    world.home(placed(WEST))
    before = world.stacks()
    report = migrator(world).migrate(world.known, deploy=False)
    assert report.decisions[0].reasons == ("the deployed placement uses it",)
    assert world.stacks() == before


def test_region_when_its_stack_can_not_be_deleted_then_it_is_reported(world, placed):
    """A stack with termination protection is an operator's wish; the report says what happened."""
    left_behind(world, placed)
    name = f"Workflow-{world.name}-{WEST}".replace("_", "-")
    client = world.aws.cloudformation(WEST)
    client.update_termination_protection(StackName=name, EnableTerminationProtection=True)
    report = migrator(world).migrate(world.known, deploy=False)
    assert not report.retired
    assert "Deleting the stack" in report.failures[0]
    client.update_termination_protection(StackName=name, EnableTerminationProtection=False)


def test_migrator_when_the_lock_is_held_then_nothing_happens(world, placed):
    """A deploy under way is not disturbed."""
    before = left_behind(world, placed)
    world.lock_table()
    with (
        deploy_lock(world.aws, world.target, world.name, "deploying", lambda _: None),
        pytest.raises(OperationFailedError, match="held the lock"),
    ):
        migrator(world).migrate(world.known, deploy=False)
    assert world.stacks() == before


def test_migrator_when_nothing_is_deployed_then_it_says_so(world):
    """A workflow of the project may not be deployed yet."""
    assert migrator(world).migrate(world.known, deploy=True).applied == "is not deployed"


@pytest.fixture
def waiting(world, placed, written_workflow, tmp_path):
    """A workflow that is deployed at home, and a placement in the west that waits for it; as it is known."""
    workflow = written_workflow(tmp_path, world.name)
    world.region(WEST)
    world.home(placed(name=world.name))
    world.placement_bucket()
    solved = placed(WEST, name=world.name, expires_at=datetime.now(UTC) + timedelta(days=1))
    PlacementBox(world.aws, world.target).put(world.name, json.dumps(solved.to_json()))
    return KnownWorkflow(world.name, workflow, world.known.registration)


def test_pending_placement_when_the_deploy_succeeds_then_it_is_committed_and_not_applied_again(world, waiting):
    """Deploy, commit, remember; the region that it now uses is not retired."""
    cdk = Cdk(world)
    report = migrator(world, cdk=cdk).migrate(waiting, deploy=True)
    assert not report.failures
    assert "takes the place of" in report.applied
    assert json.loads((waiting.workflow.folder / ".caribou" / "placement.json").read_text())["plans"]
    assert report.decisions[0].reasons == ("the deployed placement uses it",)
    again = migrator(world, cdk=cdk).migrate(waiting, deploy=True)
    assert again.applied == "the pending placement was applied before"
    assert len(cdk.requests) == 1


def test_pending_placement_when_the_deploy_fails_then_nothing_is_committed_and_nothing_retired(world, waiting):
    """The old placement goes on serving, and the report says so."""
    before = world.stacks()
    report = migrator(world, cdk=Cdk(error="cdk failed")).migrate(waiting, deploy=True)
    assert "cdk failed" in report.failures[0]
    assert "goes on serving" in report.failures[0]
    assert not (waiting.workflow.folder / ".caribou" / "placement.json").exists()
    assert world.stacks() == before


def test_pending_placement_when_nobody_consents_then_nothing_is_deployed_committed_or_retired(world, waiting):
    """Who is asked gets the workflow and the placement; the lock is free again."""
    before, asked, cdk = world.stacks(), [], Cdk(world)

    def refuse(name, placement):
        asked.append((name, placement.regions))
        raise InvalidInputError("nobody is here to be asked", where=name, fix="add --yes")

    world.lock_table()
    with pytest.raises(InvalidInputError, match="add --yes"):
        migrator(world, cdk=cdk, consent=refuse).migrate(waiting, deploy=True)
    assert asked == [(world.name, {HOME, WEST})]
    assert not cdk.requests
    assert not (waiting.workflow.folder / ".caribou" / "placement.json").exists()
    assert world.stacks() == before
    assert migrator(world, cdk=cdk).migrate(waiting, deploy=True).applied


def test_pending_placement_when_deploying_is_left_out_then_it_goes_on_waiting(world, waiting):
    """`--no-deploy` only retires."""
    cdk = Cdk(world)
    report = migrator(world, cdk=cdk).migrate(waiting, deploy=False)
    assert not cdk.requests
    assert report.retired == (WEST,)


def _resources(world, kind):
    name = f"Workflow-{world.name}-{WEST}".replace("_", "-")
    summaries = world.aws.cloudformation(WEST).list_stack_resources(StackName=name)["StackResourceSummaries"]
    return [found["PhysicalResourceId"] for found in summaries if found["ResourceType"] == kind]


def test_region_when_a_failed_run_could_be_redriven_there_then_it_waits_unless_it_is_forgotten(world, placed):
    """What rests there is what the run would go on with; who gives it up says so."""
    left_behind(world, placed)
    failed = {"state": {"S": "FAILED"}, "ended_at": {"N": "1"}}
    world.begin_run("r1", [WEST], **failed)
    world.begin_run("r2", [WEST], **failed)
    DynamoParking(Clients(), world.names.sync_table, HOME).park(Parked("r1", "b", 0, "{}", "ValueError"))
    [decision] = migrator(world).migrate(world.known, deploy=False).decisions
    assert decision.reasons == ("1 failed run can be redriven with what rests there, such as r1",)
    report = migrator(world, forget_failed=True).migrate(world.known, deploy=False)
    assert report.retired == (WEST,)
