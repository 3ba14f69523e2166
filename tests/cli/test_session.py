"""What verbs share: who is asked, and which workflow a name means."""

import pytest
from botocore.exceptions import NoCredentialsError

from caribou.cli.session import Session, named
from caribou.control.aws import Aws
from caribou.control.target import Target
from caribou.control.workflows import KnownWorkflow
from caribou.model.errors import OperationFailedError

TARGET = Target("dev", "us-west-2")


class Silent(Aws):
    """Clients of somebody without credentials."""

    def account(self, region):  # noqa: ARG002 - as in Aws
        """Nobody."""
        raise NoCredentialsError


def test_account_when_there_are_no_credentials_then_the_message_names_the_local_cloud_too(tmp_path):
    """A newcomer without an account can go on from there."""
    with pytest.raises(OperationFailedError, match=r"Unable to locate credentials.*caribou local up"):
        Session(tmp_path, TARGET, Silent()).account("us-east-1")


@pytest.mark.parametrize("name", ["text_censor", "text-censor"])
def test_named_when_hyphens_stand_for_underscores_then_it_is_the_same_workflow(name):
    """As in every verb's argument."""
    known = [KnownWorkflow("other", None, None), KnownWorkflow("text_censor", None, None)]
    assert named(name, known) is known[1]
    assert named("text", known) is None
