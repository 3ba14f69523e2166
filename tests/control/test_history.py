"""Which placements were deployed, when, and by whom."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from deployed_world import CANADA, HOME, WEST, look_bootstrapped

from caribou.control.deploy.checks import PlacedWorkflow
from caribou.control.deploy.deploy import Rollout
from caribou.control.history import Deployment, History
from caribou.control.placement_bucket import PlacementBox
from caribou.control.target import Target
from caribou.model.errors import InvalidPlacementError
from caribou.model.registration import ControlNames

THEN = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)


def deployed(placement, minute=0, by="arn:aws:sts::1:assumed-role/ops/ann"):
    """A deployment at some minute."""
    return Deployment(placement, THEN + timedelta(minutes=minute), by, "deploy")


def test_note_when_it_is_read_again_then_it_is_the_same_and_keys_are_in_the_order_of_time(placed):
    """Wherever the clock stood."""
    elsewhere = replace(deployed(placed(WEST)), deployed_at=THEN.astimezone(timezone(timedelta(hours=-9))))
    note = Deployment.from_json(elsewhere.to_json(), "a note")
    assert note == elsewhere
    assert note.placement.regions == {HOME, WEST}
    assert note.key < deployed(placed(CANADA), 1).key
    assert note.key.startswith("example/history/20261129T030000")


@pytest.mark.parametrize(
    "change", [{"schema": "caribou.deployment/9"}, {"deployed_at": None}, {"deployed_at": "?"}, {"placement": []}]
)
def test_note_when_it_is_none_of_ours_then_it_is_one_error(placed, change):
    """Anybody who may deploy may have written it."""
    with pytest.raises(InvalidPlacementError, match="a note"):
        Deployment.from_json({**deployed(placed(WEST)).to_json(), **change}, "a note")


@pytest.mark.local_cloud
def test_history_when_there_are_many_then_the_newest_come_first_and_a_broken_note_hides_none(world, placed):
    """Another workflow's are not among them."""
    world.placement_bucket()
    box = PlacementBox(world.aws, world.target)
    notes = [deployed(placed(region, name=world.name), minute) for minute, region in enumerate((HOME, WEST, CANADA))]
    for note in (*notes, deployed(placed(WEST, name=f"{world.name}_other"), 9)):
        History(box).add(note)
    box.put_text(f"{world.name}/history/9.json", "{")
    found, [wrong] = History(box).newest(world.name, 3)
    assert found == [notes[2], notes[1]]
    assert f"{world.name}/history/9.json" in wrong


class Cdk:
    """A CDK that has deployed all that is asked for."""

    def deploy(self, request):
        """Nothing is left to be done."""


@pytest.mark.local_cloud
def test_deploy_when_it_is_done_then_it_is_noted_with_the_callers_arn(aws, tmp_path, written_workflow, placed):
    """And where nothing can be noted, it is a warning: the workflow is deployed."""
    look_bootstrapped(aws)
    target, said = Target("noted", WEST), []
    workflow = written_workflow(tmp_path)
    moved = PlacedWorkflow(workflow, placed(WEST), "solved.json")
    rollout = Rollout(aws, target, Cdk(), said.append, "run_deployment_migrator")
    rollout.deploy([moved], force=False, everything=False)
    [warning] = [message for message in said if message.startswith("warning")]
    assert "`caribou history` will not have it" in warning

    bucket = ControlNames(target.stage).placement_bucket(aws.account(WEST), WEST)
    aws.s3(WEST).create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": WEST})
    rollout.deploy([moved], force=False, everything=False)
    [note], wrong = History(PlacementBox(aws, target)).newest("example", 9)
    assert (note.placement, note.verb, wrong) == (moved.placement, "run_deployment_migrator", [])
    assert note.by == aws.caller(HOME)
    assert note.by.startswith(f"arn:aws:iam::{aws.account(HOME)}:")
