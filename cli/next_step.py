"""What comes next, as the end of a verb says it on standard error: a command that can be copied."""

from __future__ import annotations

from pathlib import Path

from caribou.cli.output import notify
from caribou.model.project.workflow import Workflow

_SAMPLES = Path("samples")


def after_deploy(workflow: Workflow) -> None:
    """A run; before it, what its sample needs."""
    if (workflow.folder / _SAMPLES / "objects.json").is_file():
        notify(f"Next: caribou upload_samples {workflow.name}")
    else:
        after_upload(workflow)


def after_upload(workflow: Workflow) -> None:
    """A run with the sample."""
    notify(f"Next: caribou run {workflow.name} -a {_payload(workflow)} --wait")


def after_run(workflow: Workflow) -> None:
    """Runs enough for a verdict."""
    notify(f"Next: caribou load {workflow.name} -a {_payload(workflow)} --rate 2/s --duration 20  # a verdict needs 30")


def after_load(workflow: Workflow) -> None:
    """A placement by these runs."""
    notify(f"Next: caribou solve {workflow.name}")


def _payload(workflow: Workflow) -> str:
    """The workflow's sample input as an argument, or what stands for one."""
    sample = workflow.folder / _SAMPLES / "input.json"
    if not sample.is_file():
        return "PAYLOAD"
    here = Path.cwd()
    return f"@{sample.relative_to(here) if sample.is_relative_to(here) else sample}"
