"""`caribou upload_samples` against the local cloud's S3."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from caribou.cli.upload_samples import upload_samples

WORKFLOWS = Path(__file__).parents[2] / "workflows"
pytestmark = pytest.mark.local_cloud


@pytest.fixture
def cloud(local_cloud, led_to):
    """An account of its own, to which this process' AWS settings lead."""
    return led_to(local_cloud.as_account("666600006666"))


def call(workflow):
    """What the command prints."""
    result = CliRunner().invoke(upload_samples, [workflow], catch_exceptions=False)
    assert result.stderr.startswith(f"Next: caribou run {workflow} ")
    return result.stdout


def test_upload_samples_when_called_twice_then_the_objects_are_there(cloud):
    """The bucket is made the first time; uploading again changes nothing."""
    bucket = "caribou-dev-photos-666600006666-eu-central-1"
    names = ("photo_small.jpg", "photo.png")
    said = "".join(f"{name} -> s3://{bucket}/input/{name}\n" for name in names)
    assert call("image_processing") == call("image_processing") == said
    stored = cloud.client("s3", "eu-central-1").get_object(Bucket=bucket, Key="input/photo_small.jpg")
    assert stored["Body"].read() == (WORKFLOWS / "image_processing" / "samples" / "photo_small.jpg").read_bytes()
    assert stored["ContentType"] == "image/jpeg"


@pytest.mark.usefixtures("cloud")
def test_upload_samples_when_the_workflow_needs_none_then_says_so():
    """A payload may be all that a workflow needs."""
    assert call("small_sync_example") == "The samples of small_sync_example need nothing in S3.\n"
