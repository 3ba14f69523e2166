"""What comes next, as the end of a verb says it on standard error: a command that can be copied."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from caribou.cli.output import notify

if TYPE_CHECKING:  # `caribou solve --problem` reads no workflow
    from caribou.model.placement import Placement
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


def after_start(run_id: str) -> None:
    """A look at the run that has been started."""
    notify(f"Next: caribou trace {run_id}")


def after_run(workflow: Workflow) -> None:
    """Runs enough for a verdict."""
    notify(f"Next: caribou load {workflow.name} -a {_payload(workflow)} --rate 2/s --duration 20  # a verdict needs 30")


def after_load(workflow: Workflow) -> None:
    """A placement by these runs."""
    notify(f"Next: caribou solve {workflow.name}")


def after_solve(placement: Placement, file: Path) -> None:
    """The move on one screen, if anything moves."""
    if placement.regions == {placement.home_region}:
        notify("Next: nothing is to be moved; solve again when there are new runs, or other limits")
    else:
        notify(f"Next: caribou plan {placement.workflow} --placement {quote(str(file))}")


def after_plan(workflow: str, placement: str | None) -> None:
    """What was planned, as it was asked for."""
    notify(f"Next: caribou deploy {workflow}{'' if placement is None else f' --placement {quote(placement)}'}")


def _payload(workflow: Workflow) -> str:
    """The workflow's sample input as an argument, or what stands for one."""
    sample = workflow.folder / _SAMPLES / "input.json"
    if not sample.is_file():
        return "PAYLOAD"
    here = Path.cwd()
    return f"@{sample.relative_to(here) if sample.is_relative_to(here) else sample}"
