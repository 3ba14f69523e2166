"""`caribou upload_samples`: what a workflow's samples need in S3."""

from __future__ import annotations

import click

from caribou.cli.account import current_account
from caribou.cli.project import workflow_folder
from caribou.cli.samples import Samples
from caribou.control.aws import telling
from caribou.model.project.workflow import read_workflow


@click.command("upload_samples")
@click.argument("workflow")
def upload_samples(workflow: str) -> None:
    """Put what the samples of WORKFLOW need into S3 at its home region; buckets that are missing are made."""
    definition = read_workflow(workflow_folder(workflow))
    samples = Samples(definition, current_account(definition.manifest.home_region))
    with telling("Uploading samples", "whether the bucket's name is taken by another account, and the credentials"):
        uploaded = samples.upload()
    for file, address in uploaded:
        click.echo(f"{file} -> {address}")
    if not uploaded:
        click.echo(f"The samples of {definition.name} need nothing in S3.")
