"""Plan, then act: a plan only reads, and what is done is what it says. On the local cloud."""

import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from waiting import BACKSTOP_S

from caribou.control.aws import Aws
from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.deploy import Rollout
from caribou.control.deploy.planning import plan_deploy
from caribou.control.deploy.removal import plan_removal, remove
from caribou.control.deploy.steps import Action, Thing
from caribou.control.migrate.migrator import Migrator
from caribou.control.migrate.planning import MigrationPlanner
from caribou.control.placement_bucket import PlacementBox
from caribou.control.stacks import lock
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import OperationFailedError

pytestmark = pytest.mark.local_cloud
HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"
READS = ("Get", "List", "Describe", "Query", "Scan", "Head", "BatchGet")
LOCK, NOTE = ["PutItem", "DeleteItem"], "PutObject"
"""Taking and giving back the lock; the note of what was deployed."""


class Recorded:
    """AWS's clients that remember the names of the operations that were called."""

    def __init__(self):
        session, self.calls = boto3.Session(), []
        session.events.register("before-call", lambda model, **_: self.calls.append(model.name))
        self.aws = Aws(session)

    @property
    def writes(self):
        """The operations that may change something."""
        return [name for name in self.calls if not name.startswith(READS)]


@pytest.fixture
def recorded(cloud, monkeypatch):  # noqa: ARG001 - clients find it by the environment
    """Clients that are watched. A lock's heartbeat does not come, however long a busy machine takes."""
    monkeypatch.setattr(lock, "BEAT_S", BACKSTOP_S)
    recorded = Recorded()
    with recorded.aws:
        yield recorded


@dataclass
class Cdk:
    """A deployer that remembers what it was asked for, and puts a placement into the world's home stack."""

    world: object = None
    placement: object = None
    requests: list = field(default_factory=list)

    def deploy(self, request):
        """Deploy the placement."""
        self.requests.append(request)
        if self.world is not None:
            self.world.home(self.placement)


class Logs:
    """A log collection that has read everything up to now."""

    def collect(self, known, stacks):
        """Nothing goes wrong."""
        del known, stacks
        return ()

    def read_to(self, workflow, region, log_groups):
        """Now."""
        del workflow, region, log_groups
        return time.time()


def buckets(world):
    """Names of all buckets of the account."""
    return {bucket["Name"] for bucket in world.aws.s3(HOME).list_buckets()["Buckets"]}


def bucket_at_home(world):
    """Make home's payload bucket, which is empty."""
    world.aws.s3(HOME).create_bucket(Bucket=world.names.payload_bucket(world.aws.account(HOME), HOME))


@pytest.fixture
def removed(world, placed, written_workflow, tmp_path):
    """A workflow that was removed: its tables and an empty bucket are left at home; the workflow as it is placed."""
    world.home(placed())
    world.placement_bucket()
    world.lock_table()
    removal = plan_removal(world.aws, world.name, HOME, world.target, delete_data=False, now_s=time.time())
    remove(world.aws, removal, world.target, lambda _: None)
    bucket_at_home(world)
    return PlacedWorkflow(written_workflow(tmp_path, world.name), placed(WEST, name=world.name), "solved.json")


def test_deploy_when_it_is_planned_then_nothing_is_written_and_it_is_then_done_as_planned(world, removed, recorded):
    """The bucket is left alone by planning; deploying deletes it, and asks the CDK for the plan's request."""
    plan = plan_deploy(recorded.aws, [removed], world.target, force=False, everything=False)
    assert recorded.writes == []
    [deleted] = [step for step in plan.steps if step.action is Action.DELETE]
    assert deleted.name in buckets(world)
    notices, cdk = [], Cdk()
    executed = Rollout(recorded.aws, world.target, cdk, notices.append).deploy([removed], force=False, everything=False)
    assert executed == plan
    assert cdk.requests == [plan.request]
    assert plan.request.adopt
    assert recorded.writes == [LOCK[0], "DeleteBucket", NOTE, LOCK[1]]
    assert [notice.partition(":")[0] for notice in notices] == [deleted.text]
    assert deleted.name not in buckets(world)


def test_deploy_when_a_payload_came_into_the_bucket_meanwhile_then_it_stays_and_nothing_is_deployed(world, removed):
    """What was empty when it was planned is not emptied."""
    plan = plan_deploy(world.aws, [removed], world.target, force=False, everything=False)
    [deleted] = [step for step in plan.steps if step.action is Action.DELETE]
    world.aws.s3(HOME).put_object(Bucket=deleted.name, Key="payload", Body=b"kept")
    cdk = Cdk()
    with pytest.raises(OperationFailedError, match=deleted.name):
        Rollout(world.aws, world.target, cdk, lambda _: None).execute(plan)
    assert not cdk.requests
    assert world.aws.s3(HOME).list_objects_v2(Bucket=deleted.name)["KeyCount"] == 1


def test_removal_when_it_is_planned_then_nothing_is_written_and_it_is_then_done_as_planned(world, placed, recorded):
    """Each deletion of the plan, in its order, and nothing else."""
    world.region(WEST)
    world.home(placed(WEST))
    bucket_at_home(world)
    removal = plan_removal(recorded.aws, world.name, HOME, world.target, delete_data=True, now_s=time.time())
    assert recorded.writes == []
    notices = []
    remove(recorded.aws, removal, world.target, notices.append)
    assert notices == [step.text for step in removal.steps if step.action is Action.DELETE]
    assert [step.thing for step in removal.steps] == [*[Thing.STACK] * 2, Thing.BUCKET, *[Thing.TABLE] * 2]
    assert recorded.writes.count("DeleteStack") == 2
    assert recorded.writes.count("DeleteTable") == 2


@pytest.fixture
def waiting(world, placed, written_workflow, tmp_path):
    """A workflow with a node in the west, and a placement in Canada that waits for it, which is about to expire."""
    workflow = written_workflow(tmp_path, world.name)
    world.region(WEST)
    world.home(placed(WEST, name=world.name))
    world.placement_bucket()
    world.lock_table()
    solved = placed(CANADA, name=world.name, expires_at=datetime.now(UTC) + timedelta(days=1))
    PlacementBox(world.aws, world.target).put(world.name, json.dumps(solved.to_json()))
    return KnownWorkflow(world.name, workflow, world.known.registration), solved


def actions(plan, *kinds):
    """Action and region of the steps of some actions."""
    return [(step.action, step.region) for step in plan.steps if step.action in kinds]


def test_migration_when_it_is_planned_then_nothing_is_written_and_it_is_then_done_as_planned(world, waiting, recorded):
    """The deploy's plan is inside, and the region that it leaves is judged as it will be then."""
    known, solved = waiting
    planner = MigrationPlanner(recorded.aws, world.target, wait_s=0.0)
    plan = planner.plan(known, deploy=True)
    assert recorded.writes == []
    assert not (known.workflow.folder / ".caribou" / "placement.json").exists()
    assert actions(plan, Action.MOVE, Action.COLLECT, Action.RETIRE) == [
        (Action.MOVE, CANADA),
        (Action.COLLECT, WEST),
        (Action.RETIRE, WEST),
    ]
    report = Migrator(planner, Cdk(world, solved), Logs(), lambda _: None, lambda *_: None).migrate(known, deploy=True)
    assert report.retired == (WEST,)
    assert report.applied == plan.reason
    assert recorded.writes == [LOCK[0], "UpdateItem", NOTE, "PutObject", "UpdateItem", "DeleteStack", LOCK[1]]


def test_migration_when_a_run_came_to_a_region_meanwhile_then_it_is_not_retired_as_planned(world, placed):
    """What was safe when it was planned is judged once more."""
    world.region(WEST)
    world.home(placed())
    planner = MigrationPlanner(world.aws, world.target, wait_s=0.0)
    plan = planner.plan(world.known, deploy=False)
    assert actions(plan, Action.RETIRE) == [(Action.RETIRE, WEST)]
    world.begin_run("r1", [WEST])
    report = Migrator(planner, Cdk(), Logs(), lambda _: None, lambda *_: None).execute(plan, NoLock())
    assert report.retired == ()
    assert "such as r1" in report.decisions[0].reasons[0]


def test_migration_when_the_plan_leaves_a_region_then_it_stays_even_if_it_could_go_now(world, placed):
    """Just the plan is carried out; the next one finds the region free."""
    world.region(WEST)
    world.home(placed())
    world.begin_run("r1", [WEST])
    planner = MigrationPlanner(world.aws, world.target, wait_s=0.0)
    plan = planner.plan(world.known, deploy=False)
    world.begin_run("r1", [WEST], state={"S": "SUCCEEDED"}, ended_at={"N": repr(time.time() - 1)})
    report = Migrator(planner, Cdk(), Logs(), lambda _: None, lambda *_: None).execute(plan, NoLock())
    assert report.retired == ()
    assert actions(planner.plan(world.known, deploy=False), Action.RETIRE) == [(Action.RETIRE, WEST)]


def test_migration_when_a_region_can_not_be_searched_then_what_waits_and_other_regions_are_planned_all_the_same(
    world, waiting
):
    """A region that is down must not keep nodes from moving away from it, nor another one from being retired."""
    known, _ = waiting
    elsewhere = replace(known.registration, regions=(*known.registration.regions, "eu-west-1"))
    known = replace(known, registration=elsewhere)
    with Unlisted() as aws:
        plan = MigrationPlanner(aws, world.target, wait_s=0.0).plan(known, deploy=True)
    assert actions(plan, Action.MOVE) == [(Action.MOVE, CANADA)]
    assert actions(plan, Action.RETIRE) == [(Action.RETIRE, WEST)]
    assert "not known whether a stack waits to be retired in eu-west-1" in plan.failures[0]
    assert f"`caribou run_deployment_migrator {known.name}`" in plan.failures[0]


class NoLock:
    """A lock that nobody else wants."""

    def renew(self):
        """It holds."""


class Unlisted(Aws):
    """Clients of an account in which one region's stacks can't be listed."""

    def cloudformation(self, region):
        """CloudFormation, but that of eu-west-1 answers nothing."""
        client = super().cloudformation(region)
        if region == "eu-west-1":
            client.meta.events.register("before-call", _refuse)
        return client


def _refuse(**_):
    raise EndpointConnectionError(endpoint_url="https://eu-west-1")
