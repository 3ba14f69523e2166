"""What verbs share: who is asked, and which workflow a name means."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from caribou.cli.session import Session, named
from caribou.control.aws import Aws
from caribou.control.target import Target
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import OperationFailedError

TARGET = Target("dev", "us-west-2")


@pytest.mark.parametrize("name", ["text_censor", "text-censor"])
def test_named_when_hyphens_stand_for_underscores_then_it_is_the_same_workflow(name):
    """As in every verb's argument."""
    known = [KnownWorkflow("other", None, None), KnownWorkflow("text_censor", None, None)]
    assert named(name, known) is known[1]
    assert named("text", known) is None


class Stacks(Aws):
    """CloudFormation, which has one stack with these outputs."""

    def __init__(self, outputs):
        super().__init__()
        self._outputs = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]

    def cloudformation(self, region):
        """The region's."""
        stack = {
            "StackId": "id",
            "StackName": "Workflow-example",
            "StackStatus": "UPDATE_COMPLETE",
            "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
            "Outputs": self._outputs,
        }
        assert region == "us-east-1"
        return SimpleNamespace(describe_stacks=lambda StackName: {"Stacks": [stack]})  # noqa: ARG005, N803 - boto3's


def test_sweeper_when_the_workflow_is_deployed_then_it_is_the_one_that_the_stack_names(tmp_path, workflow):
    """Its name is CloudFormation's."""
    sweeper = Session(tmp_path, TARGET, Stacks({"SweeperFunction": "sweeps"})).sweeper_of(workflow)
    assert (sweeper.region, sweeper.function) == ("us-east-1", "sweeps")


def test_sweeper_when_the_stack_is_of_an_older_version_then_one_message_says_to_deploy(tmp_path, workflow):
    """What was deployed then takes no orders."""
    with pytest.raises(OperationFailedError, match=r"no sweeper that takes this order.*caribou deploy example"):
        Session(tmp_path, TARGET, Stacks({})).sweeper_of(workflow)
