"""`caribou upload_samples`: what a workflow's samples need in S3."""

from __future__ import annotations

import click

from caribou.cli.output import say
from caribou.cli.samples import Samples
from caribou.cli.session import session
from caribou.control.aws import aws_errors_as


@click.command("upload_samples")
@click.argument("workflow")
def upload_samples(workflow: str) -> None:
    """Put what the samples of WORKFLOW need into S3 at its home region; buckets that are missing are made."""
    with session() as here:
        definition = here.workflow(workflow)
        home = definition.manifest.home_region
        samples = Samples(definition, here.aws.account(home))
        look_at = "whether the bucket's name is taken by another account, and the credentials"
        with aws_errors_as("Uploading samples", look_at):
            uploaded = samples.upload(here.aws.s3(home))
    for file, address in uploaded:
        say(f"{file} -> {address}")
    if not uploaded:
        say(f"The samples of {definition.name} need nothing in S3.")
